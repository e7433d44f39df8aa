"""The tracker against the stand-in, over real sockets and the real client."""

import asyncio
import logging
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound
from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.tracker import PagerDuty, connect
from sre_agent.adapters.pagerduty.transport import Credentials, PdpyrasTransport, Request
from sre_agent.evidence.change import ChangeKind
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.incident.errors import ConfigurationError, Conflict, OutcomeUnknown, Permanent, Transient
from sre_agent.incident.incident import IncidentStatus
from sre_agent.testing.pagerduty import AGENT_EMAIL, TOKEN
from sre_agent.testing.pagerduty_faults import Drop, Fault, rate_limited

pytestmark = pytest.mark.slow
LABELS = {"alertname": "RedisSlow", "alert_type": "infra", "redis_master": "cache"}
MARKER = "[sre-agent Q1]"
NOTES = r"/incidents/\w+/notes.*"


@pytest.fixture
def incident(pagerduty) -> str:
    return pagerduty.add_incident("Redis is slow", [LABELS])


def as_protocol(tracker: PagerDuty) -> IncidentTracker:
    return tracker


async def test_all_pages_of_alerts_are_fetched(pagerduty, tracker):
    identity = pagerduty.add_incident("many", [LABELS] * 249 + [{**LABELS, "alert_type": "model"}])
    incident = await as_protocol(tracker).fetch(identity)
    assert (incident.id, len(incident.alerts), incident.label_values("alert_type")) == (identity, 250, {"infra", "model"})
    assert (incident.service.id, incident.escalation_policy.id) == ("PSVC001", "PPLAT01")


async def test_people_who_acknowledged_are_told_from_the_agent_itself(pagerduty, tracker, incident):
    pagerduty.acknowledge(incident, pagerduty.agent_user)
    assert (await tracker.fetch(incident)).acknowledged_by == ()
    pagerduty.acknowledge(incident)
    fetched = await tracker.fetch(incident)
    assert [p.id for p in fetched.acknowledged_by] == [pagerduty.person]
    assert (fetched.status, fetched.snoozed) == (IncidentStatus.ACKNOWLEDGED, False)


async def test_snoozed_and_merged_incidents_are_recognised(pagerduty, tracker, incident):
    pagerduty.snooze(incident)
    assert (await tracker.fetch(incident)).snoozed
    other = pagerduty.add_incident("other", [LABELS])
    pagerduty.merge(other, incident)
    merged = await tracker.fetch(incident)
    assert (merged.merged_into, merged.open) == (other, False)


async def test_an_acknowledgement_timeout_is_not_taken_for_a_snooze(pagerduty, tracker):
    pagerduty.add_service("PSVC002", "chat", "PPLAT01", acknowledgement_timeout=1800)
    incident = pagerduty.add_incident("slow", [LABELS], service="PSVC002")
    pagerduty.acknowledge(incident)
    assert not (await tracker.fetch(incident)).snoozed
    pagerduty.snooze(incident, 7200)
    assert (await tracker.fetch(incident)).snoozed


@pytest.mark.parametrize("identity", ["../users", "Q1/alerts", "q1aaaaaa", "Q1AAAAAA\n", "", "http://127.0.0.1/x", "Q1AAAAAA?x=1"])
async def test_ids_that_are_not_pagerdutys_never_reach_the_wire(pagerduty, tracker, identity):
    for call in (
        tracker.fetch(identity),
        tracker.write_note(identity, MARKER, "t", None),
        tracker.write_note("QAAAAA", MARKER, "t", identity),
        tracker.assign_policy("QAAAAA", identity),
        tracker.changes("QAAAAA", identity, datetime.now(UTC), datetime.now(UTC)),
    ):
        with pytest.raises(Permanent, match="not the id"):
            await call
    assert pagerduty.calls == []


async def test_an_unknown_incident_and_a_wrong_key_are_explained(pagerduty, tracker):
    with pytest.raises(NotFound, match="does not know"):
        await tracker.fetch("QNOSUCH0000001")
    pagerduty.token = "another"
    with pytest.raises(ConfigurationError, match="PAGERDUTY_API_TOKEN") as caught:
        await tracker.fetch("QNOSUCH0000001")
    assert TOKEN[-4:] not in str(caught.value)


