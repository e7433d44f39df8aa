"""The whole procedure on a real Sentinel topology, with a writer counting what it was promised."""

import asyncio
import contextlib

import pytest

from sre_agent.actions.redis_failover import Procedure, RedisFailover
from sre_agent.actions.redis_failover.plan import draw_plan
from sre_agent.adapters.redis import RedisWriter
from sre_agent.evidence.redis.quorum import after_failover_problem, agreed_epoch, sentinels_agree
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import OutcomeUnknown, Refused
from sre_agent.incident.target import Target
from sre_agent.sources.redis import RedisSource
from sre_agent.testing.redis_bench import Crashed, RecordingBench
from sre_agent.testing.redis_client import ask
from sre_agent.testing.redis_load import CountingWriter
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.testing.redis_topology import RedisTopology, TopologyPlan
from sre_agent.testing.redis_trial import count_losses

pytestmark = pytest.mark.real
SEVEN = ["pause", "drain", "failover", "agree", "demote", "unpause", "verify"]


@pytest.fixture(scope="module")
def topology():
    # Longer than the demonstration's 3 s, so that a busy machine cannot turn a slow test into Sentinel's own failover.
    with RedisTopology(TopologyPlan(down_after_ms=6000)) as running:
        yield running


class Scene:
    """The topology as it is now: any test may have moved the primary before."""

    def __init__(self, topology, **bench):
        self.topology = topology
        self.source = RedisSource(topology.read_access)
        self.recorder = RecordingBench(RedisWriter(topology.write_access), self.source, **bench)

    async def ready(self, procedure=Procedure.FENCED):
        """An intent for the primary of the moment, whether or not it ought to be failed over."""
        async with asyncio.timeout(20):
            while sentinels_agree(state := await self.source.glance("cache")) or after_failover_problem(state, "none"):
                await asyncio.sleep(0.1)
            # Sentinel promotes only replicas it has heard of lately.
            await asyncio.sleep(0.6)
        self.plan = draw_plan(await self.source.glance("cache"), procedure)
        self.action = RedisFailover(procedure)
        return await self.recorder.intent(NoPrecondition(self.plan), self.target)

    @property
    def target(self):
        return Target(kind="RedisMaster", name="cache", uid=self.plan.run_id)

    async def assert_unmoved(self):
        state = await self.source.glance("cache")
        assert state.primary_addresses == {self.plan.primary}
        assert agreed_epoch(state) == self.plan.epoch
        assert writes_flow(self.plan.primary)

    async def assert_moved_once(self):
        state = await self.source.glance("cache")
        for _ in range(100):  # on a busy machine the replicas follow a moment after the action has ended
            if after_failover_problem(state, self.plan.run_id) == "":
                break
            await asyncio.sleep(0.1)
            state = await self.source.glance("cache")
        assert after_failover_problem(state, self.plan.run_id) == ""
        assert agreed_epoch(state) == self.plan.epoch + 1
        assert writes_flow(self.plan.primary)
        assert writes_flow(state.primary.address)

    @contextlib.asynccontextmanager
    async def writing(self):
        """A writer runs meanwhile; afterwards nothing it was promised may be missing."""
        writer = CountingWriter(self.topology.sentinels, "cache", workers=2, gap_s=0.004)
        writer.start()
        await asyncio.sleep(0.3)
        try:
            yield writer
            await asyncio.sleep(0.3)
        finally:
            self.count = await asyncio.to_thread(self._count, writer)
        assert self.count.acknowledged > 50
        assert self.count.lost == 0

    def _count(self, writer):
        moved = self.topology.addresses_told()[0] != self.plan.primary
        if moved:
            return count_losses(self.topology, writer, self.plan.primary)
        writer.stop()
        return writer.read_back(self.plan.primary)


class OldSentinel(RedisWriter):
    """A sentinel that does not know COORDINATED, as Redis 7 answers."""

    async def failover(self, sentinel, master, *, coordinated):
        if coordinated:
            raise Refused("redis-refused", "ERR Unknown sentinel subcommand or wrong number of arguments for 'FAILOVER'")
        await super().failover(sentinel, master, coordinated=False)


