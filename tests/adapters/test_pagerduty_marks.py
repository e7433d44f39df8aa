"""Priority, custom fields and status updates against the stand-in: what is sent, how often, and what a refusal says."""

import pytest

from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound
from sre_agent.adapters.pagerduty.tracker import connect
from sre_agent.adapters.pagerduty.transport import Credentials
from sre_agent.incident.errors import ConfigurationError, Conflict, OutcomeUnknown, Permanent, Transient
from sre_agent.testing.pagerduty import AGENT_EMAIL, TOKEN
from sre_agent.testing.pagerduty_faults import Drop, Fault, rate_limited

pytestmark = pytest.mark.slow
STATUS = r"/incidents/\w+/status_updates"
FIELDS = r"/incidents/\w+/custom_fields/values"


@pytest.fixture
def incident(pagerduty) -> str:
    return pagerduty.add_incident("intent accuracy fell", [{"alertname": "IntentAccuracyLow", "alert_type": "model"}])


def priority(pagerduty, incident):
    held = pagerduty.incident(incident)["priority"]
    return held and held["summary"]


async def test_a_priority_is_found_by_its_name_and_set_once(pagerduty, tracker, incident):
    assert await tracker.raise_priority(incident, " p3 ")
    assert not await tracker.raise_priority(incident, "P3")
    assert priority(pagerduty, incident) == "P3"
    (write,) = pagerduty.writes
    assert (write.body["incident"]["priority"]["type"], write.from_email) == ("priority_reference", AGENT_EMAIL)


@pytest.mark.parametrize(
    ("held", "wanted", "after"), [("P4", "P2", "P2"), ("P1", "P2", "P1"), ("P2", "P2", "P2"), ("P5", "P1", "P1")]
)
async def test_a_priority_is_only_ever_raised(pagerduty, tracker, incident, held, wanted, after):
    pagerduty.account.prioritise(incident, next(p["id"] for p in pagerduty.account.priorities if p["name"] == held), None)
    assert await tracker.raise_priority(incident, wanted) is (held != after)
    assert priority(pagerduty, incident) == after


async def test_a_priority_that_the_list_does_not_know_is_left_alone(pagerduty, tracker, incident):
    pagerduty.account.incidents[incident]["priority"] = {"id": "POLD001", "type": "priority_reference", "summary": "SEV0"}
    assert not await tracker.raise_priority(incident, "P1")
    assert pagerduty.writes == []


async def test_an_unknown_priority_names_those_there_are(pagerduty, tracker, incident):
    with pytest.raises(Permanent, match=r"no priority 'SEV1' \(it has: P1, P2, P3, P4, P5\); correct policies/data/handback.yaml"):
        await tracker.raise_priority(incident, "SEV1")
    assert pagerduty.writes == []


@pytest.mark.parametrize("when", list(Drop))
async def test_a_priority_whose_answer_was_lost_is_looked_into(pagerduty, tracker, incident, when):
    pagerduty.faults.add(Fault("PUT", f"/incidents/{incident}", drop=when))
    if when is Drop.BEFORE:
        with pytest.raises(Transient, match="old priority") as caught:
            await tracker.raise_priority(incident, "P2")
        assert not isinstance(caught.value, OutcomeUnknown)
    else:
        assert await tracker.raise_priority(incident, "P2")
    assert len(pagerduty.writes) == 1


async def test_a_resolved_incident_keeps_its_priority(pagerduty, tracker, incident):
    pagerduty.resolve(incident)
    with pytest.raises(Conflict, match="resolved"):
        await tracker.raise_priority(incident, "P2")


async def test_fields_are_given_their_values_and_twice_is_once(pagerduty, tracker, incident):
    values = {"sre_agent_class": "model", "sre_agent_verdict": "hand_back"}
    for _ in range(2):
        await tracker.set_fields(incident, values)
    assert pagerduty.account.field_values[incident] == values
    listed = [{"name": name, "value": value} for name, value in values.items()]
    assert [w.body for w in pagerduty.writes] == [{"custom_fields": listed}] * 2


