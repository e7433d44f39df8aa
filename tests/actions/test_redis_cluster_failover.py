"""CLUSTER FAILOVER on a real Redis Cluster: effect, refusals at the last moment, crash, lost answer, and never twice."""

import pytest

from sre_agent.actions.redis_cluster_failover import RedisClusterFailover, draw_plan, moved_problem, plan_failover, unchanged
from sre_agent.adapters.redis_cluster import RedisClusterWriter
from sre_agent.evidence.redis.cluster_health import named_node, primaries
from sre_agent.execution.action import Readers
from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.target import Target
from sre_agent.sources.redis_cluster import RedisClusterSource
from sre_agent.testing.redis_bench import Crashed, RecordingBench
from sre_agent.testing.redis_client import ask
from sre_agent.testing.redis_cluster import RedisClusterTopology
from sre_agent.testing.redis_cluster_states import (
    CLUSTER,
    IDS,
    PRIMARIES,
    REPLICAS,
    SICK,
    RecordedCluster,
    cluster_nodes,
    cluster_state,
    promoted_nodes,
)
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.verification.data_stores import redis_cluster_state_ok

TARGET = Target(kind="RedisCluster", name=CLUSTER, uid=SICK)


class Fingers:
    """RedisClusterHands that do nothing but count; `answer` is raised when there is one."""

    def __init__(self, answer=None):
        self.sent, self.answer = [], answer

    async def cluster_failover(self, replica):
        self.sent.append(replica)
        if self.answer is not None:
            raise self.answer

    async def write_probe(self, node, key, value, ttl_seconds):
        return True


class Ticks:
    """A monotonic clock that moves on by a second with every look at it."""

    now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def bench(hands, *states, **more):
    return RecordingBench(Hands(redis_cluster=hands), Readers(redis_cluster=RecordedCluster(*states)), **more)


async def nothing(_):
    return None


async def test_a_target_of_another_kind_or_without_identity_is_refused():
    for target in (Target(kind="RedisMaster", name=CLUSTER, uid=SICK), Target(kind="RedisCluster", name=CLUSTER)):
        with pytest.raises(Refused) as no:
            await RedisClusterFailover().precondition(target, bench(Fingers(), cluster_state()).bench())
        assert no.value.rule == "cluster-wrong-target"


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        (cluster_state(cluster_nodes(p1={"moving": True})), "cluster-slots-moving"),
        (cluster_state(info={"cluster_state": "fail"}), "cluster-not-ok"),
        (cluster_state(silent=(PRIMARIES[0],)), "cluster-primary-silent"),
        (cluster_state(promoted_nodes()), "cluster-node-not-primary"),
    ],
)
async def test_preconditions_are_refused_by_their_rule(state, rule):
    with pytest.raises(Refused) as no:
        plan_failover(TARGET, state)
    assert no.value.rule == rule


async def test_what_changed_between_precondition_and_effect_is_refused_and_nothing_is_sent():
    changes = {
        "cluster-slots-moving": cluster_state(cluster_nodes(p1={"moving": True})),
        "cluster-epoch-changed": cluster_state(cluster_nodes(p0={"epoch": 7})),
        "cluster-no-replica": cluster_state(cluster_nodes(r0={"connected": False})),
    }
    for rule, later in changes.items():
        hands = Fingers()
        scene = bench(hands, cluster_state(), later)
        intent = await scene.intent(RedisClusterFailover(), TARGET)
        with pytest.raises(Refused) as no:
            await RedisClusterFailover().effect(intent, scene.bench())
        assert (no.value.rule, hands.sent) == (rule, [])


async def test_a_halt_at_the_last_line_sends_nothing():
    hands = Fingers()
    scene = bench(hands, cluster_state(), halt_at="failover")
    intent = await scene.intent(RedisClusterFailover(), TARGET)
    with pytest.raises(Refused, match="halted"):
        await RedisClusterFailover().effect(intent, scene.bench())
    assert hands.sent == []


async def test_a_process_that_slept_after_the_last_line_sends_nothing():
    class Slept(Ticks):
        def __call__(self):
            self.now += 6.0
            return self.now

    hands = Fingers()
    scene = bench(hands, cluster_state())
    intent = await scene.intent(RedisClusterFailover(), TARGET)
    with pytest.raises(Refused) as no:
        await RedisClusterFailover(Slept()).effect(intent, scene.bench())
    assert (no.value.rule, hands.sent) == ("cluster-leave-too-old", [])


