"""A BullMQ queue on a real Redis whose jobs fail at what is behind it: what the tests of pause_queue and resume_queue stand on."""

import pytest

from sre_agent.adapters.bullmq import QueueWriter
from sre_agent.evidence.redis.queue_state import identity
from sre_agent.execution.action import Readers
from sre_agent.execution.hands import Hands
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target
from sre_agent.sources.bullmq import QueueSource
from sre_agent.testing.redis_bench import RecordingBench


class Scene:
    """One queue whose calls fail behind it, and what the actions are given."""

    def __init__(self, server, queue, hands=None, **bench):
        self.queue = queue
        self.source = QueueSource(server.read_access(queue.name))
        self.writer = hands(server.write_access(queue.name)) if hands else QueueWriter(server.write_access(queue.name))
        self.recorder = RecordingBench(Hands(queues=self.writer), Readers(queues=self.source), **bench)

    async def failing(self, jobs=12, waiting=5, reason="connect ECONNREFUSED 10.0.0.9:443"):
        """So many attempts failed, so many jobs wait."""
        for _ in range(jobs):
            await self.queue.add()
            await self.queue.fail(await self.queue.take(), reason)
        for _ in range(waiting):
            await self.queue.add()

    async def state(self):
        return await self.source.read(self.queue.name)

    async def target(self):
        return Target(kind="Queue", name=self.queue.name, uid=identity(await self.state()))

    async def intent(self, action, key="a" * 64):
        intent = await self.recorder.intent(action, await self.target())
        return intent.model_copy(update={"key": key, "plan_hash": "b" * 64})

    async def run(self, action, key="a" * 64):
        return await action.effect(await self.intent(action, key), self.recorder.bench())

    async def refuses(self, action):
        with pytest.raises(Refused) as no:
            await action.precondition(await self.target(), self.recorder.bench())
        return no.value.rule
