"""pause_queue and resume_queue interrupted: crash, lost and late answers, halt, missing rights, another Redis process."""

import asyncio

import pytest

from sre_agent.actions.pause_queue import PauseQueue
from sre_agent.actions.resume_queue import ResumeQueue
from sre_agent.adapters.bullmq import QueueWriter
from sre_agent.evidence.redis.access import QueueAccess
from sre_agent.evidence.redis.queue_state import OWNER
from sre_agent.execution.hands import Hands, QueueTerms
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.target import Target
from sre_agent.sources.bullmq import QueueSource
from sre_agent.testing.bullmq import BullQueue
from sre_agent.testing.queue_redis import QueueRedis
from sre_agent.testing.redis_bench import Crashed
from sre_agent.testing.redis_client import ask
from tests.actions.queue_stage import Scene

pytestmark = pytest.mark.slow


class Unsendable(QueueWriter):
    """Hands of a takeover, which must never send."""

    async def pause(self, queue, terms, *, dry_run):
        raise AssertionError("sent again")

    resume = pause


class LostAnswer(QueueWriter):
    """The answer never comes back, though the script ran; `calls` counts what was sent for real."""

    calls = 0

    async def pause(self, queue, terms, *, dry_run):
        await super().pause(queue, terms, dry_run=dry_run)
        if not dry_run:
            self.calls += 1
            raise OutcomeUnknown("sent, no answer")


class NeverArrives(QueueWriter):
    """The script is still on its way: it may arrive any time, or never."""

    def __init__(self, access):
        super().__init__(access)
        self.late = None

    async def pause(self, queue, terms, *, dry_run):
        if dry_run:
            return await super().pause(queue, terms, dry_run=True)
        self.late = (queue, terms)
        raise OutcomeUnknown("sent, no answer")


async def taken_over(scene, intent, action):
    left = scene.recorder.left_behind(intent)
    scene.recorder.hands = Hands(queues=Unsendable(scene.writer._access))
    return await action.recover(left, scene.recorder.bench())


@pytest.mark.parametrize(("crash", "state"), [("dry_run", "not_done"), ("before", "not_done"), ("after", "done")])
async def test_a_crash_is_finished_by_observation_alone(server, queue, crash, state, monkeypatch):
    monkeypatch.setattr("sre_agent.execution.queue_turn.VALID_MS", 300)
    crashing = {"dry_run": {"crash_at": "dry_run"}, "before": {"crash_at": "pause"}, "after": {}}[crash]
    scene = Scene(server, queue, LostAnswer if crash == "after" else None, **crashing)
    await scene.failing()
    intent = await scene.intent(PauseQueue())
    with pytest.raises((Crashed, OutcomeUnknown)):
        await PauseQueue().effect(intent, scene.recorder.bench())
    for _ in range(2):
        outcome = await taken_over(scene, intent, PauseQueue())
        assert outcome.state.value == state, outcome.result
    assert (await scene.state()).paused is (state == "done")
    if crash == "after":
        assert scene.writer.calls == 1


async def test_a_command_that_arrives_after_it_was_given_up_does_nothing(server, queue, monkeypatch):
    monkeypatch.setattr("sre_agent.execution.queue_turn.VALID_MS", 300)
    scene = Scene(server, queue, NeverArrives)
    await scene.failing()
    intent = await scene.intent(PauseQueue())
    with pytest.raises(OutcomeUnknown):
        await PauseQueue().effect(intent, scene.recorder.bench())
    outcome = await taken_over(scene, intent, PauseQueue())
    assert outcome.state is IntentState.NOT_DONE
    name, terms = scene.writer.late
    with pytest.raises(Refused) as no:
        await QueueWriter(server.write_access(name)).pause(name, terms, dry_run=False)
    assert no.value.rule == "queue-too-late"
    assert not (await scene.state()).paused


