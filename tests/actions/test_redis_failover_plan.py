import pytest

from sre_agent.actions.redis_failover.plan import Procedure, plan_failover, undrained
from sre_agent.evidence.redis.state import NodeView
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target
from sre_agent.testing.redis_states import (
    PRIMARY,
    REPLICA_1,
    REPLICA_2,
    RUN_ID,
    SENTINELS,
    primary_view,
    redis_state,
    replica_view,
    sentinel_view,
    sick_primary,
)

TARGET = Target(kind="RedisMaster", name="cache", uid=RUN_ID)


def sick(replicas=None, **sentinel):
    return redis_state(sick_primary(), replicas, tuple(sentinel_view(a, **sentinel) for a in SENTINELS))


def one_replica(**info):
    return sick((replica_view(REPLICA_1, **info), replica_view(REPLICA_2)))


def edited_sentinels(**update):
    return redis_state(sick_primary(), None, tuple(sentinel_view(a).model_copy(update=update) for a in SENTINELS))


def with_sentinels(*views):
    return redis_state(sick_primary(), None, views)


def test_a_sick_primary_with_all_preconditions_gets_a_coordinated_plan():
    plan = plan_failover(TARGET, sick(), Procedure.AUTO)
    assert plan.coordinated
    assert (plan.primary, plan.run_id, plan.epoch, plan.down_after_ms) == (PRIMARY, RUN_ID, 0, 5000)
    assert plan.candidates == (REPLICA_1, REPLICA_2)


def test_the_fence_can_be_forced_and_is_used_where_the_sentinels_are_too_old():
    assert not plan_failover(TARGET, sick(), Procedure.FENCED).coordinated
    assert not plan_failover(TARGET, edited_sentinels(version="redis 7.0.15"), Procedure.AUTO).coordinated
    assert not plan_failover(TARGET, edited_sentinels(version="valkey 8.1.0"), Procedure.AUTO).coordinated


def test_the_replica_is_chosen_as_sentinel_does_by_priority_then_offset_then_run_id():
    assert plan_failover(TARGET, sick(), Procedure.AUTO).replica == REPLICA_1
    ahead = sick((replica_view(REPLICA_1), replica_view(REPLICA_2, slave_repl_offset=5_000_100)))
    assert plan_failover(TARGET, ahead, Procedure.AUTO).replica == REPLICA_2
    preferred = sick((replica_view(REPLICA_1, slave_priority=10), replica_view(REPLICA_2, slave_repl_offset=5_000_100)))
    assert plan_failover(TARGET, preferred, Procedure.AUTO).replica == REPLICA_1


REFUSALS = {
    "redis-sentinel-silent": with_sentinels(
        sentinel_view(SENTINELS[0]),
        sentinel_view(SENTINELS[1]),
        sentinel_view(SENTINELS[2]).model_copy(update={"error": "timed out"}),
    ),
    "redis-sentinel-unlisted": with_sentinels(sentinel_view(SENTINELS[0]), sentinel_view(SENTINELS[1])),
    "redis-sentinels-disagree": with_sentinels(
        sentinel_view(SENTINELS[0]), sentinel_view(SENTINELS[1], config_epoch="1"), sentinel_view(SENTINELS[2])
    ),
    "redis-no-quorum": edited_sentinels(ckquorum="NOQUORUM 1 usable Sentinels"),
    "redis-down-after-too-short": sick(down_after_milliseconds="2999"),
    "redis-failover-in-progress": sick(flags="master,failover_in_progress"),
    "redis-recent-failover": sick(config_epoch="3", role_reported_time="119999"),
    "redis-run-id-changed": redis_state(sick_primary(run_id="f" * 40)),
    "redis-primary-silent": redis_state(NodeView(address=PRIMARY, error="timed out")),
    "redis-primary-not-at-fault": redis_state(),
    "redis-memory-full": redis_state(sick_primary(used_memory=990_000_000)),
    "redis-overloaded": redis_state(primary_view(p50=210.0, p99=300.0, timeouts=4, busy=0.95)),
    "redis-replica-sick": sick((replica_view(REPLICA_1).model_copy(update={"error": "refused"}), replica_view(REPLICA_2))),
    "redis-replica-link-down": one_replica(master_link_status="down"),
    "redis-replica-stale": one_replica(master_last_io_seconds_ago=3),
    "redis-replica-syncing": one_replica(master_sync_in_progress=1),
    "redis-replica-lag": one_replica(slave_repl_offset=5_000_000 - 1024 * 1024 - 1),
    "redis-replica-older": one_replica(valkey_version="9.0.9"),
    "redis-replica-smaller": one_replica(maxmemory=500_000_000),
    "redis-replica-not-promotable": one_replica(slave_priority=0),
    "redis-no-replica": edited_sentinels(replicas=({"ip": "10.0.0.2", "port": "6379", "slave-priority": "0"},)),
}


@pytest.mark.parametrize("rule", REFUSALS)
def test_each_precondition_refuses_by_its_own_rule(rule):
    with pytest.raises(Refused) as no:
        plan_failover(TARGET, REFUSALS[rule], Procedure.AUTO)
    assert no.value.rule == rule


def test_a_failover_long_ago_does_not_refuse():
    assert plan_failover(TARGET, sick(config_epoch="3", role_reported_time="120001"), Procedure.AUTO).epoch == 3


def test_a_target_of_another_kind_or_without_identity_is_refused():
    for target in (Target(kind="Pod", name="cache", uid=RUN_ID), Target(kind="RedisMaster", name="cache")):
        with pytest.raises(Refused):
            plan_failover(target, sick(), Procedure.AUTO)


def test_a_replica_sentinel_cannot_choose_needs_not_be_fit():
    rows = ({"ip": "10.0.0.2", "port": "6379", "flags": "slave,s_down"}, {"ip": "10.0.0.3", "port": "6379", "flags": "slave"})
    sentinels = tuple(sentinel_view(a).model_copy(update={"replicas": rows}) for a in SENTINELS)
    dead = replica_view(REPLICA_1).model_copy(update={"error": "refused"})
    plan = plan_failover(TARGET, redis_state(sick_primary(), (dead, replica_view(REPLICA_2)), sentinels), Procedure.AUTO)
    assert plan.candidates == (REPLICA_2,)


def test_drained_means_every_candidate_at_the_primarys_very_offset():
    plan = plan_failover(TARGET, sick(), Procedure.FENCED)
    assert undrained(plan, sick()) == ""
    assert REPLICA_1 in undrained(plan, one_replica(slave_repl_offset=4_999_999))
    assert undrained(plan, redis_state(NodeView(address=PRIMARY, error="timed out"))) != ""
