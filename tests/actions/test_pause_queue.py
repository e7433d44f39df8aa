"""pause_queue and resume_queue on a real Redis with BullMQ's keys: effect, refusals, whose pause it is, and no job lost."""

import asyncio

import pytest

from sre_agent.actions.pause_queue import PauseQueue
from sre_agent.actions.resume_queue import ResumeQueue
from sre_agent.evidence.redis.queue_health import PAUSE_TTL_MS
from sre_agent.evidence.redis.queue_state import OWNER, RESUMED
from sre_agent.execution.hands import QueueTerms
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import Refused
from sre_agent.testing.bullmq import BullQueue
from sre_agent.testing.queue_redis import QueueRedis
from tests.actions.queue_stage import Scene

pytestmark = pytest.mark.slow


async def test_a_queue_whose_downstream_fails_is_paused_and_its_jobs_stay(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    running = await queue.take()
    before = await queue.jobs()
    outcome = await scene.run(PauseQueue())
    assert outcome.state is IntentState.DONE, outcome.result
    assert scene.recorder.steps == ["dry_run", "pause"]
    assert scene.recorder.asked_after == ["dry_run", "pause"]
    state = await scene.state()
    assert (state.paused, state.owner, state.meta["sre-agent:plan"]) == (True, "a" * 64, "b" * 64)
    assert 0 < state.until_ms - state.at_ms <= PAUSE_TTL_MS
    assert (outcome.measured["waiting"], outcome.measured["active"], outcome.measured["lost"]) == (4, 1, 0)
    assert "it does not end by itself" in outcome.result
    assert await queue.take() is None
    assert await queue.jobs() == before
    assert await queue.say("EXISTS", queue.at("marker")) == 0
    ((_, event),) = await queue.say("XREVRANGE", queue.at("events"), "+", "-", "COUNT", "1")
    assert event == {"event": "paused"}
    await queue.complete(running)
    await queue.add()
    assert ((await scene.state()).active, (await scene.state()).backlog, (await scene.state()).lost) == (0, 5, 0)


async def test_our_own_pause_is_taken_back_and_work_goes_on(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    await scene.run(PauseQueue())
    outcome = await scene.run(ResumeQueue(), key="c" * 64)
    assert outcome.state is IntentState.DONE, outcome.result
    state = await scene.state()
    assert (state.paused, state.meta[RESUMED]) == (False, "c" * 64)
    assert not {k for k in state.meta if k.startswith("sre-agent:")} - {RESUMED}
    assert await queue.say("ZRANGE", queue.at("marker"), "0", "-1", "WITHSCORES") == ["0", "0"]
    ((_, event),) = await queue.say("XREVRANGE", queue.at("events"), "+", "-", "COUNT", "1")
    assert event == {"event": "resumed"}
    assert await queue.take() is not None
    await scene.run(PauseQueue(), key="d" * 64)
    assert RESUMED not in (await scene.state()).meta


async def test_with_nothing_to_do_a_resumption_wakes_the_workers_for_the_next_delayed_job(server, queue):
    scene = Scene(server, queue)
    await scene.failing(waiting=0)
    await queue.add(delay_ms=3_600_000)
    await scene.run(PauseQueue())
    await scene.run(ResumeQueue(), key="c" * 64)
    score = float((await queue.say("ZRANGE", queue.at("delayed"), "0", "-1", "WITHSCORES"))[1])
    member, at = await queue.say("ZRANGE", queue.at("marker"), "0", "-1", "WITHSCORES")
    assert (member, float(at)) == ("1", score / 4096)


async def test_our_scripts_leave_the_keys_as_bullmqs_own_do(server, queue):
    """Paused and resumed by us, or by the library: the same keys in the end, but for our fields and the events' ids."""
    other = BullQueue(server.address, queue.name + "-theirs")
    await other.create()
    scene = Scene(server, queue)
    for each in (queue, other):
        for delay, priority in ((0, 0), (0, 3), (3_600_000, 0)):
            for _ in range(4):
                await each.add(delay_ms=delay, priority=priority)
        for _ in range(11):
            await each.add()
        for _ in range(12):
            await each.fail(await each.take())

    async def shape(each):
        meta = await each.say("HGETALL", each.at("meta"))
        events = await each.say("XRANGE", each.at("events"), "-", "+")
        kept = {k: v for k, v in meta.items() if not k.startswith("sre-agent:")}
        lists = [await each.say("LRANGE", each.at(k), "0", "-1") for k in ("wait", "active", "paused")]
        # Sorted: jobs that fail or are due within one millisecond of each other stand in the order of their ids.
        sets = [sorted(await each.say("ZRANGE", each.at(k), "0", "-1")) for k in ("delayed", "prioritized", "failed", "marker")]
        return kept, [e["event"] for _, e in events], lists, sets

    await scene.run(PauseQueue())
    await other.pause()
    assert await shape(queue) == await shape(other)
    await scene.run(ResumeQueue(), key="c" * 64)
    await other.resume()
    assert await shape(queue) == await shape(other)
    await other.aclose()


@pytest.mark.parametrize("kind", ["standard", "mixed"])
async def test_no_job_is_lost_or_done_twice_while_producers_and_workers_go_on(server, queue, kind):
    scene = Scene(server, queue)
    await scene.failing()
    stop, added = asyncio.Event(), []

    async def produce(n):
        while not stop.is_set():
            mixed = kind == "mixed"
            added.append(await queue.add(delay_ms=3 if mixed and n % 3 == 0 else 0, priority=n % 2 if mixed else 0))
            await asyncio.sleep(0.008)

    crews = [asyncio.create_task(queue.work(lambda _: False, stop, gap_s=0.01)) for _ in range(3)]
    hands = [asyncio.create_task(produce(n)) for n in range(3)]
    for turn in range(3):
        key = f"{turn:064x}"
        outcome = await scene.run(PauseQueue(), key=key)
        assert outcome.state is IntentState.DONE, outcome.result
        await asyncio.sleep(0.05)
        state = await scene.state()
        assert (state.active, state.lost) == (0, 0)
        outcome = await scene.run(ResumeQueue(), key=f"{turn + 100:064x}")
        assert outcome.state is IntentState.DONE, outcome.result
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*hands)
    ended = sum(await asyncio.gather(*crews))
    everything = await queue.jobs()
    assert len(everything) == len(set(everything)) == 17 + len(added)
    assert set(added) <= set(everything)
    assert ended > 0
    while (job := await queue.take()) is not None:
        await queue.complete(job)
    assert (await scene.state()).backlog == 0


SPOILT = {
    "queue-version": [
        ("HDEL", "meta", "version"),
        ("HSET", "meta", "version", "bullmq:5.63.0"),
        ("HSET", "meta", "version", "pro:7.1.0"),
    ],
    "queue-bull": [("SET", "meta-paused", "1")],
    "queue-legacy-jobs": [("LPUSH", "paused", "77")],
    "queue-already-paused": [("HSET", "meta", "paused", "1"), ("HSET", "meta", "paused", "0")],
}


@pytest.mark.parametrize(("rule", "words"), [(rule, words) for rule, each in SPOILT.items() for words in each])
async def test_each_condition_is_refused_when_looked_at_and_again_in_redis(server, queue, rule, words):
    verb, part, *rest = words
    scene = Scene(server, queue)
    await scene.failing()
    state = await scene.state()
    before = await queue.say("HGETALL", queue.at("meta"))
    await queue.say(verb, queue.at(part), *rest)
    assert await scene.refuses(PauseQueue()) == rule
    terms = QueueTerms(state.run_id, "t", "p", state.at_ms + 60_000)
    for dry_run in (True, False):
        with pytest.raises(Refused) as no:
            await scene.writer.pause(queue.name, terms, dry_run=dry_run)
        assert no.value.rule == rule
    assert OWNER not in before
    assert OWNER not in await queue.say("HGETALL", queue.at("meta"))


@pytest.mark.parametrize(
    ("reason", "jobs", "rule"),
    [
        ("OpenAI 503 Service Unavailable", 12, "queue-model-errors"),
        ("TypeError: x is not a function", 12, "queue-cause-unknown"),
        ("429 Too Many Requests", 12, "queue-cause-unknown"),
        ("connect ECONNREFUSED", 9, "queue-jobs-well"),
    ],
)
async def test_only_a_system_behind_it_that_does_not_answer_pauses_a_queue(server, queue, reason, jobs, rule):
    scene = Scene(server, queue)
    await scene.failing(jobs=jobs, reason=reason)
    assert await scene.refuses(PauseQueue()) == rule


async def test_half_of_the_jobs_is_not_more_than_half_and_repetitions_do_not_count(server, queue):
    scene = Scene(server, queue)
    await scene.failing(jobs=10, waiting=12)
    for _ in range(10):
        await queue.complete(await queue.take())
    assert await scene.refuses(PauseQueue()) == "queue-jobs-well"
    job = await queue.take()
    await queue.retry(job)
    assert await scene.refuses(PauseQueue()) == "queue-jobs-well"
    await queue.fail(await queue.take())
    assert await scene.intent(PauseQueue())


@pytest.mark.parametrize(("more", "rule"), [({"memory": "0"}, "queue-memory"), ({"eviction": "allkeys-lru"}, "queue-evicts")])
async def test_a_redis_that_could_drop_waiting_jobs_takes_no_pause(more, rule):
    with QueueRedis(**more) as other:
        queue = BullQueue(other.address, "calls")
        await queue.create()
        scene = Scene(other, queue)
        await scene.failing()
        assert await scene.refuses(PauseQueue()) == rule
        state = await scene.state()
        with pytest.raises(Refused) as no:
            await scene.writer.pause("calls", QueueTerms(state.run_id, "t", "p", state.at_ms + 60_000), dry_run=False)
        assert no.value.rule == rule
        await queue.aclose()


async def test_a_redis_that_fills_up_between_the_look_and_the_pause_takes_none():
    with QueueRedis() as small:
        queue = BullQueue(small.address, "calls")
        await queue.create()
        scene = Scene(small, queue)
        await scene.failing()
        intent = await scene.intent(PauseQueue())
        scene.recorder.on_step = lambda step: queue.say("CONFIG", "SET", "maxmemory", str(state.used_memory * 10 // 8))
        state = await scene.state()
        with pytest.raises(Refused) as no:
            await PauseQueue().effect(intent, scene.recorder.bench())
        assert no.value.rule == "queue-memory"
        # The script sees it by itself, whatever the look said.
        terms = QueueTerms(state.run_id, "t", "p", state.at_ms + 60_000)
        with pytest.raises(Refused) as no:
            await scene.writer.pause("calls", terms, dry_run=False)
        assert no.value.rule == "queue-memory"
        await queue.say("CONFIG", "SET", "maxmemory", "64mb")
        await scene.writer.pause("calls", terms, dry_run=False)
        assert (await scene.state()).owner == "t"
        await queue.aclose()


async def test_a_second_pause_is_refused_and_loses_nothing(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    ready = await scene.intent(PauseQueue(), key="d" * 64)
    await scene.run(PauseQueue())
    for _ in range(3):
        await queue.add()
    before = await queue.jobs()
    with pytest.raises(Refused) as no:
        await PauseQueue().effect(ready, scene.recorder.bench())
    assert no.value.rule in ("queue-changed", "queue-already-paused")
    state = await scene.state()
    with pytest.raises(Refused) as no:
        await scene.writer.pause(queue.name, QueueTerms(state.run_id, "t", "p", state.at_ms + 60_000), dry_run=False)
    assert no.value.rule == "queue-already-paused"
    assert (await queue.jobs(), (await scene.state()).owner) == (before, "a" * 64)


class ByHand:
    """What a person may have done; after each of these the pause is not ours to take back."""

    async def paused(self, scene):
        await scene.queue.pause()

    async def paused_again(self, scene):
        await scene.run(PauseQueue())
        await scene.queue.pause()

    async def resumed_and_paused(self, scene):
        await scene.run(PauseQueue())
        await scene.queue.resume()
        await scene.queue.pause()

    async def resumed(self, scene):
        await scene.run(PauseQueue())
        await scene.queue.resume()

    async def trimmed(self, scene):
        await scene.run(PauseQueue())
        await scene.queue.add()
        await scene.queue.say("XTRIM", scene.queue.at("events"), "MAXLEN", "1")


@pytest.mark.parametrize(
    ("done", "rule"),
    [
        ("paused", "queue-not-our-pause"),
        ("paused_again", "queue-paused-again"),
        ("resumed_and_paused", "queue-paused-again"),
        ("resumed", "queue-not-our-pause"),
        ("trimmed", "queue-paused-again"),
    ],
)
async def test_a_persons_pause_is_never_taken_back(server, queue, done, rule):
    scene = Scene(server, queue)
    await scene.failing()
    await getattr(ByHand(), done)(scene)
    before = await scene.state()
    assert await scene.refuses(ResumeQueue()) == rule
    terms = QueueTerms(before.run_id, "t", "p", before.at_ms + 60_000, owner="a" * 64)
    with pytest.raises(Refused) as no:
        await scene.writer.resume(queue.name, terms, dry_run=False)
    assert no.value.rule == rule
    assert (await scene.state()).meta == before.meta


async def test_a_person_who_pauses_between_the_look_and_the_resumption_wins(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    await scene.run(PauseQueue())
    intent = await scene.intent(ResumeQueue(), key="c" * 64)

    async def pause(step):
        if step == "resume":
            await queue.pause()

    scene.recorder.on_step = pause
    with pytest.raises(Refused) as no:
        await ResumeQueue().effect(intent, scene.recorder.bench())
    assert no.value.rule == "queue-paused-again"
    assert (await scene.state()).paused