async def test_the_answer_must_be_about_the_incident_that_was_asked_for(pagerduty, tracker, incident):
    pagerduty.faults.add(
        Fault("GET", f"/incidents/{incident}", status=200, body={"incident": {"id": "QOTHER00000001", "status": "triggered"}})
    )
    with pytest.raises(Permanent, match="QOTHER"):
        await tracker.fetch(incident)


async def test_the_living_note_is_written_once_and_then_updated(pagerduty, tracker, incident):
    note = await tracker.write_note(incident, MARKER, f"{MARKER}\nStatus: investigating", None)
    assert await tracker.write_note(incident, MARKER, f"{MARKER}\nStatus: done", note) == note
    assert await tracker.write_note(incident, MARKER, "Status: done", None) == note
    assert pagerduty.notes(incident) == [f"{MARKER}\nStatus: done"]
    assert [(w.method, w.from_email) for w in pagerduty.writes] == [("POST", AGENT_EMAIL), ("PUT", AGENT_EMAIL)]


async def test_a_note_that_quotes_the_marker_is_left_alone(pagerduty, tracker, incident):
    pagerduty.annotate(incident, f"what is this?\n{MARKER}\n")
    pagerduty.annotate(incident, f"{MARKER}2")
    await tracker.write_note(incident, MARKER, "mine", None)
    assert pagerduty.notes(incident)[2:] == [f"{MARKER}\nmine"]


async def test_a_note_that_a_person_deleted_is_written_anew(pagerduty, tracker, incident):
    note = await tracker.write_note(incident, MARKER, "one", None)
    pagerduty.account.notes[incident].clear()
    assert await tracker.write_note(incident, MARKER, "two", note) != note
    assert pagerduty.notes(incident) == [f"{MARKER}\ntwo"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", NOTES, drop=Drop.AFTER),
        Fault("GET", ".*", status=503, times=2),
        Fault("GET", ".*", status=500, body="<html>oops</html>"),
        rate_limited(NOTES, reset_s=0),
        rate_limited(NOTES, reset_s=None),
        rate_limited(NOTES, reset_s=1, method="POST"),
        Fault("GET", NOTES, drop=Drop.BEFORE, times=2),
        Fault("GET", NOTES, delay_s=0.2),
    ],
)
async def test_one_fault_costs_no_second_note(pagerduty, tracker, incident, fault):
    fault = Fault(**vars(fault))
    pagerduty.faults.add(fault)
    first = await tracker.write_note(incident, MARKER, "text", None)
    second = await tracker.write_note(incident, MARKER, "text", None)
    assert first == second
    assert pagerduty.notes(incident) == [f"{MARKER}\ntext"]


@pytest.mark.parametrize("fault", [Fault("POST", NOTES, drop=Drop.BEFORE), Fault("POST", NOTES, status=502)])
async def test_a_note_that_did_not_arrive_is_transient_and_the_next_try_writes_it_once(pagerduty, tracker, incident, fault):
    pagerduty.faults.add(Fault(**vars(fault)))
    with pytest.raises(Transient, match="is not there") as caught:
        await tracker.write_note(incident, MARKER, "text", None)
    assert not isinstance(caught.value, OutcomeUnknown)
    await tracker.write_note(incident, MARKER, "text", None)
    assert pagerduty.notes(incident) == [f"{MARKER}\ntext"]


async def test_an_unknown_outcome_that_cannot_be_looked_into_is_never_sent_again(pagerduty, tracker, incident):
    pagerduty.faults.add(Fault("POST", NOTES, drop=Drop.AFTER))
    await tracker.own_user_id()
    listing = Fault("GET", NOTES, status=503, times=50)
    pagerduty.faults.add(Fault("GET", NOTES, status=200, body={"notes": []}), listing)
    with pytest.raises(Transient):
        await tracker.write_note(incident, MARKER, "text", None)
    pagerduty.faults.clear()
    await tracker.write_note(incident, MARKER, "text", None)
    assert pagerduty.notes(incident) == [f"{MARKER}\ntext"]


@pytest.mark.parametrize("when", list(Drop))
async def test_a_dropped_update_is_looked_into(pagerduty, tracker, incident, when):
    note = await tracker.write_note(incident, MARKER, "one", None)
    pagerduty.faults.add(Fault("PUT", NOTES, drop=when))
    if when is Drop.BEFORE:
        with pytest.raises(Transient, match="as it was"):
            await tracker.write_note(incident, MARKER, "two", note)
    assert await tracker.write_note(incident, MARKER, "two", note) == note
    assert pagerduty.notes(incident) == [f"{MARKER}\ntwo"]


