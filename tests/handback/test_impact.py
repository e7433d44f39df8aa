"""What a plan changes in numbers: only what is known, and never "nothing changes"."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.redis.cluster_state import SOURCE, ClusterNode, RedisClusterState, Vantage
from sre_agent.evidence.redis.state import RedisState
from sre_agent.handback.impact import effects
from sre_agent.handback.note import NoteContent
from sre_agent.incident.target import Target
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.facts import BOUND
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.redis_states import REPLICA_1, REPLICA_2, primary_view, redis_state, replica_view

AT = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


def plan(action: str, facts: dict[str, Any] | None = None, target: Target | None = None, *seen: Evidence) -> NoteContent:
    proposal = Proposal(incident_id="Q1", runbook="r", action=action, target=target or Target(kind="Pod", name="api-1", uid="u"))
    decision = Decision(verdict=Verdict.NEEDS_APPROVAL, request={} if facts is None else {"facts": facts})
    return NoteContent(
        incident_id="Q1", status="asking", proposal=proposal, decision=decision, diagnosis=Diagnosis(evidence=tuple(seen))
    )


def replicas(ready: int, wanted: int, touched: int) -> dict[str, Any]:
    return {"replicas_ready": ready, "replicas_desired": wanted, "pods_touched": touched}


def redis(payload: Any, source: str = "redis") -> Evidence:
    return Evidence(
        id="e1", source=source, kind=EvidenceKind.REDIS, query="q", status=EvidenceStatus.OK, observed_at=AT, payload=payload
    )


@pytest.mark.parametrize(
    ("action", "facts", "told"),
    [
        ("restart_pod", replicas(11, 12, 1), "11 of 12 replicas ready besides this pod, now and while it is replaced"),
        ("restart_pod", replicas(11, 12, 1), "after: 12 of 12 ready once the new pod is"),
        ("scale_up", replicas(4, 4, 2), "before: 4 replicas, 4 ready"),
        ("scale_up", replicas(4, 4, 2), "after: 6 replicas"),
        ("rollout_restart", replicas(3, 4, 4), "all 4 pods are replaced, a few at a time; 3 of 4 stay ready meanwhile"),
        ("rollback_deployment", replicas(1, 4, 4), "before: 1 of 4 replicas ready"),
    ],
)
def test_replicas_before_and_after(action: str, facts: dict[str, Any], told: str) -> None:
    assert told in effects(plan(action, facts))


@pytest.mark.parametrize("facts", [None, {}, replicas(0, BOUND, BOUND), replicas(0, 0, 1), {"replicas_ready": "many"}])
def test_replicas_nobody_knows_are_not_made_up(facts: dict[str, Any] | None) -> None:
    assert effects(plan("restart_pod", facts)) == ()


def test_offsets_of_a_sick_primary_and_how_far_its_replicas_are_behind() -> None:
    late = replica_view(REPLICA_2, slave_repl_offset=4_999_100)
    state = redis_state(primary_view(), (replica_view(REPLICA_1), late))
    other = redis(state.model_copy(update={"name": "other"}).model_dump(mode="json"))
    seen = redis(state.model_dump(mode="json"))
    before, after = effects(plan("redis_failover", None, Target(kind="RedisMaster", name="cache", uid="u"), other, seen))
    assert before == "before: primary 10.0.0.1:6379 at offset 5000000; 10.0.0.2:6379 0 bytes behind, 10.0.0.3:6379 900 bytes behind"
    assert after == "after: a replica leads from the offset at which writes stop; 10.0.0.1:6379 is its replica"


def test_offsets_of_one_shard_of_a_cluster() -> None:
    nodes = (
        ClusterNode(id="n1", address="10.0.0.1:6379", flags=("master",)),
        ClusterNode(id="n2", address=REPLICA_1, primary="n1"),
    )
    views = ((primary_view(), "n1"), (replica_view(REPLICA_1), "n2"))
    vantages = tuple(Vantage(address=v.address, id=i, nodes=nodes, node=v) for v, i in views)
    seen = redis(RedisClusterState(name="sessions", vantages=vantages).model_dump(mode="json"), SOURCE)
    told = effects(plan("redis_cluster_failover", None, Target(kind="RedisCluster", name="sessions", uid="n1"), seen))
    assert told[0] == "before: primary 10.0.0.1:6379 at offset 5000000; 10.0.0.2:6379 0 bytes behind"


@pytest.mark.parametrize("payload", [{}, "text", RedisState(name="cache").model_dump(), {"name": "cache", "nodes": 7}, None])
def test_evidence_without_offsets_or_of_another_shape_tells_nothing(payload: Any) -> None:
    assert effects(plan("redis_failover", None, Target(kind="RedisMaster", name="cache"), redis(payload))) == ()


def test_other_actions_and_no_plan_at_all_tell_nothing() -> None:
    assert effects(plan("cordon_node", replicas(1, 1, 1))) == ()
    assert effects(NoteContent(incident_id="Q1", status="asking")) == ()
