"""Histories drawn by hypothesis on a real Redis: producers, workers, people and our two scripts in any order."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.adapters.bullmq import QueueWriter
from sre_agent.evidence.redis.queue_health import unmet_for_resume
from sre_agent.evidence.redis.queue_state import identity
from sre_agent.execution.hands import QueueTerms
from sre_agent.incident.errors import Refused
from sre_agent.sources.bullmq import QueueSource
from sre_agent.testing.bullmq import BullQueue
from sre_agent.testing.queue_redis import QueueRedis

pytestmark = pytest.mark.slow
MOVES = ("add", "add_delayed", "add_prioritized", "take", "complete", "fail", "retry", "pause", "resume", "our_pause", "our_resume")
LATER_MS = 3_600_000
numbers = itertools.count()


@pytest.fixture(scope="module")
def server():
    with QueueRedis() as running:
        yield running


class History:
    """One queue, and beside it what should be so: which jobs there are, and whose pause, if any, it is."""

    def __init__(self, server, queue):
        self.queue = queue
        self.source = QueueSource(server.read_access(queue.name))
        self.writer = QueueWriter(server.write_access(queue.name))
        self.jobs, self.running, self.tokens = [], [], itertools.count()
        self.paused, self.ours = False, None

    async def play(self, move):
        if move == "take":
            job = await self.queue.take()
            assert job is None or not self.paused
            self.running += [job] if job else []
        elif move in ("complete", "fail", "retry"):
            if self.running:
                await getattr(self.queue, move)(self.running.pop())
        elif move in ("pause", "resume"):
            await getattr(self.queue, move)()
            self.paused, self.ours = move == "pause", None
        elif move.startswith("our"):
            await getattr(self, move)()
        else:
            self.jobs.append(await self.queue.add(delay_ms=LATER_MS * ("delayed" in move), priority=int("prior" in move)))
        state = await self.source.read(self.queue.name)
        assert (state.paused, state.lost) == (self.paused, 0)
        assert (unmet_for_resume(state, identity(state)) == ()) is (self.ours is not None)
        assert await self.queue.jobs() == sorted(self.jobs)

    async def our_pause(self):
        token = f"{next(self.tokens):064x}"
        if await self.said("pause", token):
            assert not self.paused
            self.paused, self.ours = True, token
        else:
            assert (self.paused, self.rule) == (True, "queue-already-paused")

    async def our_resume(self):
        owner = self.ours or f"{0:064x}"
        if await self.said("resume", f"{next(self.tokens):064x}", owner):
            assert self.ours is not None
            self.paused, self.ours = False, None
            state = await self.source.read(self.queue.name)
            wanted = ["0"] if state.backlog else ["1"] if state.delayed else []
            assert await self.queue.say("ZRANGE", self.queue.at("marker"), "0", "-1") == wanted
        else:
            assert self.ours is None
            assert self.rule in ("queue-not-our-pause", "queue-paused-again")

    async def said(self, verb, token, owner=""):
        state = await self.source.read(self.queue.name)
        terms = QueueTerms(state.run_id, token, "plan", state.at_ms + 60_000, owner)
        try:
            await getattr(self.writer, verb)(self.queue.name, terms, dry_run=False)
        except Refused as no:
            self.rule = no.rule
            return False
        return True


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from(MOVES), min_size=5, max_size=25))
def test_no_job_is_ever_missing_and_only_our_own_untouched_pause_is_taken_back(server, moves):
    async def told():
        queue = BullQueue(server.address, f"history-{next(numbers)}")
        try:
            await queue.create()
            history = History(server, queue)
            for move in moves:
                await history.play(move)
        finally:
            await queue.aclose()

    asyncio.run(told())