async def test_a_field_that_does_not_exist_is_refused_with_its_name(pagerduty, tracker, incident):
    with pytest.raises(Permanent, match="Custom field nosuch does not exist"):
        await tracker.set_fields(incident, {"nosuch": "x", "sre_agent_class": "model"})
    assert pagerduty.account.field_values == {}


async def test_a_status_update_is_flat_and_sent_by_the_agents_own_user(pagerduty, tracker, incident):
    await tracker.post_status(incident, "sre-agent looked at this.")
    assert [u["message"] for u in pagerduty.account.status_updates[incident]] == ["sre-agent looked at this."]
    (write,) = pagerduty.writes
    assert (write.body, write.from_email) == ({"message": "sre-agent looked at this."}, AGENT_EMAIL)


@pytest.mark.parametrize("fault", [Fault("POST", STATUS, drop=Drop.AFTER), Fault("POST", STATUS, status=502)])
async def test_a_status_update_without_an_answer_is_unknown_and_not_sent_again_here(pagerduty, tracker, incident, fault):
    pagerduty.faults.add(Fault(**vars(fault)))
    with pytest.raises(OutcomeUnknown):
        await tracker.post_status(incident, "once")
    assert len(pagerduty.writes) == 1


async def test_a_status_update_turned_away_by_the_rate_limit_is_sent_when_there_is_room(pagerduty, tracker, incident):
    pagerduty.faults.add(rate_limited(STATUS, reset_s=0, method="POST"))
    await tracker.post_status(incident, "once")
    assert len(pagerduty.account.status_updates[incident]) == 1


@pytest.mark.parametrize(("status", "kind"), [(402, NotAvailable), (403, NotAvailable), (404, NotFound)])
@pytest.mark.parametrize("ability", ["priorities", "custom_fields", "status_updates"])
async def test_what_the_account_lacks_is_told_as_that_and_costs_one_request(pagerduty, tracker, incident, ability, status, kind):
    pagerduty.account.lacks[ability] = status
    calls = {
        "priorities": lambda: tracker.raise_priority(incident, "P2"),
        "custom_fields": lambda: tracker.set_fields(incident, {"sre_agent_class": "model"}),
        "status_updates": lambda: tracker.post_status(incident, "x"),
    }
    with pytest.raises(kind):
        await calls[ability]()
    assert len(pagerduty.calls) == 1


async def test_without_a_sender_and_without_an_id_nothing_reaches_the_wire(pagerduty, tracker, incident):
    nobody = connect(Credentials(TOKEN, "", pagerduty.url))
    for one, call in ((nobody, incident), (tracker, "../users")):
        for work in (one.raise_priority(call, "P1"), one.set_fields(call, {}), one.post_status(call, "x")):
            with pytest.raises((ConfigurationError, Permanent), match=r"PAGERDUTY_FROM_EMAIL|not the id"):
                await work
    await nobody.aclose()
    assert pagerduty.calls == []


async def test_handing_on_reaches_who_is_on_call_also_where_the_incident_is_theirs_but_held_by_another(
    pagerduty, tracker, incident
):
    assert await tracker.assign_policy(incident, "PAIENG1")
    pagerduty.acknowledge(incident)
    assert not await tracker.assign_policy(incident, "PAIENG1")
    assert await tracker.assign_policy(incident, "PAIENG1", again=True)
    assert (pagerduty.incident(incident)["status"], pagerduty.incident(incident)["acknowledgements"]) == ("triggered", [])
    assert not await tracker.assign_policy(incident, "PAIENG1", again=True)
    assert len(pagerduty.writes) == 2


async def test_handing_on_whose_answer_was_lost_pages_nobody_twice(pagerduty, tracker, incident):
    pagerduty.acknowledge(incident)
    pagerduty.faults.add(Fault("PUT", drop=Drop.AFTER))
    assert await tracker.assign_policy(incident, "PAIENG1", again=True)
    assert len(pagerduty.writes) == 1
