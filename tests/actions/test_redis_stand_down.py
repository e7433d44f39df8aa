"""A fence whose process slept: Sentinel may have acted by itself, and others may have taken over. On a real topology."""

import asyncio

import pytest

from sre_agent.actions.redis_failover import Procedure, RedisFailover
from sre_agent.actions.redis_failover.run import FRESH_S
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import Conflict, Refused, Transient
from sre_agent.testing.redis_bench import RecordingBench
from sre_agent.testing.redis_topology import RedisTopology
from tests.actions.test_redis_failover import Scene, writes_flow

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def topology():
    with RedisTopology() as running:
        yield running


async def test_a_fence_that_slept_until_sentinel_acted_by_itself_is_closed_behind_it_and_loses_nothing(topology):
    async def sleep_until_moved(step):
        async with asyncio.timeout(30):
            while step == "drain" and set(topology.addresses_told()) == {scene.plan.primary}:
                await asyncio.sleep(0.05)

    scene = Scene(topology, on_step=sleep_until_moved)
    intent = await scene.ready()
    async with scene.writing():
        outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.FAILED, outcome.result
    assert "by itself" in outcome.result
    assert "failover" not in scene.recorder.steps
    await scene.assert_moved_once()


class SleepyBench(RecordingBench):
    """The process sleeps behind the drain's last line, for longer than anybody waits for it; the lock is lost meanwhile."""

    now = 0.0

    async def _still_allowed(self):
        if self.now > FRESH_S:
            raise Conflict("the lock was lost")
        await super()._still_allowed()
        self.now += 2 * FRESH_S if self.steps[-1] == "drain" else 0.0


async def test_a_fence_that_slept_until_others_took_over_touches_nothing_more(topology):
    scene = Scene(topology)
    scene.recorder = bench = SleepyBench(scene.recorder.hands, scene.recorder.reader)
    intent = await scene.ready()
    with pytest.raises(Conflict):
        await RedisFailover(Procedure.FENCED, clock=lambda: bench.now).effect(intent, bench.bench())
    assert not writes_flow(scene.plan.primary), "the pause is theirs to end"
    outcome = await scene.action.recover(bench.left_behind(intent), bench.bench())
    assert outcome.state is IntentState.NOT_DONE
    await scene.assert_unmoved()


@pytest.mark.parametrize("failure", [Conflict("the lock was lost"), Transient("the database is away")])
async def test_a_fence_that_loses_the_database_under_its_hands_lets_writes_flow_at_once(topology, failure):
    async def lose_it(step):
        if step == "failover":
            raise failure

    scene = Scene(topology, on_step=lose_it)
    intent = await scene.ready()
    outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.NOT_DONE, outcome.result
    assert outcome.measured["blocked_s"] < 3
    await scene.assert_unmoved()


async def test_a_fence_past_the_point_of_no_return_is_closed_without_a_ledger(topology):
    async def lose_it(step):
        if step in ("agree", "demote", "unpause", "verify"):
            raise Transient("the database is away")

    scene = Scene(topology, on_step=lose_it)
    intent = await scene.ready()
    async with scene.writing():
        outcome = await scene.action.effect(intent, scene.recorder.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert outcome.measured["steps_not_recorded"] == 4
    await scene.assert_moved_once()


async def test_a_process_that_slept_between_the_last_line_and_a_coordinated_failover_sends_nothing(topology):
    scene = Scene(topology)
    intent = await scene.ready(Procedure.AUTO)
    assert scene.plan.coordinated
    clock = [0.0]

    class Dozing:
        """A reader behind whose glance the process sleeps."""

        async def glance(self, master, *, skip=()):
            clock[0] += FRESH_S + 0.1
            return await scene.source.glance(master, skip=skip)

        read = glance

    scene.recorder.reader = Dozing()
    with pytest.raises(Refused, match="redis-leave-too-old"):
        await RedisFailover(clock=lambda: clock[0]).effect(intent, scene.recorder.bench())
    await scene.assert_unmoved()
