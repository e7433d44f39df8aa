import binascii

import pytest

from sre_agent.evidence.redis.cluster_health import fit_replicas, named_node, primaries, probe_key, problems
from sre_agent.evidence.redis.cluster_state import RedisClusterState, parse_nodes
from sre_agent.testing.redis_cluster_states import IDS, PRIMARIES, REPLICAS, SICK, cluster_nodes, cluster_state
from sre_agent.testing.redis_states import primary_view, replica_view

BARE = {"primary": IDS[PRIMARIES[1]]}
DIFFERENT = cluster_nodes(p0={"epoch": 9})


def rules(state):
    return [rule for rule, _ in problems(state, SICK)]


def views(address, view):
    return cluster_state(views={address: view.model_copy(update={"address": address})})


def test_a_sick_primary_with_a_fit_replica_in_a_healthy_cluster_has_no_problem():
    assert rules(cluster_state()) == []
    assert [v.address for v in fit_replicas(cluster_state(), SICK)] == [REPLICAS[0]]


def disagreeing():
    state = cluster_state()
    odd = state.vantages[3].model_copy(update={"nodes": DIFFERENT})
    return state.model_copy(update={"vantages": (*state.vantages[:3], odd, *state.vantages[4:])})


SPOILED = {
    "cluster-unseen": cluster_state(silent=(*PRIMARIES[1:], *REPLICAS)),
    "cluster-not-ok": cluster_state(info={"cluster_slots_fail": "1"}),
    "cluster-slots-moving": cluster_state(cluster_nodes(p2={"moving": True})),
    "cluster-views-disagree": disagreeing(),
    "cluster-no-majority": cluster_state(silent=PRIMARIES[1:]),
    "cluster-node-failing": cluster_state(cluster_nodes(r2={"flags": ("slave", "fail?")})),
    "cluster-node-not-primary": cluster_state(cluster_nodes(p0={"slots": ()})),
    "cluster-primary-silent": cluster_state(silent=(PRIMARIES[0],)),
    "cluster-primary-not-at-fault": views(PRIMARIES[0], primary_view()),
    "cluster-memory-full": views(PRIMARIES[0], primary_view(p50=210.0, p99=300.0, timeouts=4, used_memory=999_000_000)),
    "cluster-overloaded": views(PRIMARIES[0], primary_view(p50=210.0, p99=300.0, timeouts=4, busy=0.99)),
    "cluster-other-primary-bare": cluster_state(cluster_nodes(r2=BARE)),
    "cluster-no-replica": views(REPLICAS[0], replica_view(master_link_status="down")),
}


@pytest.mark.parametrize("rule", SPOILED)
def test_each_precondition_is_missed_by_its_own_name(rule):
    assert rule in rules(SPOILED[rule])


@pytest.mark.parametrize("state", ["fail", "not-ok", ""])
def test_a_cluster_state_that_is_not_the_word_ok_is_not_ok(state):
    assert "cluster-not-ok" in rules(cluster_state(info={"cluster_state": state}))


def test_slots_that_some_node_suspects_count_as_lost():
    assert "cluster-not-ok" in rules(cluster_state(info={"cluster_slots_pfail": "5461"}))


def test_a_replica_that_one_node_cannot_reach_is_not_promoted():
    assert "cluster-no-replica" in rules(cluster_state(cluster_nodes(r0={"connected": False})))


def test_nothing_seen_is_nothing_known():
    assert rules(RedisClusterState(name="x")) == ["cluster-unseen", "cluster-node-not-primary"]


def test_a_label_names_a_node_by_address_or_id_and_nothing_else():
    state = cluster_state()
    assert named_node(state, PRIMARIES[1]) == IDS[PRIMARIES[1]] == named_node(state, IDS[PRIMARIES[1]])
    assert named_node(state, "10.1.0") == named_node(state, "") == ""


def test_cluster_nodes_are_read_as_the_server_writes_them():
    text = (
        "07c3 127.0.0.1:30004@31004,hostname4 slave e7d1 0 1426238317239 4 connected\n"
        "67ed 127.0.0.1:30002@31002 master,fail? - 0 1426238316232 2 disconnected 5461-10922 11000 [93-<-292f]\n"
    )
    replica, primary = parse_nodes(text)
    assert (replica.address, replica.primary, replica.serving, replica.moving) == ("127.0.0.1:30004", "e7d1", False, False)
    assert primary.slots == ((5461, 10922), (11000, 11000))
    assert primary.moving
    assert primary.failing
    assert not primary.connected
    with pytest.raises(ValueError, match="not a line"):
        parse_nodes("MOVED 1 127.0.0.1:1")


def test_our_probe_key_hashes_into_the_shards_slots():
    for first, last in (*primaries(cluster_state())[SICK].slots, (7, 7)):
        key = probe_key(((first, last),), "sre-agent:x:")
        tag = key.partition("{")[2].removesuffix("}")
        assert first <= binascii.crc_hqx(tag.encode(), 0) % 16384 <= last
