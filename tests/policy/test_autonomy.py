"""Autonomy is earned: the edges of the count, of the days, and of the first harm."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.audit.record import AuditEntry
from sre_agent.policy.autonomy import AGREEMENTS, LASTS, Fate, endings, pair_of, standing, unreadable

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
