"""Autonomy is earned: the edges of the count, of the days, and of the first harm."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.audit.record import AuditEntry
from sre_agent.policy.autonomy import AGREEMENTS, LASTS, SHADOW_AGREEMENTS, Fate, endings, pair_of, standing, unreadable

DAY = timedelta(days=1)
START = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
PAIR = ("restart_pod", "voice")


def entry(kind: str, at: datetime, incident: str, **detail: object) -> AuditEntry:
    return AuditEntry(at=at, incident_id=incident, kind=kind, detail=detail)


def request(action: str = "restart_pod", service: str = "voice") -> dict[str, object]:
    return {"proposal": {"action": action}, "declaration": {"service": service}}


def plan(n: int, *, at: datetime | None = None, approvals: int = 1, end: str = "recovery_verified", **about: str):
    """One incident whose plan was asked, permitted at so many approvals, done, and ended with `end`."""
    when, incident = at or START + n * DAY / 24, f"P{n}"
    asked = () if approvals == 0 else (entry("approval_requested", when, incident, request=request(**about)),)
    return (
        *asked,
        entry("action_permitted", when, incident, request=request(**about), approvals=approvals),
        entry("action_executed", when, incident, outcome="done"),
        entry(end, when, incident, **({"from": "verifying"} if end == "walk_failed" else {})),
    )


def plans(count: int, first: int = 0):
    return tuple(e for n in range(first, first + count) for e in plan(n))


NEWEST = START + (AGREEMENTS - 1) * DAY / 24


def test_the_constants_are_the_guardrails() -> None:
    assert (20, timedelta(days=30)) == (AGREEMENTS, LASTS)


@pytest.mark.parametrize(("count", "earned"), [(0, False), (1, False), (19, False), (20, True), (21, True)])
def test_twenty_agreements_earn_it_and_nineteen_do_not(count: int, earned: bool) -> None:
    found = standing(plans(count), *PAIR, NEWEST + DAY)
    assert (found.agreements, found.earned) == (count, earned)
    assert earned or f"{count} of 20" in found.why


@pytest.mark.parametrize(
    ("later", "earned"),
    [(timedelta(0), True), (LASTS, True), (LASTS + timedelta(microseconds=1), False), (LASTS + 300 * DAY, False)],
)
def test_it_lasts_thirty_days_from_the_newest_agreement(later: timedelta, earned: bool) -> None:
    found = standing(plans(20), *PAIR, NEWEST + later)
    assert (found.earned, found.until) == (earned, NEWEST + LASTS)
    assert earned or "expired" in found.why


def test_one_more_agreement_renews_it_after_it_expired() -> None:
    again = START + 90 * DAY
    history = (*plans(20), *plan(20, at=again))
    assert not standing(plans(20), *PAIR, again).earned
    assert standing(history, *PAIR, again).until == again + LASTS


@pytest.mark.parametrize(
    "harm",
    ["recovery_failed", "recovery_unknown", "action_failed", "action_unknown", "approval_denied", "walk_failed"],
)
@pytest.mark.parametrize("approvals", [0, 1, 2])
def test_the_first_setback_takes_all_of_it_away(harm: str, approvals: int) -> None:
    history = (*plans(25), *plan(25, end=harm, approvals=approvals))
    found = standing(history, *PAIR, START + 2 * DAY)
    assert (found.earned, found.agreements) == (False, 0)
    assert "P25" in found.why
    assert standing((*history, *plans(19, 26)), *PAIR, START + 3 * DAY).agreements == 19
    assert not standing((*history, *plans(19, 26)), *PAIR, START + 3 * DAY).earned
    assert standing((*history, *plans(20, 26)), *PAIR, START + 3 * DAY).earned


def test_what_nobody_approved_earns_nothing_however_well_it_went() -> None:
    history = tuple(e for n in range(40) for e in plan(n, approvals=0))
    assert standing(history, *PAIR, START + 3 * DAY).agreements == 0


def test_running_unapproved_does_not_lengthen_it() -> None:
    history = (*plans(20), *(e for n in range(20, 40) for e in plan(n, approvals=0)))
    assert standing(history, *PAIR, NEWEST + DAY).until == NEWEST + LASTS


@pytest.mark.parametrize("end", ["action_not_done", "plan_withdrawn", "approval_expired", "action_refused", "incident_assigned"])
def test_what_was_not_begun_counts_for_nothing(end: str) -> None:
    found = standing((*plans(20), *plan(20, end=end)), *PAIR, NEWEST + DAY)
    assert (found.agreements, found.earned) == (20, True)


def test_other_pairs_count_for_nothing() -> None:
    others = [{"action": "scale_up"}, {"service": "sales"}, {"service": ""}]
    history = tuple(e for about in others for n in range(40) for e in plan(n, **about))
    assert standing(history, *PAIR, START + 3 * DAY).agreements == 0
    failed = tuple(e for about in others for e in plan(40, end="recovery_failed", **about))
    assert standing((*plans(20), *failed), *PAIR, NEWEST + DAY).earned


def test_a_verification_belongs_to_the_last_plan_of_its_incident() -> None:
    """An incident that is reopened with another plan: its end is not credited to the first."""
    first = entry("action_permitted", START, "P1", request=request(), approvals=1)
    other = entry("action_permitted", START, "P1", request=request(action="scale_up"), approvals=1)
    well = entry("recovery_verified", START, "P1")
    assert endings((first, other, well), *PAIR) == ()
    assert [e.fate for e in endings((first, other, well), "scale_up", "voice")] == [Fate.AGREED]
    assert len(endings((first, well, well), *PAIR)) == 1


def test_incidents_that_run_side_by_side_are_not_mixed_up() -> None:
    mine, theirs = plan(1), plan(2, end="recovery_failed", action="scale_up")
    woven = (mine[0], theirs[0], mine[1], theirs[1], theirs[2], theirs[3], mine[2], mine[3])
    assert [e.fate for e in endings(woven, *PAIR)] == [Fate.AGREED]


def test_a_plan_that_breaks_off_before_it_began_is_no_setback() -> None:
    asked = entry("approval_requested", START, "P9", request=request())
    broke = entry("walk_failed", START, "P9", **{"from": "awaiting_approval"})
    assert endings((asked, broke), *PAIR) == ()


def test_what_is_dated_in_the_future_earns_nothing_yet() -> None:
    assert not standing(plans(20), *PAIR, NEWEST - timedelta(seconds=1)).earned
    later = plan(30, at=START + 40 * DAY, end="recovery_failed")
    assert not standing((*plans(20), *later), *PAIR, NEWEST).earned  # harm counts at once


@pytest.mark.parametrize(
    "detail", [{}, {"request": None}, {"request": {"proposal": 7}}, {"request": {"proposal": {"action": "x"}, "declaration": {}}}]
)
def test_a_malformed_entry_is_about_no_pair(detail) -> None:
    assert pair_of(entry("action_permitted", START, "P1", **detail)) is None


def test_approvals_that_are_no_number_are_none() -> None:
    strange = entry("action_permitted", START, "P1", request=request(), approvals="2")
    assert endings((strange, entry("recovery_verified", START, "P1")), *PAIR) == ()


def test_a_history_that_cannot_be_read_has_earned_nothing() -> None:
    assert not unreadable("the database is away").earned


# --- in shadow ---


def shadow(n: int, *, at: datetime | None = None, kind: str = "shadow_agreed", actor: str = "ana", **detail: object) -> AuditEntry:
    """One incident whose outcome ana signed for."""
    said: dict[str, object] = {
        "origin": "replay",
        "action": PAIR[0],
        "service": PAIR[1],
        "content_sha256": f"{n:064x}",
        "decision_sha256": "d" * 64,
        "person": "ana",
        "harmful": False,
    }
    when = at or START + n * DAY / 24
    return AuditEntry(at=when, incident_id=f"S{n}", kind=kind, actor=actor, detail=said | detail)


def shadows(count: int, first: int = 100):
    return tuple(shadow(n) for n in range(first, first + count))


LATE = START + 10 * DAY


def test_half_of_what_is_needed_is_half() -> None:
    assert SHADOW_AGREEMENTS * 2 == AGREEMENTS


@pytest.mark.parametrize(
    ("approved", "watched", "agreements"),
    [(0, 10, 10), (0, 40, 10), (9, 40, 19), (10, 9, 19), (10, 10, 20), (10, 40, 20), (19, 1, 20), (20, 0, 20), (20, 5, 25)],
)
def test_at_most_half_comes_from_watching(approved: int, watched: int, agreements: int) -> None:
    found = standing((*shadows(watched), *plans(approved)), *PAIR, LATE)
    assert (found.agreements, found.earned) == (agreements, agreements >= AGREEMENTS)
    assert (found.approved, found.shadow) == (approved, watched)
    assert found.earned or found.why.startswith(f"{agreements} of 20 agreements")


def test_watching_lengthens_nothing_and_renews_nothing() -> None:
    history = (*plans(10), *shadows(10))
    newest = START + 9 * DAY / 24
    assert standing(history, *PAIR, newest + DAY * 5).until == newest + LASTS
    later = tuple(shadow(n, at=newest + LASTS) for n in range(300, 340))
    found = standing((*history, *later), *PAIR, newest + 2 * LASTS)
    assert (found.earned, found.until) == (False, newest + LASTS)
    renewed = standing((*history, *later, *plan(50, at=newest + 2 * LASTS)), *PAIR, newest + 2 * LASTS)
    assert renewed.earned


def test_harm_in_shadow_takes_all_of_it_away() -> None:
    history = (*plans(20), *shadows(10), shadow(200, kind="shadow_disagreed", harmful=True))
    found = standing(history, *PAIR, LATE)
    assert (found.earned, found.agreements, found.approved, found.shadow) == (False, 0, 0, 0)
    assert "S200: in shadow" in found.why


@pytest.mark.parametrize("harmful", [None, "false", 0, ""])
def test_a_disagreement_that_does_not_say_it_did_no_harm_is_harm(harmful: object) -> None:
    wrong = shadow(200, kind="shadow_disagreed", actor="", harmful=harmful, person=None)
    assert not standing((*plans(20), wrong), *PAIR, LATE).earned


def test_a_disagreement_without_harm_counts_for_nothing_and_is_told() -> None:
    found = standing((*plans(20), shadow(200, kind="shadow_disagreed")), *PAIR, LATE)
    assert (found.earned, found.agreements, found.differed) == (True, 20, 1)


@pytest.mark.parametrize(
    "forged",
    [
        {"actor": "sre-agent", "person": "sre-agent"},
        {"actor": ""},
        {"person": None},
        {"person": "ben"},
        {"origin": "file"},
        {"origin": None},
        {"content_sha256": ""},
        {"content_sha256": "g" * 64},
        {"decision_sha256": None},
        {"decision_sha256": "d" * 63},
        {"action": "scale_up"},
        {"service": "sales"},
        {"service": None},
        {"at": LATE + DAY},
    ],
)
def test_what_nobody_signed_properly_earns_nothing(forged: dict[str, object]) -> None:
    """Not by a person, about no decision, about another service, dated in the future."""
    signed = tuple(shadow(n, **({"content_sha256": f"{n:064x}"} | forged)) for n in range(100, 120))
    found = standing((*plans(10), *signed), *PAIR, LATE)
    assert (found.agreements, found.shadow) == (10, 0)


def test_a_live_incident_needs_no_case() -> None:
    live = tuple(shadow(n, origin="live", content_sha256="") for n in range(100, 110))
    assert standing((*live, *plans(10)), *PAIR, LATE).earned


def test_the_same_case_counts_once_ever() -> None:
    by_incident = tuple(shadow(1, at=START + n * DAY / 24, content_sha256=f"{n:064x}") for n in range(20))
    by_content = tuple(shadow(n, content_sha256="c" * 64) for n in range(100, 120))
    assert standing(by_incident, *PAIR, LATE).shadow == 1
    assert standing(by_content, *PAIR, LATE).shadow == 1
    elsewhere_first = (shadow(1, service="sales"), shadow(1))
    assert standing(elsewhere_first, *PAIR, LATE).shadow == 0


@pytest.mark.parametrize("end", ["recovery_verified", "approval_denied"])
def test_an_incident_whose_plan_came_to_a_real_end_counts_no_second_time(end: str) -> None:
    real = plan(1, end=end)
    watched = shadow(9, content_sha256="a" * 64).model_copy(update={"incident_id": "P1"})
    for history in ((*real, watched), (watched, *real)):
        assert standing(history, *PAIR, LATE).shadow == 0


def test_a_signature_in_between_does_not_end_a_plan() -> None:
    asked, permitted, executed, well = plan(1)
    watched = shadow(9).model_copy(update={"incident_id": "P1"})
    assert standing((asked, permitted, watched, executed, well), *PAIR, LATE).approved == 1