class LostAnswer(RedisWriter):
    """The answer to FAILOVER never comes back, though it was carried out. Counts the calls."""

    calls = 0

    async def failover(self, sentinel, master, *, coordinated):
        self.calls += 1
        await super().failover(sentinel, master, coordinated=coordinated)
        raise OutcomeUnknown("sent, no answer")


class NoPrecondition:
    """Stands for an action whose precondition is already known, to draw an intent for a healthy primary."""

    name = "redis_failover"

    def __init__(self, plan):
        self.plan = plan

    async def precondition(self, target, bench):
        return self.plan.model_dump(mode="json")


def writes_flow(node):
    return ask(node, "INFO", "clients")["paused_actions"] == "none"


async def test_a_sick_primary_is_fenced_and_failed_over_without_losing_a_write_and_not_twice():
    with RedisTopology(TopologyPlan(down_after_ms=5000)) as own:
        scene = Scene(own)
        action = RedisFailover(Procedure.FENCED)
        run_id = (await scene.source.glance("cache")).primary.info["run_id"]
        target = Target(kind="RedisMaster", name="cache", uid=run_id)
        with SickPrimary(own.pid(own.primary)):
            intent = await scene.recorder.intent(action, target)
            scene.plan = draw_plan(await scene.source.glance("cache"), Procedure.FENCED)
            async with scene.writing():
                outcome = await action.effect(intent, scene.recorder.bench())
        assert outcome.state is IntentState.DONE, outcome.result
        assert scene.recorder.steps == SEVEN
        assert scene.recorder.asked_after == ["pause", "drain", "failover"]
        assert outcome.measured["procedure"] == "fenced"
        assert outcome.measured["epoch_after"] == outcome.measured["epoch_before"] + 1
        assert outcome.measured["offset_after"] >= outcome.measured["offset"]
        assert 0 < outcome.measured["blocked_s"] < 20
        await scene.assert_moved_once()
        new = Target(kind="RedisMaster", name="cache", uid=(await scene.source.glance("cache")).primary.info["run_id"])
        with SickPrimary(own.pid(outcome.measured["new_primary"])), pytest.raises(Refused) as no:
            await action.precondition(new, scene.recorder.bench())
        assert no.value.rule == "redis-recent-failover"


async def test_a_healthy_primary_is_refused_because_it_is_not_at_fault(topology):
    scene = Scene(topology)
    await scene.ready()
    with pytest.raises(Refused) as no:
        await RedisFailover().precondition(scene.target, scene.recorder.bench())
    assert no.value.rule in ("redis-primary-not-at-fault", "redis-recent-failover")


async def test_the_fence_loses_nothing_on_a_healthy_primary(topology):
    scene = Scene(topology)
    intent = await scene.ready()
    async with scene.writing():
        outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    await scene.assert_moved_once()


async def test_a_coordinated_failover_loses_nothing_while_the_primary_is_sick(topology):
    scene = Scene(topology)
    intent = await scene.ready(Procedure.AUTO)
    assert scene.plan.coordinated
    with SickPrimary(topology.pid(scene.plan.primary)):
        async with scene.writing():
            outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert scene.recorder.steps == ["coordinated", "agree", "verify"]
    assert outcome.measured["procedure"] == "coordinated"
    await scene.assert_moved_once()


@pytest.mark.parametrize("step", ["pause", "drain", "failover"])
async def test_a_halt_before_the_failover_lets_writes_flow_again_and_moves_nothing(topology, step):
    scene = Scene(topology, halt_at=step)
    intent = await scene.ready()
    outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.NOT_DONE
    assert "halted" in outcome.result
    assert scene.recorder.steps[-1] == step
    await scene.assert_unmoved()


async def test_a_halt_after_the_failover_does_not_leave_the_fence_half_closed(topology):
    scene = Scene(topology, halt_at="agree")
    intent = await scene.ready()
    outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    await scene.assert_moved_once()


