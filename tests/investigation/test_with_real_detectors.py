"""The shipped detectors and runbooks through the whole graph: what a person would be asked to approve."""

from pathlib import Path

from sre_agent.detectors.ai import provider, tools
from sre_agent.detectors.kubernetes import nodes, pods
from sre_agent.detectors.signals import changes, metrics
from sre_agent.detectors.stores import redis
from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.rules import RulesReasoner
from sre_agent.runbook.load import load_runbooks
from sre_agent.testing.reasoning import StaticSource

DETECTORS = [m.detect for m in (changes, metrics, nodes, pods, provider, redis, tools)]
RUNBOOKS = load_runbooks(Path(__file__).parents[2] / "runbooks")
POD_LABELS = {"alert_type": "infra", "namespace": "voice", "pod": "api-7f9c-x2"}


async def investigated(made, evidence, labels=None):
    sources = [StaticSource(e.source, e.kind, [e]) for e in evidence]
    built = build_investigator(sources, DETECTORS, RulesReasoner(), RUNBOOKS, source_deadline_s=5.0)
    return await built.investigate(made.scope(labels), made.triage(), "t")


def sick_redis(made, **info):
    master = {"ip": "10.0.0.1", "port": 6379, "runid": made.RUN_ID, "flags": "master", "num-slaves": 2, "quorum": 2}
    replica = {"role": "slave", "master_link_status": "up", "slave_repl_offset": 1000, "used_memory": 1_000_000}
    primary = {
        "role": "master",
        "run_id": made.RUN_ID,
        "connected_slaves": 2,
        "master_repl_offset": 1000,
        "used_memory": 1_000_000,
        **info,
    }
    return made.evidence(
        EvidenceKind.REDIS,
        {
            "name": "cache",
            "sentinels": [
                {"address": f"10.0.1.{i}:26379", "master": master, "ckquorum": "OK 3 usable Sentinels"} for i in range(3)
            ],
            "nodes": [
                {
                    "address": "10.0.0.1:6379",
                    "info": primary,
                    "latency_ms": {"p50": 400.0, "p99": 900.0},
                    "attempts": 20,
                    "timeouts": 6,
                },
                {"address": "10.0.0.2:6379", "info": replica, "latency_ms": {"p50": 0.4, "p99": 1.1}, "attempts": 20},
                {"address": "10.0.0.3:6379", "info": replica, "latency_ms": {"p50": 0.4, "p99": 1.0}, "attempts": 20},
            ],
        },
        "redis",
    )


def probe(made):
    start = made.ONSET.timestamp() - 3000
    samples = [[start + 15 * i, 0.9 if start + 15 * i >= made.ONSET.timestamp() else 0.002] for i in range(212)]
    labels = {"__name__": "redis_probe_latency_seconds", "redis_master": "cache", "quantile": "0.99"}
    return made.evidence(EvidenceKind.METRICS, [{"labels": labels, "samples": samples}], "prometheus")


def crashing(made, **container):
    pod = made.pod(creationTimestamp="2026-03-04T01:00:00Z")
    pod["status"] = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-04T03:05:00Z"}],
        "containerStatuses": [{"name": "api", "ready": False, "restartCount": 9, **container}],
    }
    node = {"kind": "Node", "metadata": {"name": "n1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    return made.evidence(EvidenceKind.KUBERNETES, {"items": [pod, node]}, "kubernetes")


LOOPING = {
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "finishedAt": "2026-03-04T03:10:00Z"}},
}


async def test_a_primary_that_answers_in_fits_is_failed_over(made):
    done = await investigated(made, [sick_redis(made), probe(made)])
    assert done.reason == ""
    assert done.proposal is not None
    assert (done.proposal.runbook, done.proposal.target.uid) == ("redis-failover", made.RUN_ID)
    assert done.diagnosis.root_causes[0].evidence == ("e1", "e2")


async def test_a_primary_with_full_memory_is_not_failed_over(made):
    full = sick_redis(made, used_memory=999_000, maxmemory=1_000_000, maxmemory_policy="noeviction")
    done = await investigated(made, [full, probe(made)])
    assert done.diagnosis.root_causes[0].kind is K.REDIS_MEMORY_FULL
    assert (done.proposal, done.reason) == (None, "no-runbook")


async def test_a_crash_loop_restarts_that_pod_and_no_other(made):
    done = await investigated(made, [crashing(made, **LOOPING)], POD_LABELS)
    assert done.proposal is not None
    assert (done.proposal.action, done.proposal.target.uid, done.proposal.generation) == ("restart_pod", "u-1", "rs-1")


async def test_a_pod_that_cannot_get_its_image_is_not_restarted(made):
    done = await investigated(made, [crashing(made, state={"waiting": {"reason": "ImagePullBackOff"}})], POD_LABELS)
    assert done.diagnosis.root_causes[0].kind is K.POD_IMAGE_PULL_FAILED
    assert (done.proposal, done.reason) == (None, "no-runbook")


async def test_a_crash_loop_on_a_dead_node_is_the_nodes(made):
    evidence = crashing(made, **LOOPING)
    evidence.payload["items"][1]["status"]["conditions"] = [
        {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": "2026-03-04T03:04:00Z"}
    ]
    done = await investigated(made, [evidence], POD_LABELS)
    assert done.diagnosis.root_causes[0].kind is K.NODE_NOT_READY
    assert done.proposal is None


async def test_a_prompt_change_mislabelled_infra_is_the_cause_and_nothing_is_proposed(made):
    change = {
        "at": "2026-03-04T03:00:00Z",
        "kind": "prompt",
        "target": "prompt/intent-router",
        "from_version": "42",
        "to_version": "43",
    }
    feed = made.evidence(EvidenceKind.CHANGES, [change], "changes")
    done = await investigated(made, [feed], {"alertname": "IntentAccuracyDrop", "alert_type": "infra"})
    assert done.diagnosis.root_causes[0].kind is K.PROMPT_CHANGED
    assert done.proposal is None
