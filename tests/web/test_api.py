"""The JSON API: what it says about an incident, and what it says when it cannot."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Diagnosis, ModelUsage
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.runbook.proposal import Proposal
from sre_agent.triage.triage import Triage

AT = datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)


@pytest.fixture
async def recovered(shelf) -> IncidentRecord:
    """A failover that two people approved and that helped."""
    incident = Incident(
        id="Q0EXAMPLE00001",
        number=4242,
        title="[FIRING:1] RedisLatencyHigh",
        status=IncidentStatus.ACKNOWLEDGED,
        created_at=AT,
        html_url="https://example.pagerduty.com/incidents/Q0EXAMPLE00001",
        service=Reference(id="PSVC001", name="voice"),
    )
    target = Target(kind="RedisMaster", name="cache", uid="run-id")
    record = IncidentRecord(
        id=incident.id,
        state=State.RECOVERED,
        received_at=AT,
        updated_at=AT,
        incident=incident,
        triage=Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd-platform"),
        proposal=Proposal(incident_id=incident.id, runbook="redis-failover", action="redis_failover", target=target),
        plan_hash="ab" * 32,
        decision=Decision(
            verdict=Verdict.ALLOW, approvals_required=0, policy_ids=("grant-failover-two",), reasons=("two approved",)
        ),
        approvers=("ana", "ben"),
        timeline=(TimelineEntry(at=AT, kind="action_executed", text="failed over"),),
    )
    detail = {"text": "promoted 127.0.0.1:7001", "outcome": "done", "measured": {"downtime_ms": 812}}
    begun = AuditEntry(at=AT, incident_id=record.id, kind="execution_started", detail={"verdict": "allow"})
    done = AuditEntry(at=AT, incident_id=record.id, kind="action_executed", detail=detail)
    return await shelf.create(record, (begun, done))


async def test_one_incident_shows_state_class_verdict_actions_and_timeline(local, recovered):
    told = (await local.get(f"/api/v1/incidents/{recovered.id}")).json()
    assert (told["state"], told["alert_class"], told["verdict"], told["approved_by"]) == (
        "recovered",
        "infra",
        "allow",
        ["ana", "ben"],
    )
    assert told["policy_ids"] == ["grant-failover-two"]
    assert told["proposal"]["target"] == {"kind": "RedisMaster", "namespace": None, "name": "cache", "uid": "run-id"}
    [action] = told["actions"]
    assert (action["action"], action["target"], action["outcome"]) == ("redis_failover", "RedisMaster/-/cache", "done")
    assert action["measured"] == {"downtime_ms": 812}
    assert [line["kind"] for line in told["timeline"]] == ["action_executed"]


async def test_the_listing_filters_by_state(local, recovered, shelf):
    await shelf.create(IncidentRecord(id="Q2", received_at=AT + timedelta(minutes=1), updated_at=AT), ())
    everything = (await local.get("/api/v1/incidents")).json()["incidents"]
    assert [i["id"] for i in everything] == ["Q2", recovered.id]
    assert everything[0]["alert_class"] is None
    only = (await local.get("/api/v1/incidents", params={"state": ["received", "executing"]})).json()["incidents"]
    assert [i["id"] for i in only] == ["Q2"]
    assert len((await local.get("/api/v1/incidents", params={"limit": 1})).json()["incidents"]) == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=100000", "limit=x", "state=asleep"])
async def test_a_wrong_question_is_422(query: str, local):
    assert (await local.get(f"/api/v1/incidents?{query}")).status_code == 422


async def test_an_unknown_incident_is_404(local):
    assert (await local.get("/api/v1/incidents/Q9")).status_code == 404


@pytest.mark.parametrize("name", ["%00", "a%00b", "%F0%9F%92%A9", "x" * 200, ".."])
async def test_a_name_that_cannot_be_an_id_never_reaches_the_store(name: str, local, shelf):
    shelf.failure = AssertionError("must not be asked")
    assert (await local.get(f"/api/v1/incidents/{name}")).status_code in (404, 422)


async def test_a_store_that_is_away_is_503(local, shelf):
    shelf.failure = Transient("the database cannot be reached")
    answer = await local.get("/api/v1/incidents")
    assert (answer.status_code, answer.json()) == (503, {"error": "the database cannot be reached"})


async def test_the_openapi_document_describes_the_api_and_nothing_else(local):
    document = (await local.get("/api/v1/openapi.json")).json()
    assert sorted(document["paths"]) == ["/api/v1/halt", "/api/v1/incidents", "/api/v1/incidents/{incident_id}", "/api/v1/resume"]


async def test_what_a_model_cost_is_told_of_each_incident(local, recovered, shelf):
    spent = {1: Spend(calls=3, input_tokens=900, usd=0.01, answered=3), 2: Spend(calls=1, output_tokens=5, usd=0.02, lost=1)}
    usage = ModelUsage(reasoner="openai", fallback="model-slow")
    changes = {"model_spent": spent, "diagnosis": Diagnosis(usage=usage)}
    await shelf.advance(recovered, Step(to=recovered.state, changes=changes))
    told = {"calls": 4, "lost": 1, "input_tokens": 900, "output_tokens": 5, "usd": 0.03, "fallback": "model-slow"}
    assert (await local.get(f"/api/v1/incidents/{recovered.id}")).json()["model"] == told
    (listed,) = (await local.get("/api/v1/incidents")).json()["incidents"]
    assert listed["model"] == told
