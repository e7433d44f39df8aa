"""Parts of the time scripts: a Redis incident that may be acted on, and the answers of everything around it."""

from datetime import timedelta
from pathlib import Path

import yaml

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.facts import FactContext, Facts
from sre_agent.policy.load import load_bundle
from sre_agent.runbook.load import load_runbooks
from sre_agent.runbook.proposal import Investigated, Proposal
from sre_agent.testing.redis_states import RecordedRedis, primary_view, redis_state
from sre_agent.testing.rooms import ScriptedInvestigator
from sre_agent.testing.walkthrough import START, Walkthrough
from sre_agent.triage.triage import Triage
from sre_agent.verification.probe import Probes

ROOT = Path(__file__).parents[2]
BUNDLE = load_bundle(ROOT / "policies", ROOT / "tests/path/declared")
BASES = yaml.safe_load((ROOT / "policies/tests/bases.yaml").read_text())
RUNBOOKS = {
    r.id: r.model_copy(update={"soak_s": 30, "within_s": 60}) if r.id == "redis-failover" else r
    for r in load_runbooks(ROOT / "runbooks")
}
ID = "Q0EXAMPLE00001"
FINDING = Finding(id="f1", kind=FindingKind.REDIS_PRIMARY_SLOW, object="redis/cache", cause="slow", strength=0.9, evidence=("e1",))
DIAGNOSIS = Diagnosis(
    findings=(FINDING,),
    root_causes=(RootCause(kind=FINDING.kind, object=FINDING.object, score=0.9, evidence=FINDING.evidence),),
    summary="redis/cache is slow",
)
TARGET = Target(kind="RedisMaster", name="cache", uid="old-run-id")
PROPOSAL = Proposal(incident_id=ID, runbook="redis-failover", action="redis_failover", target=TARGET, generation="old-run-id")


def incident(status: IncidentStatus = IncidentStatus.TRIGGERED, firing: bool = True, **more: object) -> Incident:
    labels = {"alertname": "RedisLatencyHigh", "alert_type": "infra", "redis_master": "cache", **more.pop("labels", {})}
    alert = Alert(
        labels=labels, status=AlertStatus.FIRING if firing else AlertStatus.RESOLVED, starts_at=START - timedelta(minutes=3)
    )
    fields = {"id": ID, "status": status, "created_at": START, "service": Reference(id="PSVC001"), "alerts": (alert,), **more}
    return Incident(**fields)


def found(scope: Scope, triage: Triage) -> Investigated:
    return Investigated(diagnosis=DIAGNOSIS, proposal=PROPOSAL, applicable=("redis-failover",))


def facts(context: FactContext, **changed: object) -> Facts:
    """The good failover of the policy tests, with what the walk itself knows put in."""
    known = {
        **BASES["good-failover"]["facts"],
        "alert_class": context.triage.alert_class,
        "labelled_class": context.triage.labelled,
        "human_acknowledged": context.human_acknowledged,
        "alert_firing": bool(context.incident.firing),
        "incident_open": context.incident.open,
        "nominated_by_model": context.proposal.nominated_by_model,
        **changed,
    }
    return Facts.model_validate(known, strict=False)


def restart_found(scope: Scope, triage: Triage) -> Investigated:
    """A crash-looping pod that may be restarted without asking: one of twelve."""
    target = Target(kind="Pod", namespace="voice", name="voice-gateway-7d4b9c6f5-x2x4z", uid="pod-uid")
    proposal = PROPOSAL.model_copy(update={"runbook": "restart-pod", "action": "restart_pod", "target": target})
    return Investigated(diagnosis=DIAGNOSIS, proposal=proposal)


def restart_facts(context: FactContext) -> Facts:
    """The good restart of the policy tests."""
    about_pods = ("pod", "pdb", "repl", "roll", "rest", "node")
    known = {k: v for k, v in BASES["good-restart"]["facts"].items() if k.startswith(about_pods)}
    return facts(context, **known)


class Level:
    """MetricsReader whose one value is `now`, in the objective's unit."""

    def __init__(self, now: float) -> None:
        self.now = now

    async def instant(self, query: str, at) -> tuple[Series, ...]:
        return (Series(labels={"__name__": "level"}, samples=((at.timestamp(), self.now),)),)


def night(**changed: object) -> Walkthrough:
    """A walkthrough of a slow Redis; the topology the probes see is well, with a new primary."""
    after = redis_state(primary_view(run_id="new-run-id"))
    fields = {
        "bundle": BUNDLE,
        "runbooks": RUNBOOKS,
        "investigator": ScriptedInvestigator(found),
        "facts": facts,
        "probes": Probes(metrics=Level(0.6), redis=RecordedRedis(after)),
        **changed,
    }
    return Walkthrough(**fields)


async def approved(walk: Walkthrough) -> None:
    """A fresh incident whose plan two people said yes to."""
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    await walk.answer(ID, "ben")
