import pytest

from sre_agent.evidence.redis.quorum import after_failover_problem, switched, switched_for_most
from sre_agent.evidence.redis.state import SentinelView
from sre_agent.testing.redis_states import (
    REPLICA_1,
    REPLICA_2,
    RUN_ID,
    SENTINELS,
    primary_view,
    redis_state,
    replica_view,
    sentinel_view,
)


def moved(old=None, other=None, sentinels=None):
    """REPLICA_1 has taken over from PRIMARY."""
    follows = {"master_host": "10.0.0.2", "master_port": 6379}
    new = replica_view(REPLICA_1, role="master")
    state = redis_state(
        old or primary_view(role="slave", master_link_status="up", **follows),
        (new, other or replica_view(REPLICA_2, **follows)),
        sentinels or tuple(sentinel_view(a, ip="10.0.0.2", config_epoch="1") for a in SENTINELS),
    )
    assert len(state.nodes) == 3
    return state


def test_a_finished_failover_has_no_problem():
    assert after_failover_problem(moved(), RUN_ID) == ""
    assert switched(moved(), RUN_ID).address == REPLICA_1


BROKEN = {
    "the old process still leads": redis_state(),
    "the old primary still calls itself master": moved(old=primary_view()),
    "a replica has no link": moved(other=replica_view(REPLICA_2, master_host="10.0.0.2", master_link_status="down")),
    "a replica follows the old primary": moved(other=replica_view(REPLICA_2)),
    "the named node is no master": redis_state(None, None, tuple(sentinel_view(a, ip="10.0.0.2") for a in SENTINELS)),
    "one sentinel still names the old primary": moved(
        sentinels=(sentinel_view(SENTINELS[0]), *(sentinel_view(a, ip="10.0.0.2") for a in SENTINELS[1:]))
    ),
    "a failover is still running": moved(
        sentinels=tuple(sentinel_view(a, ip="10.0.0.2", flags="master,failover_in_progress") for a in SENTINELS)
    ),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_half_finished_failover_is_a_problem(why):
    assert after_failover_problem(BROKEN[why], RUN_ID) != ""


def test_most_sentinels_are_enough_to_close_the_fence_but_never_a_minority():
    dead = SentinelView(address=SENTINELS[2], error="refused")
    new, old = sentinel_view(SENTINELS[0], ip="10.0.0.2"), sentinel_view(SENTINELS[1])
    assert switched(moved(sentinels=(new, new, dead)), RUN_ID) is None
    assert switched_for_most(moved(sentinels=(new, new, dead)), RUN_ID).address == REPLICA_1
    assert switched_for_most(moved(sentinels=(new, old, dead)), RUN_ID) is None
    assert switched_for_most(redis_state(), RUN_ID) is None
