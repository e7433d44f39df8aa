"""BullMQ queues that owners declared: they can be read, and the hands get in where they are."""

import asyncio

from sre_agent.adapters.redis_rights import Login
from sre_agent.evidence.redis.access import QueueAccess
from sre_agent.evidence.redis.queue_state import key
from sre_agent.incident.errors import SreAgentError
from sre_agent.sources.bullmq import QueueSource
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.redis_users import Rights, judged
from sre_agent.wiring.doctor.verdict import Seen, broken, ok, skipped, together, warning
from sre_agent.wiring.readers import queue_access

NONE = "no queue is declared (queue/NAME in targets.yaml)"
CALL_S = 2.5


async def _access(connections: Connections, *, write: bool) -> QueueAccess | None:
    return queue_access(connections.settings, (await connections.books()).bundle.declared.targets, write=write)


async def _reads(connections: Connections) -> Seen:
    access = await _access(connections, write=False)
    if access is None:
        return skipped(NONE)
    source = QueueSource(access, min(CALL_S, connections.request_s))

    async def one(queue: str) -> Seen:
        try:
            state = await source.read(queue)
        except SreAgentError as error:
            return broken(str(error), "Check `redis` and `key_prefix` of the queue in targets.yaml, and the ACL of REDIS_USERNAME.")
        if not state.meta:
            return warning(f"{queue}: no queue of this name is there", "Check its name and `key_prefix` in targets.yaml.")
        return ok(f"{queue} can be read")

    return together(await asyncio.gather(*(one(queue) for queue in access.queues)))


async def _writes(connections: Connections) -> Seen:
    access = await _access(connections, write=True)
    if access is None:
        return skipped(NONE)
    seen = []
    for queue, place in access.queues.items():
        meta = key(place.prefix, queue, "meta")
        needed = (("PING",), ("EVAL", "return 1", "1", meta), ("HSET", meta, "paused", "1"), ("HDEL", meta, "paused"))
        login = Login(place.address, access.username, access.password, access.tls, access.ca)
        seen.append(await judged([login], Rights("writing", "REDIS_WRITE_USERNAME", needed), min(CALL_S, connections.request_s)))
    found = together(seen)
    if access.username == connections.settings.redis_username:
        same = warning("reading and writing use the same user", "Give the hands a user of their own.")
        return together([found, same])
    return found


_DATA = ("SRE_AGENT_POLICY_DATA",)
_READER, _WRITER = ("REDIS_USERNAME", *_DATA), ("REDIS_WRITE_USERNAME",)
_ASK = "Check that the Redis of each queue can be reached from here."
_BOOKS = "settings.policies"
CHECKS = (
    Check(
        "queues",
        "read_user",
        "Declared queues can be read.",
        _reads,
        _ASK,
        about=("REDIS_USERNAME", *_DATA),
        after=_BOOKS,
        books=True,
    ),
    Check(
        "queues",
        "write_user",
        "The hands may pause declared queues.",
        _writes,
        _ASK,
        ("REDIS_WRITE_USERNAME",),
        _DATA,
        _BOOKS,
        True,
    ),
)
