from datetime import UTC, datetime

import pytest

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.redis.state import RedisState
from sre_agent.facts.redis_target import RedisTargetFacts
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.facts import FactContext, TargetDeclaration
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.redis_states import (
    REPLICA_1,
    REPLICA_2,
    RUN_ID,
    SENTINELS,
    RecordedRedis,
    redis_state,
    replica_view,
    sentinel_view,
    sick_primary,
)
from sre_agent.triage.triage import Triage

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
GOOD = {
    "target_resolved": True,
    "unmet": (),
    "touches_behaviour": False,
    "redis_primary_at_fault": True,
    "redis_replica_in_sync": True,
    "redis_sentinels_agree": True,
    "redis_quorum": True,
    "redis_recent_failover": False,
    "redis_down_after_ms": 5000,
}


def context(target=None, *findings):
    target = target or Target(kind="RedisMaster", name="cache", uid=RUN_ID)
    return FactContext(
        incident=Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1")),
        triage=Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd-platform"),
        diagnosis=Diagnosis(findings=findings),
        proposal=Proposal(incident_id="Q1", runbook="redis-failover", action="redis_failover", target=target),
        declaration=TargetDeclaration(managed=True),
        human_acknowledged=False,
        now=NOW,
    )


async def collect(state, *findings, target=None):
    return await RedisTargetFacts(RecordedRedis(state)).collect(context(target, *findings))


async def test_a_sick_primary_with_fit_replicas_is_told_as_such():
    assert await collect(redis_state(sick_primary())) == GOOD


async def test_another_kind_of_target_is_none_of_its_business():
    assert await collect(redis_state(), target=Target(kind="Pod", name="cache", uid=RUN_ID)) == {}


SPOILED = {
    "redis_primary_at_fault": redis_state(),
    "target_resolved": redis_state(sick_primary(run_id="f" * 40)),
    "redis_replica_in_sync": redis_state(
        sick_primary(), (replica_view(REPLICA_1), replica_view(REPLICA_2, master_link_status="down"))
    ),
    "redis_sentinels_agree": redis_state(
        sick_primary(), None, tuple(sentinel_view(a, flags="master,failover_in_progress") for a in SENTINELS)
    ),
    "redis_quorum": redis_state(
        sick_primary(), None, tuple(sentinel_view(a).model_copy(update={"ckquorum": "NOQUORUM"}) for a in SENTINELS)
    ),
}


@pytest.mark.parametrize("fact", SPOILED)
async def test_each_fact_turns_false_on_its_own_reason(fact):
    assert (await collect(SPOILED[fact]))[fact] is False


async def test_a_failover_within_twice_the_timeout_is_recent():
    sentinels = tuple(sentinel_view(a, config_epoch="2", role_reported_time="60000") for a in SENTINELS)
    assert (await collect(redis_state(sick_primary(), None, sentinels)))["redis_recent_failover"] is True


@pytest.mark.parametrize("kind", [FindingKind.REDIS_MEMORY_FULL, FindingKind.REDIS_OVERLOADED])
async def test_a_finding_that_a_replica_would_inherit_clears_the_primary_of_fault(kind):
    found = Finding(kind=kind, object="redis/cache", cause="c", strength=0.9, evidence=("e1",))
    assert (await collect(redis_state(sick_primary()), found))["redis_primary_at_fault"] is False


async def test_silence_of_every_sentinel_answers_everything_restrictively():
    facts = await collect(RedisState(name="cache"))
    assert facts == {
        "target_resolved": False,
        "unmet": (),
        "touches_behaviour": False,
        "redis_primary_at_fault": False,
        "redis_replica_in_sync": False,
        "redis_sentinels_agree": False,
        "redis_quorum": False,
        "redis_recent_failover": True,
        "redis_down_after_ms": 0,
    }
