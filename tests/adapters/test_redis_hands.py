"""Each verb on real nodes, with the write user and with users that must not."""

import pytest

from sre_agent.adapters.redis import RedisWriter
from sre_agent.evidence.redis.access import RedisAccess
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.sources.redis import RedisSource
from sre_agent.testing.redis_client import ask
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.testing.redis_topology import RedisTopology, TopologyPlan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def topology():
    with RedisTopology() as running:
        yield running


@pytest.fixture
def hands(topology):
    return RedisWriter(topology.write_access)


def paused(node):
    return ask(node, "INFO", "clients")["paused_actions"]


async def test_writes_are_held_back_and_let_go_again_while_reads_go_on(topology, hands):
    await hands.pause_writes(topology.primary, 20_000)
    assert paused(topology.primary) == "write"
    assert ask(topology.primary, "GET", "anything") is None
    with pytest.raises(OutcomeUnknown):
        await RedisWriter(topology.write_access, call_s=0.3).write_probe(topology.primary, "sre-agent:probe", "1", 5)
    await hands.unpause(topology.primary)
    assert paused(topology.primary) == "none"
    assert await hands.write_probe(topology.primary, "sre-agent:probe", "1", 5) is True


async def test_a_replica_does_not_accept_the_write_probe(topology, hands):
    assert await hands.write_probe(topology.replicas[0], "sre-agent:probe", "1", 5) is False


async def test_the_write_user_can_write_its_own_keys_only(topology, hands):
    with pytest.raises(Permanent, match="lacks this right"):
        await hands.write_probe(topology.primary, "customers:1", "1", 5)


async def test_the_read_credentials_have_no_hands(topology):
    for verb in (lambda h: h.unpause(topology.primary), lambda h: h.replicate_from(topology.replicas[0], topology.primary)):
        with pytest.raises(Permanent, match="lacks this right"):
            await verb(RedisWriter(topology.read_access))


async def test_wrong_credentials_are_permanent_and_their_password_is_not_told(topology):
    access = RedisAccess(sentinels=topology.sentinels, username="sre-write", password="guessed-wrong")
    with pytest.raises(Permanent) as no:
        await RedisWriter(access).unpause(topology.primary)
    assert "guessed-wrong" not in str(no.value)


async def test_a_sentinel_that_says_no_is_a_refusal_and_nothing_happens(topology, hands):
    with pytest.raises(Refused) as no:
        await hands.failover(topology.sentinels[0], "nobody", coordinated=False)
    assert no.value.rule == "redis-refused"
    assert set(topology.addresses_told()) == {topology.primary}


async def test_nobody_listening_means_not_sent():
    with pytest.raises(Transient) as failure:
        await RedisWriter(RedisAccess(sentinels=())).unpause("127.0.0.1:1")
    assert not isinstance(failure.value, OutcomeUnknown)


async def test_replicating_from_the_primary_again_changes_nothing(topology, hands):
    replica = topology.replicas[0]
    before = ask(replica, "INFO", "replication")["master_replid"]
    await hands.replicate_from(replica, topology.primary)
    assert ask(replica, "INFO", "replication")["master_replid"] == before
    state = await RedisSource(topology.read_access).glance("cache")
    assert next(n for n in state.nodes if n.address == replica).info["master_link_status"] == "up"


async def test_a_primary_stopped_in_turns_still_takes_a_verb_within_its_bound(topology, hands):
    with SickPrimary(topology.pid(topology.primary)):
        for _ in range(3):
            await hands.unpause(topology.primary)


async def test_a_second_failover_and_one_without_a_replica_are_refused_by_name():
    with RedisTopology(TopologyPlan(replicas=1, sentinels=1, quorum=1)) as small:
        hands = RedisWriter(small.write_access)
        await hands.failover(small.sentinels[0], "cache", coordinated=False)
        with pytest.raises(Refused) as twice:
            await hands.failover(small.sentinels[0], "cache", coordinated=False)
    assert twice.value.rule == "redis-failover-in-progress"
    with RedisTopology(TopologyPlan(replicas=0, sentinels=1, quorum=1)) as lonely, pytest.raises(Refused) as none:
        await RedisWriter(lonely.write_access).failover(lonely.sentinels[0], "cache", coordinated=False)
    assert none.value.rule == "redis-no-good-replica"