async def test_a_changed_epoch_or_process_is_refused_at_the_last_moment_and_unpaused(topology):
    scene = Scene(topology)
    intent = await scene.ready()
    for change in ({"epoch": scene.plan.epoch + 1}, {"run_id": "f" * 40}):
        stale = intent.model_copy(update={"precondition": intent.precondition | change})
        outcome = await scene.action.effect(stale, scene.recorder.bench())
        assert outcome.state is IntentState.NOT_DONE, outcome.result
        await scene.assert_unmoved()


async def test_a_last_line_that_takes_too_long_under_the_pause_gives_up_before_sentinel_gets_nervous(topology):
    async def slow(step):
        await asyncio.sleep(3.7 if step == "failover" else 0.0)

    scene = Scene(topology, on_step=slow)
    intent = await scene.ready()
    outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.NOT_DONE
    assert "redis-fence-too-slow" in outcome.result
    await scene.assert_unmoved()


async def test_a_sentinel_that_does_not_know_the_coordinated_way_gets_the_fence(topology):
    scene = Scene(topology)
    scene.recorder.hands = OldSentinel(topology.write_access)
    intent = await scene.ready(Procedure.AUTO)
    async with scene.writing():
        outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert scene.recorder.steps == ["coordinated", *SEVEN]
    assert scene.recorder.scratch["procedure"] == "fenced"
    await scene.assert_moved_once()


async def test_a_failover_whose_answer_was_lost_is_observed_and_not_sent_again(topology):
    scene = Scene(topology)
    scene.recorder.hands = LostAnswer(topology.write_access)
    intent = await scene.ready()
    outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert scene.recorder.hands.calls == 1
    await scene.assert_moved_once()


@pytest.mark.parametrize("step", ["pause", "drain", "failover"])
async def test_a_crash_before_the_failover_was_sent_is_undone_by_whoever_takes_over(topology, step):
    scene = Scene(topology, crash_at=step)
    intent = await scene.ready()
    with pytest.raises(Crashed):
        await scene.action.effect(intent, scene.recorder.bench())
    outcome = await scene.action.recover(scene.recorder.left_behind(intent), scene.recorder.bench())
    assert outcome.state is IntentState.NOT_DONE, outcome.result
    await scene.assert_unmoved()


@pytest.mark.parametrize("step", ["failover", "agree", "demote", "unpause"])
async def test_a_crash_after_the_failover_was_sent_is_finished_by_whoever_takes_over(topology, step):
    scene = Scene(topology, crash_after=step)
    intent = await scene.ready()
    async with scene.writing():
        with pytest.raises(Crashed):
            await scene.action.effect(intent, scene.recorder.bench())
        left = scene.recorder.left_behind(intent)
        outcome = await scene.action.recover(left, scene.recorder.bench())
        again = await scene.action.recover(left, scene.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert again.state is IntentState.DONE
    await scene.assert_moved_once()


async def test_a_crash_after_a_coordinated_call_is_observed_and_never_repeated(topology):
    scene = Scene(topology, crash_after="coordinated")
    intent = await scene.ready(Procedure.AUTO)
    with pytest.raises(Crashed):
        await scene.action.effect(intent, scene.recorder.bench())
    outcome = await scene.action.recover(scene.recorder.left_behind(intent), scene.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    await scene.assert_moved_once()


async def test_a_pause_abandoned_so_long_that_sentinel_acts_itself_still_loses_nothing(topology):
    scene = Scene(topology, crash_at="drain")
    intent = await scene.ready()
    async with scene.writing():
        with pytest.raises(Crashed):
            await scene.action.effect(intent, scene.recorder.bench())
        async with asyncio.timeout(30):
            # Sentinel takes the paused primary for dead after down-after-milliseconds and starts its own failover.
            while set(topology.addresses_told()) == {scene.plan.primary}:
                await asyncio.sleep(0.1)
        outcome = await scene.action.recover(scene.recorder.left_behind(intent), scene.recorder.bench())
    assert outcome.state is IntentState.FAILED, outcome.result
    assert "by itself" in outcome.result
    await scene.assert_moved_once()
