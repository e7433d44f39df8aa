"""One incident on a sick Redis primary and one on a crashing pod, as evidence and detectors."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert, AlertClass, AlertStatus
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.runbook.runbook import Runbook
from sre_agent.testing.reasoning import StaticSource
from sre_agent.triage.triage import Triage

NOW = datetime(2026, 3, 4, 3, 11, 9, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=3)
RUN_ID = "5e1f0c7a9b3d4e2f8a6b1c0d9e8f7a6b5c4d3e2f"


def scope(labels=None, status=AlertStatus.FIRING, annotations=None):
    given = {"alertname": "A", "alert_type": "infra", "redis_master": "cache"} if labels is None else labels
    incident = Incident(
        id="Q1",
        title="slow",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1"),
        alerts=(Alert(labels=given, annotations=annotations or {}, status=status, starts_at=ONSET),),
    )
    return Scope(
        incident=incident,
        now=NOW,
        onset=ONSET,
        window=Window.before(NOW, timedelta(hours=1)),
        change_window=Window.before(NOW, timedelta(hours=24)),
    )


def triage(labelled=AlertClass.INFRA):
    return Triage(labelled=labelled, alert_class=labelled, owner="platform", receiver="pd-platform")


def evidence(kind, payload, source="s", id="", status=EvidenceStatus.OK):
    return Evidence(id=id, source=source, kind=kind, query="q", status=status, observed_at=NOW, payload=payload)


def redis_state(run_id=RUN_ID, told=None, addresses=("10.0.0.1:6379",), name="cache"):
    sentinels = [
        {"address": f"s{i}:26379", "master": {"ip": a.split(":")[0], "port": 6379, "runid": told or run_id}}
        for i, a in enumerate(addresses)
    ]
    return {
        "name": name,
        "sentinels": sentinels,
        "nodes": [{"address": "10.0.0.1:6379", "info": {"role": "master", "run_id": run_id}}],
    }


def pod(name="api-7f9c-x2", uid="u-1", namespace="voice", owner="api-7f9c", node="n1", **meta):
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "labels": {"pod-template-hash": "7f9c"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": owner, "uid": "rs-1", "controller": True}] if owner else [],
            **meta,
        },
        "spec": {"nodeName": node},
        "status": {"phase": "Running"},
    }


def finding(kind=FindingKind.REDIS_PRIMARY_SLOW, object="redis/cache", evidence=("e1",), strength=0.9, **more):
    return Finding(kind=kind, object=object, cause=f"{object} is in trouble", strength=strength, evidence=evidence, **more)


def runbook(id, findings, action=None, target=None):
    return Runbook(id=id, title=id, summary="s", findings=findings, action=action, target=target, worst_case="w", undo="u")


RUNBOOKS = (
    runbook("redis-failover", (FindingKind.REDIS_PRIMARY_SLOW,), "redis_failover", "RedisMaster"),
    runbook("redis-failover-other", (FindingKind.REDIS_PRIMARY_SLOW,), "redis_failover", "RedisMaster"),
    runbook("redis-memory-full", (FindingKind.REDIS_MEMORY_FULL,)),
    runbook("restart-pod", (FindingKind.POD_CRASH_LOOP, FindingKind.POD_NOT_READY), "restart_pod", "Pod"),
)


def slow_redis_sources():
    redis = StaticSource("redis", EvidenceKind.REDIS, [evidence(EvidenceKind.REDIS, redis_state(), "redis")])
    series = [{"labels": {"__name__": "redis_probe_latency_seconds"}, "samples": [[1.0, 0.9], [2.0, 1.1]]}]
    metrics = StaticSource("prometheus", EvidenceKind.METRICS, [evidence(EvidenceKind.METRICS, series, "prometheus")])
    logs = StaticSource(
        "loki",
        EvidenceKind.LOGS,
        [
            evidence(
                EvidenceKind.LOGS,
                {"namespace": "voice", "pod": "p", "container": "c", "previous": False, "lines": ["timeout 12"]},
                "loki",
            )
        ],
    )
    return [redis, metrics, logs]


def detect_slow(view: EvidenceView):
    ids = tuple(
        e.id for e in view.evidence if e.status is EvidenceStatus.OK and e.kind in (EvidenceKind.REDIS, EvidenceKind.METRICS)
    )
    return (finding(evidence=ids[:2], onset=ONSET),) if ids else ()


@pytest.fixture
def made():
    """Builders and constants, as attributes."""
    return SimpleNamespace(
        NOW=NOW, ONSET=ONSET, RUN_ID=RUN_ID, RUNBOOKS=RUNBOOKS, scope=scope, triage=triage, evidence=evidence,
        redis_state=redis_state, pod=pod, finding=finding, runbook=runbook, slow_redis_sources=slow_redis_sources,
        detect_slow=detect_slow, view=lambda items=(), **kw: EvidenceView(scope=scope(**kw), evidence=tuple(items)),
    )  # fmt: skip