async def test_a_resumption_without_an_answer_is_seen_by_its_own_mark(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    await scene.run(PauseQueue())
    intent = await scene.intent(ResumeQueue(), key="c" * 64)
    await ResumeQueue().effect(intent, scene.recorder.bench())
    outcome = await taken_over(scene, intent, ResumeQueue())
    assert outcome.state is IntentState.DONE
    await queue.pause()
    outcome = await taken_over(scene, intent, ResumeQueue())
    assert (outcome.state, "paused it since" in outcome.result) == (IntentState.FAILED, True)


async def test_a_pause_that_a_person_took_back_meanwhile_is_told_and_not_repeated(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    intent = await scene.intent(PauseQueue())
    await PauseQueue().effect(intent, scene.recorder.bench())
    await queue.resume()
    outcome = await taken_over(scene, intent, PauseQueue())
    assert outcome.state is IntentState.FAILED
    assert not (await scene.state()).paused


async def test_halted_at_the_last_line_nothing_is_written(server, queue):
    for step in ("dry_run", "pause"):
        scene = Scene(server, queue, halt_at=step)
        await scene.failing()
        intent = await scene.intent(PauseQueue())
        with pytest.raises(Refused) as no:
            await PauseQueue().effect(intent, scene.recorder.bench())
        assert no.value.rule == "halted"
        assert OWNER not in (await scene.state()).meta


async def test_the_servers_own_rights_keep_our_hands_from_every_job(server, queue):
    """Even a script of somebody else's, sent by our writing user, cannot take a job out of a list or change one."""
    scene = Scene(server, queue)
    await scene.failing()
    base = f"bull:{queue.name}:"
    for words in (
        ("DEL", base + "wait"),
        ("RENAME", base + "wait", base + "paused"),
        ("LPOP", base + "wait"),
        ("ZREM", base + "failed", "1"),
        ("DEL", base + "1"),
        ("DEL", base + "meta"),
        ("HSET", base + "1", "data", "x"),
        ("LPUSH", base + "wait", "1"),
        ("FLUSHALL",),
    ):
        call = ", ".join(f"'{w}'" for w in words)
        for command in (words, ("EVAL", f"return redis.call({call})", str(len(words[1:2])), *words[1:2])):
            with pytest.raises(Permanent):
                await scene.writer._send("trial", scene.writer._access.queues[queue.name], command)
    assert len(await queue.jobs()) == 17


async def test_the_reading_user_cannot_pause_and_an_undeclared_queue_is_nobodys(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    state = await scene.state()
    terms = QueueTerms(state.run_id, "t", "p", state.at_ms + 60_000)
    with pytest.raises(Permanent, match="lacks a right"):
        await QueueWriter(server.read_access(queue.name)).pause(queue.name, terms, dry_run=False)
    for tool in (scene.source.read("other"), scene.writer.pause("other", terms, dry_run=False)):
        with pytest.raises(Permanent, match="not declared"):
            await tool


async def test_a_user_who_may_not_do_all_of_it_does_none_of_it(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    state = await scene.state()
    rights = "+ping +info +time (+eval ~bull:*) (%R~bull:* +exists +type +llen +zcard +hget +hexists) (~bull:*:meta +hset +hdel)"
    await queue.say("ACL", "SETUSER", "half", "on", ">half", "resetchannels", *_selectors(rights))
    half = QueueWriter(QueueAccess(scene.writer._access.queues, "half", "half"))
    with pytest.raises(Refused) as no:
        await half.pause(queue.name, QueueTerms(state.run_id, "t", "p", state.at_ms + 60_000), dry_run=False)
    assert no.value.rule == "queue-no-right"
    assert not (await scene.state()).paused


def _selectors(rights):
    """ACL SETUSER takes a selector as one word."""
    words, open_ = [], ""
    for word in rights.split():
        open_ = f"{open_} {word}".strip()
        if not (open_.startswith("(") and not open_.endswith(")")):
            words.append(open_)
            open_ = ""
    return words


async def test_another_redis_process_at_the_same_address_is_another_target(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    state = await scene.state()
    with pytest.raises(Refused) as no:
        await scene.writer.pause(queue.name, QueueTerms("0" * 40, "t", "p", state.at_ms + 60_000), dry_run=False)
    assert no.value.rule == "queue-changed"
    stale = Target(kind="Queue", name=queue.name, uid="0" * 40 + f"/bull:{queue.name}")
    with pytest.raises(Refused) as no:
        await PauseQueue().precondition(stale, scene.recorder.bench())
    assert no.value.rule == "queue-changed"


async def test_a_redis_that_does_not_answer_is_transient_to_read_and_never_sent_to():
    with QueueRedis() as gone:
        access, writing = gone.read_access("calls"), gone.write_access("calls")
    with pytest.raises(Transient):
        await QueueSource(access).read("calls")
    with pytest.raises(Transient, match="not sent"):
        await QueueWriter(writing).pause("calls", QueueTerms("r", "t", "p", 1), dry_run=False)


@pytest.mark.parametrize(("prefix", "paused"), [("{bull}", True), ("bull", False)])
async def test_in_a_redis_cluster_only_a_queue_whose_keys_are_one_nodes_is_paused(prefix, paused):
    with QueueRedis(prefix=prefix, cluster=True) as node:
        queue = BullQueue(node.address, "calls", "{bull}")
        await queue.create()
        scene = Scene(node, queue)
        await scene.failing()
        if paused:
            outcome = await scene.run(PauseQueue())
            assert outcome.state is IntentState.DONE, outcome.result
            assert (await scene.run(ResumeQueue(), key="c" * 64)).state is IntentState.DONE
        else:
            # Keys without a tag are spread over slots: neither reading them at one instant nor the script is possible.
            with pytest.raises(Permanent, match="cannot be read"):
                await scene.state()
            with pytest.raises(Refused):
                await scene.writer.pause("calls", QueueTerms("r", "t", "p", 2**50), dry_run=False)
        await queue.aclose()


async def test_a_replica_takes_no_pause(server, queue):
    scene = Scene(server, queue)
    await scene.failing()
    with QueueRedis() as other:
        port = server.address.rpartition(":")[2]
        ask(other.address, "REPLICAOF", "127.0.0.1", port)
        async with asyncio.timeout(10):
            while ask(other.address, "INFO", "replication").get("master_link_status") != "up":
                await asyncio.sleep(0.05)
        replica = Scene(other, queue)
        state = await replica.state()
        assert await replica.refuses(PauseQueue()) == "queue-not-primary"
        with pytest.raises(Refused) as no:
            await replica.writer.pause(queue.name, QueueTerms(state.run_id, "t", "p", state.at_ms + 60_000), dry_run=False)
        assert no.value.rule == "queue-not-primary"
    assert not (await scene.state()).paused


@pytest.mark.parametrize("part", ["meta", "marker", "events", "wait", "prioritized", "delayed"])
async def test_keys_that_are_not_bullmqs_are_left_alone(server, queue, part):
    scene = Scene(server, queue)
    await scene.failing()
    state = await scene.state()
    await queue.say("DEL", queue.at(part))
    await queue.say("SET", queue.at(part), "somebody else's")
    with pytest.raises(Refused) as no:
        await scene.writer.pause(queue.name, QueueTerms(state.run_id, "t", "p", state.at_ms + 60_000), dry_run=False)
    assert no.value.rule == "queue-wrong-type"
    assert await queue.say("GET", queue.at(part)) == "somebody else's"
    if part != "meta":
        assert not await queue.say("HEXISTS", queue.at("meta"), "paused")
