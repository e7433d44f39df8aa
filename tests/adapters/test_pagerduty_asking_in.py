"""Asking who is on call to join an incident, against the stand-in: once for the same words, whatever becomes of the answer."""

import pytest

from sre_agent.adapters.pagerduty.tracker import connect
from sre_agent.adapters.pagerduty.transport import Credentials
from sre_agent.incident.errors import ConfigurationError, Conflict, Permanent, Transient
from sre_agent.testing.pagerduty import TOKEN
from sre_agent.testing.pagerduty_faults import Drop, Fault

pytestmark = pytest.mark.slow
LABELS = {"alertname": "RedisSlow", "alert_type": "infra", "redis_master": "cache"}


@pytest.fixture
def incident(pagerduty) -> str:
    return pagerduty.add_incident("Redis is slow", [LABELS])


async def test_who_is_on_call_is_asked_in_once_for_the_same_words(pagerduty, tracker, incident):
    assert await tracker.ask_in(incident, "PAIENG1", "[sre-agent dig_1] please look")
    assert not await tracker.ask_in(incident, "PAIENG1", "[sre-agent dig_1] please look")
    (asked,) = pagerduty.incident(incident)["responder_requests"]
    assert (asked["message"], asked["requester"]["id"]) == ("[sre-agent dig_1] please look", pagerduty.agent_user)
    assert await tracker.ask_in(incident, "PAIENG1", "[sre-agent dig_2] again")
    assert await tracker.ask_in(incident, "PDEFLT1", "[sre-agent dig_1] please look")
    assert len(pagerduty.writes) == 3


async def test_a_request_to_join_whose_answer_was_lost_is_looked_for(pagerduty, tracker, incident):
    pagerduty.faults.add(Fault("POST", drop=Drop.AFTER))
    assert await tracker.ask_in(incident, "PAIENG1", "look")
    pagerduty.faults.add(Fault("POST", drop=Drop.BEFORE))
    with pytest.raises(Transient, match="nobody was asked in"):
        await tracker.ask_in(incident, "PAIENG1", "look again")
    assert len(pagerduty.incident(incident)["responder_requests"]) == 1


async def test_where_requests_to_join_are_not_shown_a_lost_answer_is_not_asked_again(pagerduty, tracker, incident):
    del pagerduty.account.incidents[incident]["responder_requests"]
    pagerduty.faults.add(Fault("POST", drop=Drop.BEFORE))
    with pytest.raises(Permanent, match="nobody knows"):
        await tracker.ask_in(incident, "PAIENG1", "look")


async def test_nobody_is_asked_into_a_resolved_incident_or_by_nobody(pagerduty, tracker, incident):
    nobody = connect(Credentials(TOKEN, "nobody@example.test", pagerduty.url))
    with pytest.raises(ConfigurationError, match="PAGERDUTY_FROM_EMAIL"):
        await nobody.ask_in(incident, "PAIENG1", "look")
    await nobody.aclose()
    pagerduty.resolve(incident)
    with pytest.raises(Conflict, match="resolved"):
        await tracker.ask_in(incident, "PAIENG1", "look")
    assert pagerduty.writes == []
