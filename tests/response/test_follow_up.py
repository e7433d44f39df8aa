"""Telling people: whatever else goes wrong, a handed-back incident carries a note."""

from dataclasses import replace

from sre_agent.incident.errors import Permanent
from sre_agent.incident.event import EventKind
from sre_agent.response.record import State
from sre_agent.triage.ownership import Ownership
from tests.path.scenes import ID, incident, night


async def handed_back(receivers: dict[str, str], failure: Exception | None = None):
    """An untagged incident's end, with these receivers configured and the tracker's first write failing."""
    walk = night()
    walk.follow_up = replace(walk.follow_up, ownership=Ownership(receivers=receivers))
    walk.tracker.failure = failure
    await walk.hear(incident(labels={"alert_type": ""}), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert record.state is State.HANDED_BACK
    return walk, record


async def test_with_no_escalation_policy_filled_in_the_incident_stays_where_it_is_and_carries_a_note() -> None:
    walk, record = await handed_back({"pd-platform": "", "default": ""})
    assert len(walk.tracker.notes[ID]) == 1
    assert (walk.tracker.policies, record.handed_to) == ({}, None)


async def test_a_policy_that_cannot_be_assigned_does_not_cost_people_the_note() -> None:
    walk, record = await handed_back({"default": "PGONE01"}, Permanent("404: no such escalation policy"))
    assert "could not be moved to escalation policy PGONE01" in record.handed_to
    (note,) = walk.tracker.notes[ID]
    assert "404: no such escalation policy" in note


async def test_the_note_anchors_the_audit_chain_outside_the_database() -> None:
    walk, _ = await handed_back({"default": ""})
    (note,) = walk.tracker.notes[ID]
    number, _, said = note.rsplit("Audit record ", 1)[1].partition(":")
    (record,) = [r for r in await walk.store.audit(ID) if r.sequence == int(number)]
    assert record.hash.startswith(said)
    assert len(said) == 32
