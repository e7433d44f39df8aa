"""What people did about a past incident, from its log and notes."""

import pytest

from sre_agent.replay.expectation import HumanOutcome
from sre_agent.replay.history.outcome import outcome_of_entry
from tests.replay.history.test_as_of import ANN, BOB, after, entry, log

MONITORING = {"id": "PSVC001", "type": "service_reference", "summary": "voice-platform"}


def outcome(*log_entries, notes=(), own_user=None, **incident) -> HumanOutcome:
    given = entry(log_entries=log_entries, **incident).model_copy(update={"notes": tuple(notes)})
    return HumanOutcome.model_validate(outcome_of_entry(given, own_user))


def note(seconds: float, said: str, who=ANN) -> dict:
    return {"id": f"N{seconds}", "created_at": after(seconds), "content": said, "user": who}


def test_who_acknowledged_who_resolved_and_what_they_did_between():
    told = outcome(
        log("trigger", 0, MONITORING),
        log("acknowledge", 60, ANN),
        log("assign", 90, ANN, assignees=[BOB]),
        log("notify", 95, MONITORING),
        log("resolve", 900, BOB),
        notes=[note(300, "restarted the import")],
    )
    assert told.acknowledged_at is not None
    assert (told.acknowledged_by, told.resolved_by, told.resolved_automatically) == ("Ann", "Bob", False)
    assert [(a.by, a.what) for a in told.actions] == [
        ("Ann", "acknowledged"),
        ("Ann", "assigned to Bob"),
        ("Ann", "noted: restarted the import"),
        ("Bob", "resolved"),
    ]
    assert told.notes == "restarted the import"


@pytest.mark.parametrize(
    ("last", "automatically"),
    [
        (log("resolve", 900, MONITORING), True),
        (log("resolve", 900, {"id": "PINT", "type": "integration_reference"}), True),
        (log("resolve", 900, ANN, channel={"type": "timeout"}), True),
        (log("resolve", 900, None), True),
        (log("resolve", 900, ANN, channel={"type": "website"}), False),
    ],
)
def test_automatic_and_personal_resolutions_are_told_apart(last, automatically):
    told = outcome(log("trigger", 0, MONITORING), last)
    assert told.resolved_automatically is automatically
    assert told.resolved_by == ("" if automatically else "Ann")


def test_nobody_touched_it_is_not_the_same_as_nobody_knows():
    shape = entry(log_entries=(log("trigger", 0), log("resolve", 9, MONITORING)))
    assert outcome_of_entry(shape)["actions"] == []
    assert "actions" not in outcome_of_entry(entry())
    assert outcome_of_entry(entry())["resolved_automatically"] is None


def test_without_log_entries_the_incident_itself_says_who_resolved_it():
    assert outcome(last_status_change_by=ANN, resolved_at=after(900)).resolved_by == "Ann"
    assert outcome(last_status_change_by=MONITORING, last_status_change_at=after(900)).resolved_automatically is True


def test_an_open_incident_is_not_resolved_by_what_happened_before_it_was_opened_again():
    told = outcome(log("trigger", 0), log("resolve", 90, ANN), log("trigger", 120), status="triggered")
    assert (told.resolved_at, told.resolved_automatically) == (None, None)


def test_what_the_agent_did_itself_is_nobodys_deed():
    told = outcome(
        log("trigger", 0), log("acknowledge", 5, ANN), notes=[note(9, "my plan")], own_user="PUSRANN", status="triggered"
    )
    assert (told.acknowledged_at, told.notes) == (None, "")
    assert not told.actions


def test_a_merge_names_the_incident_it_went_into():
    told = outcome(log("resolve", 9, ANN), resolve_reason={"type": "merge_resolve_reason", "incident": {"id": "Q0OTHER"}})
    assert told.merged_into == "Q0OTHER"
