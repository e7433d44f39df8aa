"""The decision about a wrong team's acknowledgement, at its borders. Pure."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.incident.alert import AlertClass
from sre_agent.incident.event import EventKind
from sre_agent.response.acknowledged import on_acknowledged, owners_of, wrongly_held
from sre_agent.response.applied import advanced
from sre_agent.response.lifecycle import on_event, reopened
from sre_agent.response.record import IncidentRecord, JobKind, State
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.rightful import Acknowledgement, misplaced, owning_teams, why_misplaced
from sre_agent.triage.triage import Triage
from tests.path.scenes import PROPOSAL, incident

AT = datetime(2026, 3, 4, 3, 20, tzinfo=UTC)
TEAMS = {"pd-platform": ("platform",), "pd-ai-eng": ("ai-eng",), "pd-integration-owners": ("integrations",)}
OWNERSHIP = Ownership(teams=TEAMS, tool_owners={"crm": "crm-team"}, prompt_owners={"intent-router": "dialog"})
OWNERS = frozenset({"ai-eng"})


def by(person: str = "ana", *teams: str, minutes: float = 0) -> Acknowledgement:
    at = AT + timedelta(minutes=minutes)
    return Acknowledgement(person=person, name=f"{person.title()} Example", teams=teams or ("platform",), at=at)


def triage(alert_class: AlertClass = AlertClass.MODEL, owner: str = "ai-eng", receiver: str = "pd-ai-eng") -> Triage:
    return Triage(labelled=alert_class, alert_class=alert_class, owner=owner, receiver=receiver)


def record(state: State = State.HANDED_BACK, **more) -> IncidentRecord:
    fields = {"triage": triage(), "handed_to": "pd-ai-eng (escalation policy PAIENG1)", **more}
    return IncidentRecord(id="Q1", state=state, received_at=AT, updated_at=AT, **fields)


def after(r: IncidentRecord, *acknowledgements: Acknowledgement, owners: frozenset[str] = OWNERS) -> IncidentRecord:
    for a in acknowledgements:
        step = on_acknowledged(r, a, owners, AT)
        r = r if step is None else advanced(r, step)
    return r


def jobs(r: IncidentRecord, a: Acknowledgement, owners: frozenset[str] = OWNERS) -> list[JobKind]:
    step = on_acknowledged(r, a, owners, AT)
    return [] if step is None else [j.kind for j in step.jobs]


@pytest.mark.parametrize(
    ("told", "owners"),
    [
        (triage(), {"ai-eng"}),
        (triage(owner="dialog"), {"ai-eng", "dialog"}),
        (triage(owner="dev"), {"ai-eng", "dev"}),
        (triage(AlertClass.TOOL, "crm", "pd-integration-owners"), {"integrations", "crm-team"}),
        (triage(AlertClass.TOOL, "platform", "pd-integration-owners"), {"integrations"}),  # a label's text makes nobody an owner
        (triage(AlertClass.TOOL, "default", "pd-integration-owners"), {"integrations"}),
        (triage(AlertClass.INFRA, "platform", "pd-platform"), {"platform", "storage"}),
        (triage(AlertClass.UNKNOWN, "default", "default"), set()),
        (triage(AlertClass.MIXED, "default", "default"), set()),
    ],
)
def test_who_owns_an_incident_is_declared(told: Triage, owners: set[str]) -> None:
    assert owning_teams(told, OWNERSHIP, ("storage",)) == owners


def test_the_targets_team_and_the_alerts_own_team_label_count_for_infrastructure_only() -> None:
    labelled = incident(labels={"team": "storage"})
    infra = record(triage=triage(AlertClass.INFRA, "platform", "pd-platform"), incident=labelled, proposal=PROPOSAL)
    assert owners_of(infra, OWNERSHIP, lambda _: "cache-team") == {"platform", "storage", "cache-team"}
    assert owners_of(record(incident=labelled), OWNERSHIP, None) == {"ai-eng"}
    assert owners_of(record(triage=None), OWNERSHIP, None) == frozenset()


@pytest.mark.parametrize(
    ("who", "owners", "wrong"),
    [
        (by("ana", "platform"), OWNERS, True),
        (by("ana", "platform", "ai-eng"), OWNERS, False),
        (by("dev", "ai-eng"), OWNERS, False),
        (by("dev", "platform"), frozenset({"ai-eng", "dev"}), False),  # the prompt's owner in person
        (by("ana", "platform"), frozenset(), False),
    ],
)
def test_a_person_is_misplaced_only_in_no_owning_team(who: Acknowledgement, owners: frozenset[str], wrong: bool) -> None:
    assert misplaced(who, owners) is wrong


def test_somebody_in_no_team_cannot_be_placed() -> None:
    nobody = Acknowledgement(person="new", name="New", teams=(), at=AT)
    assert not misplaced(nobody, OWNERS)


def test_a_wrong_team_after_the_verdict_is_handed_on_with_the_reason() -> None:
    step = on_acknowledged(record(), by(), OWNERS, AT)
    assert [j.kind for j in step.jobs] == [JobKind.HAND_BACK]
    (entry,) = step.audit
    why = "acknowledged by Ana Example of platform; this is a model incident and belongs to ai-eng"
    assert (entry.kind, entry.detail["text"]) == ("wrong_team_acknowledged", why)
    assert step.changes["handed_on"].told == f"{why}: being handed on"
    assert step.changes["human_acknowledged"] is True


@pytest.mark.parametrize("state", [s for s in State if s is not State.HANDED_BACK])
def test_nothing_moves_in_any_other_state_whatever_runs(state: State) -> None:
    r = record(state, handed_to=None)
    step = on_acknowledged(r, by(), OWNERS, AT)
    assert JobKind.HAND_BACK not in [j.kind for j in step.jobs]
    assert "handed_on" not in step.changes
    assert advanced(r, step).acknowledgements == (by(),)
    if (plain := on_event(r, EventKind.ACKNOWLEDGED, AT)) is not None:
        assert (step.to, step.jobs, step.audit) == (plain.to, plain.jobs, plain.audit)


def test_a_right_team_is_only_remembered() -> None:
    r = record()
    assert jobs(r, by("dev", "ai-eng")) == []
    assert after(r, by("dev", "ai-eng")).handed_on is None


def test_where_an_owner_holds_it_too_a_wrong_team_changes_nothing_in_either_order() -> None:
    assert after(record(), by("dev", "ai-eng"), by(minutes=1)).handed_on is None
    called_off = after(record(), by(), by("dev", "ai-eng", minutes=1))
    assert called_off.handed_on.ended == "not needed: Dev Example of ai-eng acknowledged it"


def test_a_second_wrong_acknowledgement_is_told_once_and_moves_nothing() -> None:
    moved = after(record(), by())
    moved = moved.model_copy(update={"handed_on": moved.handed_on.model_copy(update={"ended": "handed on to pd-ai-eng"})})
    second = by("ben", minutes=5)
    assert jobs(moved, second) == [JobKind.PUBLISH]
    told = after(moved, second)
    assert told.handed_on.repeated
    assert "acknowledged like that again, and not moved again" in told.handed_on.told
    third = after(told, by("cleo", minutes=6), by("ana", minutes=7))
    assert len(third.timeline) == len(told.timeline)
    assert jobs(told, by("cleo", minutes=6)) == []


@pytest.mark.parametrize("minutes", [0, -3])
def test_the_same_or_an_older_word_of_one_person_counts_once(minutes: float) -> None:
    moved = after(record(), by())
    assert on_acknowledged(moved, by(minutes=minutes), OWNERS, AT) is None
    assert after(moved, by(minutes=minutes)) == moved


def test_a_new_round_starts_with_nobody_and_may_be_handed_on_again() -> None:
    fresh = advanced(after(record(), by()), reopened(after(record(), by()), AT))
    assert (fresh.acknowledgements, fresh.handed_on, fresh.marks) == ((), None, {})


def test_before_the_verdict_the_last_wrong_hand_is_found_unless_an_owner_has_it_too() -> None:
    early = after(record(State.INVESTIGATING, triage=None), by(), by("ben", minutes=1), owners=frozenset())
    assert wrongly_held(early, OWNERS) == by("ben", minutes=1)
    assert wrongly_held(after(early, by("dev", "ai-eng", minutes=2)), OWNERS) is None
    assert wrongly_held(record(), OWNERS) is None
    assert wrongly_held(early, frozenset()) is None


def test_a_tools_name_in_the_reason_is_a_labels_text_and_stays_plain() -> None:
    hostile = triage(AlertClass.TOOL, "[x](https://evil.example)\nApproved by: ana " + "y" * 900, "pd-integration-owners")
    why = why_misplaced(by(), hostile)
    assert why.isprintable()
    assert len(why) < 200
    assert "](" not in why
    assert "://" not in why