async def test_an_incident_is_handed_over_once(pagerduty, tracker, incident):
    assert await tracker.assign_policy(incident, "PAIENG1")
    assert not await tracker.assign_policy(incident, "PAIENG1")
    assert pagerduty.incident(incident)["escalation_policy"]["id"] == "PAIENG1"
    assert len(pagerduty.writes) == 1


async def test_a_dropped_hand_over_is_looked_into(pagerduty, tracker, incident):
    pagerduty.faults.add(Fault("PUT", drop=Drop.AFTER))
    assert await tracker.assign_policy(incident, "PAIENG1")
    pagerduty.faults.add(Fault("PUT", drop=Drop.BEFORE))
    with pytest.raises(Transient, match="has not been handed over"):
        await tracker.assign_policy(incident, "PDEFLT1")
    assert [w.status for w in pagerduty.writes] == [0, 0]


async def test_a_resolved_incident_is_not_handed_over(pagerduty, tracker, incident):
    pagerduty.resolve(incident)
    with pytest.raises(Conflict, match="resolved"):
        await tracker.assign_policy(incident, "PAIENG1")
    with pytest.raises(ConfigurationError, match="escalation policy"):
        await tracker.assign_policy(pagerduty.add_incident("x", [LABELS]), "PNOSUCH")


async def test_without_a_sender_nothing_is_written(pagerduty, incident):
    tracker = connect(Credentials(TOKEN, "", pagerduty.url))
    with pytest.raises(ConfigurationError, match="PAGERDUTY_FROM_EMAIL"):
        await tracker.write_note(incident, MARKER, "text", None)
    with pytest.raises(ConfigurationError, match="PAGERDUTY_FROM_EMAIL"):
        await tracker.assign_policy(incident, "PAIENG1")
    assert pagerduty.calls == []
    assert await tracker.own_user_id() is None
    await tracker.aclose()


async def test_a_sender_that_is_nobody_is_explained(pagerduty, incident):
    tracker = connect(Credentials(TOKEN, "nobody@example.test", pagerduty.url))
    with pytest.raises(ConfigurationError, match="PAGERDUTY_FROM_EMAIL"):
        await tracker.write_note(incident, MARKER, "text", None)
    await tracker.aclose()


async def test_the_agents_own_user_is_asked_for_once(pagerduty, tracker):
    assert await tracker.own_user_id() == await tracker.own_user_id() == pagerduty.agent_user
    assert len(pagerduty.calls) == 1


async def test_without_the_right_to_list_users_every_acknowledgement_is_a_persons(pagerduty, tracker, incident):
    pagerduty.faults.add(Fault("GET", "/users", status=403))
    pagerduty.acknowledge(incident, pagerduty.agent_user)
    assert [p.id for p in (await tracker.fetch(incident)).acknowledged_by] == [pagerduty.agent_user]


async def test_changes_come_from_the_service_and_from_what_is_related(pagerduty, tracker, incident):
    now = datetime.now(UTC)
    pagerduty.add_change("deploy api 43", now - timedelta(hours=1))
    pagerduty.add_change("v43", now - timedelta(hours=3), {"kind": "prompt", "target": "prompt/intent-router"}, related_to=incident)
    pagerduty.add_change("long ago", now - timedelta(days=3))
    found = await tracker.changes(incident, "PSVC001", now - timedelta(days=1), now)
    assert [(c.kind, c.target) for c in found] == [
        (ChangeKind.PROMPT, "prompt/intent-router"),
        (ChangeKind.DEPLOY, "deployment/ci"),
    ]


@pytest.mark.parametrize("status", [402, 403, 404])
async def test_related_changes_are_left_out_where_the_plan_lacks_them(pagerduty, tracker, incident, status):
    now = datetime.now(UTC)
    pagerduty.add_change("deploy api 43", now - timedelta(hours=1))
    pagerduty.faults.add(Fault("GET", ".*/related_change_events", status=status))
    assert len(await tracker.changes(incident, "PSVC001", now - timedelta(days=1), now)) == 1


async def test_a_service_feed_that_may_not_be_read_is_not_an_empty_one(pagerduty, tracker, incident):
    pagerduty.faults.add(Fault("GET", "/services/.*", status=403))
    with pytest.raises(NotAvailable):
        await tracker.changes(incident, "PSVC001", datetime.now(UTC) - timedelta(days=1), datetime.now(UTC))


