"""Every kind of finding as the first cause, strong and twice witnessed, x labels x what a model says, through the real graph and
the shipped runbooks: what is proposed comes from one fixed table, for labelled infra alone, at the place that the alert names."""

import json

import pytest

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.chat import ChatReply
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.model_reasoner import ModelReasoner
from sre_agent.investigation.rules import RulesReasoner
from sre_agent.policy.whitelist import NEVER, WHITELIST
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.reasoning import ScriptedChat, StaticSource
from sre_agent.testing.walkthrough import START
from sre_agent.triage.classify import triage
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.weaken import weaken
from tests.path.scenes import RUNBOOKS

K = FindingKind
MAY_LEAD_TO = {
    K.POD_CRASH_LOOP: "restart_pod",
    K.POD_OOM_KILLED: "restart_pod",
    K.POD_NOT_READY: "restart_pod",
    K.DEPLOYMENT_DEGRADED: "rollout_restart",
    K.ROLLOUT_REGRESSION: "rollback_deployment",
    K.DEPLOYMENT_SATURATED: "scale_up",
    K.NODE_PRESSURE: "cordon_node",
    K.NODE_FAILING_PODS: "cordon_node",
    K.NODE_LEFT_CORDONED: "uncordon_node",
    K.REDIS_PRIMARY_SLOW: "redis_failover",
    K.REDIS_CLUSTER_PRIMARY_SLOW: "redis_cluster_failover",
    K.POSTGRES_PRIMARY_SICK: "postgres_switchover",
    K.QUEUE_DOWNSTREAM_FAILING: "pause_queue",
    K.QUEUE_LEFT_PAUSED: "resume_queue",
}
"""Written again here: a runbook that lets another kind lead to an action changes this table, and somebody reads why."""
RESOLVED_HERE = {
    "restart_pod",
    "rollout_restart",
    "rollback_deployment",
    "scale_up",
    "cordon_node",
    "uncordon_node",
    "redis_failover",
}
"""Actions whose target the evidence below shows."""
RUN_ID = "5e1f0c7a9b3d4e2f8a6b1c0d9e8f7a6b5c4d3e2f"
PLACE = {
    "alertname": "A", "namespace": "voice", "pod": "api-7f9c-x2", "node": "n1", "redis_master": "cache", "redis_cluster": "cache",
    "patroni_cluster": "db", "queue": "mail",
}  # fmt: skip
LABELS = {
    "infra": ({"alert_type": "infra"},),
    "model": ({"alert_type": "model"},),
    "tool": ({"alert_type": "tool", "tool_name": "crm"},),
    "untagged": ({},),
    "mixed": ({"alert_type": "infra"}, {}),
    "shouted": ({"alert_type": "INFRA"},),
}
OWNER = {"kind": "ReplicaSet", "name": "api-7f9c", "uid": "rs", "controller": True}
ABOVE = {"kind": "Deployment", "name": "api", "uid": "d", "controller": True}
OBJECTS = [
    {"kind": "Pod", "metadata": {"name": "api-7f9c-x2", "uid": "u1", "ownerReferences": [OWNER]}, "status": {"phase": "Running"}},
    {"kind": "ReplicaSet", "metadata": {"name": "api-7f9c", "uid": "rs", "ownerReferences": [ABOVE]}},
    {"kind": "Deployment", "metadata": {"name": "api", "uid": "d", "generation": 3}},
    {"kind": "Node", "metadata": {"name": "n1", "uid": "n"}},
]
for _item in OBJECTS[:3]:
    _item["metadata"]["namespace"] = "voice"
OBJECTS[0]["spec"] = {"nodeName": "n1"}
REDIS = {
    "name": "cache",
    "sentinels": [{"address": "s:26379", "master": {"ip": "10.0.0.1", "port": 6379, "runid": RUN_ID}}],
    "nodes": [{"address": "10.0.0.1:6379", "info": {"role": "master", "run_id": RUN_ID}}],
}
WHERE = {"pod": "pod/api-7f9c-x2", "deployment": "deployment/api", "rollout": "deployment/api", "node": "node/n1"}
STORES = {"redis": "redis/cache", "postgres": "postgres/db", "queue": "queue/mail"}


def subject(kind: FindingKind) -> tuple[str, str | None]:
    """The object, and its namespace, that a finding of the kind is about in this world."""
    family = kind.value.partition("_")[0]
    if family in STORES:
        return STORES[family], None
    where = WHERE.get(family, "pod/api-7f9c-x2")
    return where, None if where == "node/n1" else "voice"


def found(kind: FindingKind) -> Finding:
    where, namespace = subject(kind)
    return Finding(kind=kind, object=where, namespace=namespace, cause="seen", strength=0.95, evidence=("e1", "e2"))