async def test_a_lost_answer_is_observed_and_never_sent_again():
    hands = Fingers(OutcomeUnknown("sent, no answer"))
    scene = bench(hands, cluster_state(), cluster_state(), cluster_state(promoted_nodes()))
    intent = await scene.intent(RedisClusterFailover(), TARGET)
    outcome = await RedisClusterFailover().effect(intent, scene.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert hands.sent == [REPLICAS[0]]
    assert (outcome.measured["epoch_before"], outcome.measured["epoch_after"]) == (1, 4)


async def test_no_connection_means_nothing_was_done():
    scene = bench(Fingers(Transient("not sent")), cluster_state())
    intent = await scene.intent(RedisClusterFailover(), TARGET)
    assert (await RedisClusterFailover().effect(intent, scene.bench())).state is IntentState.NOT_DONE


async def test_a_replica_that_is_never_elected_is_not_done():
    scene = bench(Fingers(), cluster_state())
    intent = await scene.intent(RedisClusterFailover(), TARGET)
    work = RecordingBench(scene.hands, scene.reader).bench()
    outcome = await RedisClusterFailover(Ticks()).recover(intent.model_copy(update={"steps": ("failover",)}), work)
    assert outcome.state is IntentState.NOT_DONE
    assert "still serves" in outcome.result


async def test_a_cluster_that_does_not_settle_is_unknown_and_goes_to_a_person():
    torn = cluster_state(promoted_nodes(), info={"cluster_state": "fail"})
    scene = bench(Fingers(), cluster_state(), cluster_state(), torn)
    intent = await scene.intent(RedisClusterFailover(), TARGET)
    with pytest.raises(OutcomeUnknown):
        await RedisClusterFailover(Ticks()).effect(intent, scene.bench())


async def test_an_intent_without_a_step_was_never_sent():
    scene = bench(Fingers(), cluster_state())
    intent = await scene.intent(RedisClusterFailover(), TARGET)
    assert (await RedisClusterFailover().recover(intent, scene.bench())).state is IntentState.NOT_DONE


def test_a_promotion_counts_only_when_everybody_sees_it_at_a_higher_epoch():
    plan = draw_plan(cluster_state(), SICK)
    assert moved_problem(plan, cluster_state(promoted_nodes())) == ""
    assert "epoch" in moved_problem(plan, cluster_state(promoted_nodes(epoch=1)))
    unsaid = {REPLICAS[0]: cluster_state().seat(IDS[REPLICAS[1]]).node}
    assert "does not say itself" in moved_problem(plan, cluster_state(promoted_nodes(), unsaid))
    assert "still serves" in moved_problem(plan, cluster_state())
    unchanged(plan, cluster_state())


def test_verification_sees_a_good_and_a_bad_end():
    assert redis_cluster_state_ok(cluster_state(promoted_nodes()), SICK)[0] is True
    assert redis_cluster_state_ok(cluster_state(), SICK) == (False, "the old primary still serves its slots")
    assert redis_cluster_state_ok(cluster_state(promoted_nodes(), info={"cluster_state": "fail"}), SICK)[0] is False
    assert redis_cluster_state_ok(cluster_state(promoted_nodes(), silent=(*PRIMARIES, *REPLICAS)), SICK)[0] is None
    assert redis_cluster_state_ok(cluster_state(promoted_nodes(), silent=(*PRIMARIES, *REPLICAS[1:])), SICK)[0] is None


@pytest.fixture(scope="module")
def cluster():
    with RedisClusterTopology() as running:
        yield running


class Live:
    """One shard of the real cluster as it is now: any test may have moved it before."""

    def __init__(self, cluster, shard, hands=None, **more):
        self.source = RedisClusterSource(cluster.read_access)
        self.cluster, self.shard = cluster, shard
        hands = hands or RedisClusterWriter(cluster.write_access)
        self.recorder = RecordingBench(Hands(redis_cluster=hands), Readers(redis_cluster=self.source), **more)

    async def intent(self):
        pair = (self.cluster.primaries[self.shard], self.cluster.replicas[self.shard])
        state = await self.source.glance("sessions")
        (self.old,) = [n for n in primaries(state).values() if n.address in pair]
        self.plan = draw_plan(state, self.old.id)
        action = RedisClusterFailover()

        class Drawn:
            name = action.name
            plan = self.plan

            async def precondition(self, target, bench):
                return self.plan.model_dump(mode="json")

        return await self.recorder.intent(Drawn(), Target(kind="RedisCluster", name="sessions", uid=self.old.id))

    async def assert_moved(self):
        state = await self.source.read("sessions")
        assert moved_problem(self.plan, state) == ""
        assert redis_cluster_state_ok(state, self.old.id)[0] is True
        assert ask(self.plan.replica, "ROLE")[0] == "master"


class LostAnswer(RedisClusterWriter):
    """The answer never comes back, though the command was carried out."""

    calls = 0

    async def cluster_failover(self, replica):
        self.calls += 1
        await super().cluster_failover(replica)
        raise OutcomeUnknown("sent, no answer")


@pytest.mark.real
async def test_a_sick_primary_of_a_real_cluster_hands_over_to_its_replica(cluster):
    live = Live(cluster, 0)
    state = await live.source.glance("sessions")
    target = Target(kind="RedisCluster", name="sessions", uid=named_node(state, cluster.primaries[0]))
    with pytest.raises(Refused) as no:
        await RedisClusterFailover().precondition(target, live.recorder.bench())
    assert no.value.rule == "cluster-primary-not-at-fault"
    live.plan = draw_plan(state, target.uid)
    live.old = primaries(state)[target.uid]
    with SickPrimary(cluster.pid(cluster.primaries[0])):
        intent = await live.recorder.intent(RedisClusterFailover(), target)
        outcome = await RedisClusterFailover().effect(intent, live.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert live.recorder.steps == ["failover", "observe"]
    assert live.recorder.asked_after == ["failover"]
    assert outcome.measured["epoch_after"] > outcome.measured["epoch_before"]
    await live.assert_moved()


@pytest.mark.real
async def test_a_crash_after_the_command_was_sent_is_finished_by_observation(cluster):
    live = Live(cluster, 1, crash_after="failover")
    intent = await live.intent()
    with pytest.raises(Crashed):
        await RedisClusterFailover().effect(intent, live.recorder.bench())
    blind = Hands(redis_cluster=Unsendable(cluster.write_access))
    left = live.recorder.left_behind(intent)
    live.recorder.hands = blind
    for _ in range(2):
        outcome = await RedisClusterFailover().recover(left, live.recorder.bench())
        assert outcome.state is IntentState.DONE, outcome.result
    await live.assert_moved()


class Unsendable(RedisClusterWriter):
    """Hands of a takeover, which must never send."""

    async def cluster_failover(self, replica):
        raise AssertionError("sent again")


@pytest.mark.real
async def test_a_crash_before_the_command_was_sent_changed_nothing(cluster):
    live = Live(cluster, 2, crash_at="failover")
    intent = await live.intent()
    with pytest.raises(Crashed):
        await RedisClusterFailover().effect(intent, live.recorder.bench())
    live.recorder.hands = Hands(redis_cluster=Unsendable(cluster.write_access))
    outcome = await RedisClusterFailover().recover(live.recorder.left_behind(intent), live.recorder.bench())
    assert outcome.state is IntentState.NOT_DONE
    assert ask(live.plan.primary, "ROLE")[0] == "master"


@pytest.mark.real
async def test_a_lost_answer_of_a_real_cluster_is_observed_once(cluster):
    hands = LostAnswer(cluster.write_access)
    live = Live(cluster, 2, hands=hands)
    outcome = await RedisClusterFailover().effect(await live.intent(), live.recorder.bench())
    assert (outcome.state, hands.calls) == (IntentState.DONE, 1), outcome.result
    await live.assert_moved()


@pytest.mark.real
async def test_the_verb_is_refused_on_a_primary_and_to_the_reading_user(cluster):
    live = Live(cluster, 0)
    await live.intent()
    with pytest.raises(Refused) as no:
        await RedisClusterWriter(cluster.write_access).cluster_failover(live.plan.primary)
    assert no.value.rule == "cluster-refused"
    with pytest.raises(Permanent, match="lacks this right"):
        await RedisClusterWriter(cluster.read_access).cluster_failover(live.plan.replica)
    assert await RedisClusterWriter(cluster.write_access).write_probe(live.plan.replica, "sre-agent:x", "1", 5) is False


@pytest.mark.real
async def test_another_clusters_name_is_never_answered_with_this_one(cluster):
    with pytest.raises(Permanent, match="REDIS_CLUSTER_NAME"):
        await RedisClusterSource(cluster.read_access).read("orders")
