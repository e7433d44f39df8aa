"""One Redis for the queues of a test module, and one queue for a test."""

import hashlib

import pytest

from sre_agent.testing.bullmq import BullQueue
from sre_agent.testing.queue_redis import QueueRedis


@pytest.fixture(scope="module")
def server():
    with QueueRedis() as running:
        yield running


@pytest.fixture
async def queue(server, request):
    found = BullQueue(server.address, f"calls-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}")
    await found.create()
    yield found
    await found.aclose()
