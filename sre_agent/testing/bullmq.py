"""A BullMQ 6 queue as its library leaves it in Redis: producers, workers and people, in the same keys and the same order.

For tests: each method is one atomic script that does to the keys what BullMQ's of the same name does (addStandardJob,
addDelayedJob, addPrioritizedJob, moveToActive, moveToFinished, pause), without locks, parents, rate limits and repeats.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sre_agent.evidence.redis.queue_state import key
from sre_agent.testing.redis_client import AsyncClient, open_async

VERSION = "bullmq:6.7.0"

_KEYS = """
local call, base = redis.call, KEYS[1]
local meta, marker, events, wait = base .. 'meta', base .. 'marker', base .. 'events', base .. 'wait'
local active, delayed, prioritized = base .. 'active', base .. 'delayed', base .. 'prioritized'
local function tell(...) call('XADD', events, 'MAXLEN', '~', call('HGET', meta, 'opts.maxLenEvents') or 10000, '*', ...) end
local function stopped() return call('HEXISTS', meta, 'paused') == 1 end
local function wake() if not stopped() then call('ZADD', marker, 0, '0') end end
local function wake_later()
  local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if first[2] then call('ZADD', marker, tonumber(first[2]) / 4096, '1') end
end
"""
_ADD = """
local id = tostring(call('INCR', base .. 'id'))
call('HSET', base .. id, 'name', ARGV[1], 'data', ARGV[2], 'opts', '{}', 'timestamp', ARGV[3])
call('HSET', base .. id, 'delay', ARGV[4], 'priority', ARGV[5])
tell('event', 'added', 'jobId', id, 'name', ARGV[1])
if tonumber(ARGV[4]) > 0 then
  local at = tonumber(ARGV[3]) + tonumber(ARGV[4])
  call('ZADD', delayed, at * 4096, id)
  tell('event', 'delayed', 'jobId', id, 'delay', at)
  wake_later()
else
  if tonumber(ARGV[5]) > 0 then
    call('ZADD', prioritized, tonumber(ARGV[5]) * 4294967296 + call('INCR', base .. 'pc'), id)
  else
    call('LPUSH', wait, id)
  end
  wake()
  tell('event', 'waiting', 'jobId', id)
end
return id
"""
_TAKE = """
local now = tonumber(ARGV[1])
for _, id in ipairs(call('ZRANGEBYSCORE', delayed, 0, (now + 1) * 4096 - 1, 'LIMIT', 0, 1000)) do
  call('ZREM', delayed, id)
  call('LPUSH', wait, id)
  wake()
  tell('event', 'waiting', 'jobId', id, 'prev', 'delayed')
end
if stopped() then return false end
local id = call('RPOPLPUSH', wait, active)
if not id then
  local best = call('ZPOPMIN', prioritized)
  if not best[1] then return false end
  id = best[1]
  call('LPUSH', active, id)
end
call('HSET', base .. id, 'processedOn', now)
tell('event', 'active', 'jobId', id, 'prev', 'waiting')
return id
"""
_FINISH = """
local id, now, set = ARGV[1], ARGV[2], ARGV[3]
if call('LREM', active, -1, id) == 0 then return redis.error_reply('Job is not in the active state') end
if set == 'retry' then
  call('RPUSH', wait, id)
  wake()
  tell('event', 'waiting', 'jobId', id, 'prev', 'active')
  return 'ok'
end
call('ZADD', base .. set, now, id)
call('HSET', base .. id, set == 'failed' and 'failedReason' or 'returnvalue', ARGV[4], 'finishedOn', now)
tell('event', set, 'jobId', id, set == 'failed' and 'failedReason' or 'returnvalue', ARGV[4], 'prev', 'active')
return 'ok'
"""
_PAUSE = """
if ARGV[1] == 'paused' then
  call('HSET', meta, 'paused', 1)
  call('DEL', marker)
else
  call('HDEL', meta, 'paused')
  if call('LLEN', wait) + call('ZCARD', prioritized) > 0 then wake() else wake_later() end
end
call('XADD', events, '*', 'event', ARGV[1])
return 'ok'
"""


@dataclass
class BullQueue:
    """One queue. The caller closes it with `aclose()`."""

    address: str
    name: str
    prefix: str = "bull"
    client: AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = open_async(self.address, 5.0)

    async def create(self, version: str | None = VERSION) -> None:
        """What `new Queue()` leaves behind: its settings. None: a library that does not say."""
        fields = ["opts.maxLenEvents", "10000", *(["version", version] if version else [])]
        await self.say("HSET", self.at("meta"), *fields)

    async def add(self, data: str = "{}", *, delay_ms: int = 0, priority: int = 0) -> str:
        """A producer adds a job; its id."""
        return str(await self._run(_ADD, "call", json.dumps(data), _now(), delay_ms, priority))

    async def take(self) -> str | None:
        """A worker takes the next job; None when there is none, or the queue is paused."""
        taken = await self._run(_TAKE, _now())
        return None if taken is None else str(taken)

    async def complete(self, job: str) -> None:
        """Its worker is done with it."""
        await self._run(_FINISH, job, _now(), "completed", "null")

    async def fail(self, job: str, reason: str = "connect ECONNREFUSED 10.0.0.9:443") -> None:
        """It failed for good."""
        await self._run(_FINISH, job, _now(), "failed", reason)

    async def retry(self, job: str) -> None:
        """It failed and waits for its next attempt."""
        await self._run(_FINISH, job, _now(), "retry", "")

    async def pause(self) -> None:
        """A person pauses it (`queue.pause()`)."""
        await self._run(_PAUSE, "paused")

    async def resume(self) -> None:
        """A person resumes it (`queue.resume()`)."""
        await self._run(_PAUSE, "resumed")

    async def jobs(self) -> list[str]:
        """The ids of every job, wherever it is, sorted; one that is in two places is there twice."""
        lists = [await self.say("LRANGE", self.at(k), "0", "-1") for k in ("wait", "active")]
        sets = [await self.say("ZRANGE", self.at(k), "0", "-1") for k in ("delayed", "prioritized", "completed", "failed")]
        return sorted(str(job) for found in (*lists, *sets) if isinstance(found, list) for job in found)

    async def say(self, *words: str) -> object:
        """Any command, as the server's own administrator."""
        # The library leaves this method unannotated.
        run: Callable[..., Awaitable[object]] = self.client.execute_command
        return await run(*words)

    def at(self, part: str) -> str:
        """One of its keys."""
        return key(self.prefix, self.name, part)

    async def work(self, outcome: Callable[[str], bool], stop: asyncio.Event, gap_s: float = 0.001) -> int:
        """A worker until `stop`: takes, then completes (`outcome` True) or fails what it took; how many it ended."""
        ended = 0
        while not stop.is_set():
            job = await self.take()
            if job is None:
                await asyncio.sleep(gap_s)
                continue
            await asyncio.sleep(gap_s)
            await (self.complete(job) if outcome(job) else self.fail(job))
            ended += 1
        return ended

    async def aclose(self) -> None:
        """Close its connections."""
        await self.client.aclose()

    async def _run(self, script: str, *words: str | int) -> object:
        return await self.say("EVAL", _KEYS + script, "1", f"{self.prefix}:{self.name}:", *map(str, words))


def _now() -> int:
    return time.time_ns() // 1_000_000
