"""From an alert's label to a paused queue and back: real Redis, sources, detectors, runbooks, facts, policies and executor."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from sre_agent.adapters.bullmq import QueueWriter
from sre_agent.detectors.stores import queues
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.redis.queue_state import UNTIL
from sre_agent.execution.action import Readers
from sre_agent.execution.executor import Executor, Tools
from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import IntentState
from sre_agent.facts.queue import QueueFacts
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.errors import Refused
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.rules import RulesReasoner
from sre_agent.policy.decision import Verdict
from sre_agent.policy.facts import Claims, FactContext, Facts, GuardRequest, TargetDeclaration
from sre_agent.policy.guard import Guard
from sre_agent.policy.load import load_bundle
from sre_agent.response.assess import scope_of
from sre_agent.runbook.load import load_runbooks
from sre_agent.sources.bullmq import QueueSource
from sre_agent.testing.memory_store import MemoryLedger
from sre_agent.testing.reasoning import StaticSource
from sre_agent.testing.rooms import ManualClock
from sre_agent.triage.triage import Triage
from sre_agent.wiring import discovery
from tests.actions.queue_stage import Scene

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BUNDLE = load_bundle(ROOT / "policies")
BASES = yaml.safe_load((ROOT / "policies/tests/bases.yaml").read_text())
RUNBOOKS = load_runbooks(ROOT / "runbooks")
KEY = b"queue walk"
TRIAGE = Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd")


def metrics(name, now):
    """What an exporter says of the same queue: many failed, few completed, some wait."""

    def told(metric, start, per_s):
        points = [[now.timestamp() + 15 * n, start + per_s * 15 * (n + 80)] for n in range(-80, 1)]
        return {"labels": {"__name__": metric, "queue": name}, "samples": points}

    payload = [told("jobs_failed_total", 0, 1.0), told("jobs_completed_total", 0, 0.1), told("jobs_waiting", 7, 0.0)]
    return StaticSource("prometheus", EvidenceKind.METRICS, [_evidence("prometheus", EvidenceKind.METRICS, payload, now)])


def _evidence(source, kind, payload, now):
    return Evidence(id="", source=source, kind=kind, query="", status=EvidenceStatus.OK, observed_at=now, payload=payload)


class Walk:
    """One alert that names the queue, investigated and judged as the agent does."""

    def __init__(self, server, queue):
        self.scene = Scene(server, queue)
        self.now = datetime.now(UTC)
        self.source = QueueSource(server.read_access(queue.name))
        self.guard = Guard(BUNDLE, "sre-agent", KEY)
        actions = discovery.actions()
        hands = Hands(queues=QueueWriter(server.write_access(queue.name)))
        self.clock = ManualClock(self.now)
        tools = Tools(hands, Readers(queues=self.source), self.clock.sleep)
        self.executor = Executor(actions, MemoryLedger(), tools, KEY, self.clock)

    def later(self, seconds):
        self.clock.advance(seconds)
        self.now = self.clock.now()

    async def investigated(self):
        name, now = self.scene.queue.name, datetime.now(UTC)
        alert = Alert(labels={"alert_type": "infra", "queue": name}, starts_at=now - timedelta(minutes=3))
        self.incident = Incident(
            id="Q1", status=IncidentStatus.TRIGGERED, created_at=now, service=Reference(id="P1"), alerts=(alert,)
        )
        sources = [self.source, metrics(name, now)]
        built = build_investigator(sources, [queues.detect], RulesReasoner(), RUNBOOKS, source_deadline_s=5.0)
        return await built.investigate(scope_of(self.incident, now), TRIAGE, "t")

    async def judged(self, found, approvals):
        context = FactContext(
            incident=self.incident,
            triage=TRIAGE,
            diagnosis=found.diagnosis,
            proposal=found.proposal,
            declaration=TargetDeclaration(managed=True, team="platform"),
            human_acknowledged=False,
            now=self.now,
        )
        told = await QueueFacts(self.source).collect(context)
        request = GuardRequest(
            agent="sre-agent",
            proposal=found.proposal,
            declaration=context.declaration,
            facts=Facts.model_validate({**BASES["good-pause"]["facts"], **told}, strict=False),
            claims=Claims(alert_class=AlertClass.INFRA, confidence_bp=10_000, veto=False),
            approvals=approvals,
        )
        return self.guard.permit(request, approvals=approvals, permit_id=f"p{approvals}-{found.proposal.action}", now=self.now)


async def allowed():
    """The last line has nothing against it."""


async def test_a_failing_queue_is_paused_by_one_persons_yes_and_left_paused_is_resumed_by_anothers(server, queue):
    walk = Walk(server, queue)
    await walk.scene.failing()
    found = await walk.investigated()
    assert (found.proposal.action, found.proposal.runbook) == ("pause_queue", "pause-queue"), found.reason
    assert (await walk.judged(found, 0))[0].verdict is Verdict.NEEDS_APPROVAL
    decision, permit = await walk.judged(found, 1)
    assert decision.verdict is Verdict.ALLOW, decision.reasons
    outcome = await walk.executor.run(permit, "voice", allowed)
    assert outcome.state is IntentState.DONE, outcome.result
    # Its time is not over: nothing is proposed, whatever the alert says.
    assert (await walk.investigated()).proposal is None
    await queue.say("HSET", queue.at("meta"), UNTIL, "1")
    found = await walk.investigated()
    assert (found.proposal.action, found.proposal.runbook) == ("resume_queue", "resume-queue"), found.reason
    assert (await walk.judged(found, 0))[0].verdict is Verdict.NEEDS_APPROVAL
    decision, permit = await walk.judged(found, 1)
    assert decision.verdict is Verdict.ALLOW, decision.reasons
    with pytest.raises(Refused, match="budget-target"):
        await walk.executor.run(permit, "voice", allowed)
    walk.later(1801)
    _, permit = await walk.judged(found, 1)
    outcome = await walk.executor.run(permit, "voice", allowed)
    assert outcome.state is IntentState.DONE, outcome.result
    assert not (await walk.scene.state()).paused


async def test_a_yes_to_a_plan_is_worth_nothing_once_somebody_else_paused_the_queue(server, queue):
    walk = Walk(server, queue)
    await walk.scene.failing()
    found = await walk.investigated()
    _, permit = await walk.judged(found, 1)
    await queue.pause()
    decision, none = await walk.judged(found, 1)
    assert (decision.verdict, none) == (Verdict.HAND_BACK, None)
    assert "refuse-target-unresolved" in decision.policy_ids
    with pytest.raises(Refused, match="queue-changed"):
        await walk.executor.run(permit, "voice", allowed)
    assert not any(k.startswith("sre-agent:") for k in (await walk.scene.state()).meta)


async def test_jobs_that_fail_at_a_model_are_proposed_nothing(server, queue):
    walk = Walk(server, queue)
    await walk.scene.failing(reason="OpenAI 503 Service Unavailable")
    found = await walk.investigated()
    assert (found.proposal, found.diagnosis.top.kind.value) == (None, "queue_model_errors")