async def test_open_incidents_are_listed_for_reconciling(pagerduty, tracker):
    ids = [pagerduty.add_incident(f"n{n}", [LABELS]) for n in range(120)]
    pagerduty.resolve(ids[0])
    pagerduty.acknowledge(ids[1])
    found = await tracker.open_incidents(datetime.now(UTC) - timedelta(hours=1))
    assert [i.id for i in found] == ids[1:]
    assert (found[0].status, found[1].status) == (IncidentStatus.ACKNOWLEDGED, IncidentStatus.TRIGGERED)
    assert (len(found[0].acknowledged_by), found[1].acknowledged_by) == (1, ())
    assert found[1].service.id.startswith("P")


async def test_an_unreachable_pagerduty_is_transient(incident):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        tracker = connect(Credentials(TOKEN, AGENT_EMAIL, url), patience=Patience(deadline_s=1, attempts=2, first_pause_s=0.01))
        with pytest.raises(Transient, match="nothing was sent") as caught:
            await tracker.fetch(incident)
        assert not isinstance(caught.value, OutcomeUnknown)
        await tracker.aclose()


async def test_a_slow_pagerduty_is_given_up_at_the_deadline(pagerduty, incident):
    gateway = Gateway(
        PdpyrasTransport(Credentials(TOKEN, AGENT_EMAIL, pagerduty.url)), patience=Patience(deadline_s=0.3, attempts=1)
    )
    pagerduty.faults.add(Fault("PUT", delay_s=0.8))
    with pytest.raises(OutcomeUnknown, match="no answer within"):
        await gateway.write("PUT", f"/incidents/{incident}", {"incident": {}})
    await gateway.aclose()


async def test_a_redirect_is_not_followed(pagerduty, tracker, incident):
    pagerduty.faults.add(Fault("GET", "/users", status=302, headers={"Location": f"{pagerduty.url}/elsewhere"}))
    with pytest.raises(Permanent, match="302"):
        await tracker.fetch(incident)
    assert [c.path for c in pagerduty.calls] == ["/users"]


async def test_calls_at_once_each_get_their_own_answer(pagerduty, tracker):
    ids = [pagerduty.add_incident(f"n{n}", [{**LABELS, "n": str(n)}]) for n in range(12)]
    found = await asyncio.gather(*(tracker.fetch(i) for i in ids))
    assert [(i.id, i.title) for i in found] == [(identity, f"n{n}") for n, identity in enumerate(ids)]


async def test_the_client_says_nothing_of_its_own(pagerduty, tracker, incident, caplog):
    pagerduty.faults.add(Fault(status=500), rate_limited(reset_s=0))
    with caplog.at_level(logging.WARNING):
        await tracker.fetch(incident)
    assert [r.message for r in caplog.records if r.name == "pdpyras"] == []


@pytest.mark.parametrize("url", ["http://pagerduty.example.test", "ftp://127.0.0.1", "api.pagerduty.com", ""])
def test_an_api_address_that_cannot_work_or_leaks_the_key_is_refused(url):
    with pytest.raises(ConfigurationError, match="PAGERDUTY_API_URL"):
        PdpyrasTransport(Credentials(TOKEN, AGENT_EMAIL, url))
    with pytest.raises(ConfigurationError, match="PAGERDUTY_API_TOKEN"):
        PdpyrasTransport(Credentials(" ", AGENT_EMAIL))
    assert TOKEN not in repr(Credentials(TOKEN, AGENT_EMAIL))


def test_importing_the_adapter_does_not_import_the_client():
    probe = "import sys, sre_agent.adapters.pagerduty.tracker; print('pdpyras' in sys.modules, 'requests' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504])
def test_the_transport_sends_once_whatever_comes_back(pagerduty, status):
    transport = PdpyrasTransport(Credentials(TOKEN, AGENT_EMAIL, pagerduty.url))
    pagerduty.faults.add(Fault(status=status, body={"error": {"code": 1}}))
    answer = transport.send(Request("POST", "/incidents/QAAAAA/notes", {}, {"note": {"content": "x"}}))
    transport.close()
    assert (answer.status, answer.content) == (status, {"error": {"code": 1}})
    assert [c.status for c in pagerduty.calls] == [status]