def incident(labels: tuple[dict[str, str], ...]) -> Incident:
    alerts = tuple(Alert(labels={**PLACE, **more}, starts_at=START) for more in labels)
    return Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=START, service=Reference(id="P"), alerts=alerts)


def seen(kind: EvidenceKind, payload: object) -> Evidence:
    return Evidence(id="", source=kind.value, kind=kind, query="", status=EvidenceStatus.OK, observed_at=START, payload=payload)


def sources() -> list[StaticSource]:
    told = ((EvidenceKind.KUBERNETES, {"items": OBJECTS}), (EvidenceKind.REDIS, REDIS))
    return [StaticSource(kind.value, kind, [seen(kind, payload)]) for kind, payload in told]


def says(runbook: str | None) -> ChatReply:
    """A model that is sure that all is infrastructure, and names a runbook."""
    statement = {"text": "act", "evidence": ["e1"]}
    answer = {"statements": [statement], "alert_class": "infra", "confidence_percent": 100, "veto": None, "runbook": runbook}
    return ChatReply(text=json.dumps(answer), finish="stop", input_tokens=10, output_tokens=10)


MODELS = {"rules": None, "names another": "redis-failover", "names none": None, "invents": "delete-everything"}


async def investigated(findings: tuple[Finding, ...], labels: str, model: str) -> Investigated:
    of = incident(LABELS[labels])
    window = Window(start=START, end=START)
    scope = Scope(incident=of, now=START, onset=START, window=window, change_window=window)
    reasoner = RulesReasoner() if model == "rules" else ModelReasoner(ScriptedChat([says(MODELS[model])]), ["redis"], lambda: 0.0)
    built = build_investigator(sources(), [lambda _: findings], reasoner, tuple(RUNBOOKS.values()), source_deadline_s=5.0)
    return await built.investigate(scope, triage(of, Ownership()), "t")


def whose(diagnosis: Diagnosis, labels: str) -> AlertClass:
    return weaken(triage(incident(LABELS[labels]), Ownership()), diagnosis, Ownership()).alert_class


def test_the_shipped_runbooks_lead_from_kinds_to_actions_as_this_table_says_and_no_other_way() -> None:
    leads = {(kind, r.action) for r in RUNBOOKS.values() if r.action is not None for kind in r.findings}
    assert leads == set(MAY_LEAD_TO.items())
    targets = {row.action: row.kinds for row in WHITELIST}
    for runbook in (r for r in RUNBOOKS.values() if r.action is not None):
        assert runbook.target in targets[runbook.action]
        assert runbook.action not in NEVER
    for kind in MAY_LEAD_TO:
        assert found(kind).alert_class is AlertClass.INFRA


@pytest.mark.parametrize("kind", FindingKind)
async def test_a_kind_leads_to_its_action_or_to_none_whatever_labels_and_model_say(kind: FindingKind) -> None:
    for labels in LABELS:
        for model in MODELS if labels == "infra" else ("names another",):
            done = await investigated((found(kind),), labels, model)
            plan = done.proposal
            if labels != "infra":
                assert (plan, done.applicable, done.reason) == (None, (), "not-infra"), (labels, model)
                assert whose(done.diagnosis, labels) is not AlertClass.INFRA
            elif plan is not None:
                assert plan.action == MAY_LEAD_TO[kind], model
                assert not plan.nominated_by_model  # there is nothing else to name
                assert plan.target.name.lower() == subject(kind)[0].partition("/")[2]
            if labels == "infra":
                acts = MAY_LEAD_TO.get(kind) in RESOLVED_HERE
                assert (plan is not None) is acts, (model, done.reason)
                if found(kind).alert_class in (AlertClass.MODEL, AlertClass.TOOL):
                    assert whose(done.diagnosis, labels) is not AlertClass.INFRA


@pytest.mark.parametrize("kind", FindingKind)
async def test_beside_a_failover_no_kind_of_another_class_leaves_it_standing_unless_infrastructure_ranks_first(
    kind: FindingKind,
) -> None:
    """The strongest pair there is: a slow primary and one more finding as strong, with a model that wants the failover."""
    slow = found(K.REDIS_PRIMARY_SLOW)
    done = await investigated((slow, found(kind)), "infra", "names another")
    plan, top = done.proposal, done.diagnosis.top
    assert top is not None
    if plan is not None:
        assert plan.action in {MAY_LEAD_TO.get(kind), "redis_failover"}
        assert MAY_LEAD_TO.get(top.kind) is not None  # never over a greater cause that nobody may act on
        assert plan.nominated_by_model is (plan.cause != top.kind.value)
    if found(kind).alert_class in (AlertClass.MODEL, AlertClass.TOOL) and top.kind is kind:
        assert plan is None
        assert whose(done.diagnosis, "infra") is not AlertClass.INFRA
