"""Against a real topology: a lying double would prove nothing about Sentinel."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.redis.access import RedisAccess
from sre_agent.evidence.redis.health import Trouble, is_slow, judge
from sre_agent.evidence.redis.quorum import has_quorum, replica_refusal, sentinels_agree
from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.source import RedisGlancer, Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.redis import RedisSource, Sampling
from sre_agent.testing.redis_client import client
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.testing.redis_topology import RedisTopology

pytestmark = pytest.mark.slow
NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def topology():
    with RedisTopology() as running:
        yield running


def scope(*masters):
    window = Window.before(NOW, timedelta(minutes=15))
    alerts = tuple(Alert(labels={"redis_master": m}) for m in masters)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"), alerts=alerts)
    return Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)


async def test_a_healthy_topology_is_read_whole_with_read_rights_only(topology):
    state = await RedisSource(topology.read_access).read("cache")
    assert (len(state.sentinels), len(state.nodes)) == (3, 3)
    assert state.primary is not None
    assert state.primary.address == topology.primary
    assert sentinels_agree(state) is None
    assert has_quorum(state)
    assert replica_refusal(state) is None
    assert judge(state).trouble is Trouble.NONE
    assert all(n.attempts == 10 and n.busy is not None for n in state.nodes)
    assert state.sentinels[0].version.startswith("valkey 9")


async def test_a_primary_stopped_in_turns_is_seen_as_slow_in_whatever_phase_it_is(topology):
    source = RedisSource(topology.read_access)
    with SickPrimary(topology.pid(topology.primary)):
        states = [await source.read("cache") for _ in range(3)]
    for state in states:
        assert judge(state).trouble is Trouble.SLOW
        assert [is_slow(r) for r in state.replicas] == [False, False]
    assert judge(await source.read("cache")).trouble is Trouble.NONE


async def test_a_glance_asks_once_and_can_leave_nodes_out(topology):
    source = RedisSource(topology.read_access)
    assert isinstance(source, RedisGlancer)
    state = await source.glance("cache", skip={topology.primary})
    assert {n.address for n in state.nodes} == set(topology.replicas)
    assert all(n.attempts == 0 and n.latency_ms == {} for n in state.nodes)


async def test_gathering_answers_once_per_distinct_master_of_the_alerts(topology):
    source = RedisSource(topology.read_access)
    (evidence,) = await source.gather(scope("cache", "cache"))
    assert (evidence.kind, evidence.status, evidence.observed_at) == (EvidenceKind.REDIS, EvidenceStatus.OK, NOW)
    assert RedisState.model_validate(evidence.payload).primary is not None
    assert await source.gather(scope()) == ()


async def test_an_unknown_master_is_no_data_and_not_an_error(topology):
    (evidence,) = await RedisSource(topology.read_access).gather(scope("nobody"))
    assert evidence.status is EvidenceStatus.NO_DATA


async def test_unreachable_sentinels_are_an_error_and_never_health():
    source = RedisSource(RedisAccess(sentinels=("127.0.0.1:1", "127.0.0.1:2")), Sampling(call_s=0.5))
    (evidence,) = await source.gather(scope("cache"))
    assert evidence.status is EvidenceStatus.ERROR
    assert "127.0.0.1" in evidence.error
    state = await source.read("cache")
    assert all(s.error for s in state.sentinels)
    assert sentinels_agree(state) is not None


async def test_wrong_credentials_leave_an_error_on_every_node(topology):
    access = RedisAccess(sentinels=topology.sentinels, username="sre-read", password="wrong")
    state = await RedisSource(access).glance("cache")
    assert all("WRONGPASS" in n.error or "invalid username" in n.error for n in state.nodes)
    assert "wrong" not in repr(access)


async def test_a_command_that_held_everybody_up_is_seen_by_its_name_alone(topology):
    slowly = "slowlog-log-slower-than"
    with client(topology.primary) as admin:
        for words in (("CONFIG", "SET", slowly, "0"), ("KEYS", "secret:*"), ("CONFIG", "SET", slowly, "10000")):
            admin.execute_command(*words)
    state = await RedisSource(topology.read_access).read("cache")
    assert state.primary is not None
    assert "keys" in {s["command"] for s in state.primary.slow}
    assert "secret" not in str(state.primary.slow)
    assert set(state.primary.per_s) == {"evicted_keys", "rejected_connections", "keyspace_hits", "keyspace_misses"}
