"""The hands on BullMQ queues: QueueHands with the write credentials, and nothing else.

Law: one script a call, one attempt, a bound on every call, no retry. A time-out after sending is OutcomeUnknown; a script that
arrives after its deadline does nothing. Where a queue is comes from its declaration, never from an alert.
"""

import asyncio
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, RedisError, ResponseError

from sre_agent.adapters.bullmq.scripts import PARTS, PAUSE, RESUME
from sre_agent.evidence.redis.access import QueueAccess, QueuePlace, split_address
from sre_agent.evidence.redis.queue_health import MOST_MEMORY_PCT, PAUSE_TTL_MS, WORDS
from sre_agent.evidence.redis.queue_state import key
from sre_agent.execution.hands import QueueTerms
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient

CALL_S = 2.0
"""Bound on one call, connecting included (seconds)."""


class QueueWriter:
    """QueueHands over the write user. `access` must be the write credentials; there is no fallback to others."""

    def __init__(self, access: QueueAccess, call_s: float = CALL_S) -> None:
        self._access = access
        self._call_s = call_s

    async def pause(self, queue: str, terms: QueueTerms, *, dry_run: bool) -> None:
        """Set the flag, and ours beside it, for PAUSE_TTL_MS."""
        await self._run("pause", PAUSE, queue, terms, (dry_run, PAUSE_TTL_MS, MOST_MEMORY_PCT))

    async def resume(self, queue: str, terms: QueueTerms, *, dry_run: bool) -> None:
        """Take the flag away, and wake the workers as BullMQ does."""
        await self._run("resume", RESUME, queue, terms, (dry_run, terms.owner))

    async def _run(self, verb: str, script: str, queue: str, terms: QueueTerms, rest: tuple[bool | int | str, ...]) -> None:
        place = self._access.queues.get(queue)
        if place is None:
            raise Permanent(f"the queue {queue!r} is not declared with its Redis (queue/{queue} in targets.yaml: redis)")
        keys = [key(place.prefix, queue, part) for part in PARTS]
        dry, *more = rest
        bound = (terms.run_id, terms.token, terms.plan, str(terms.deadline_ms), "1" if dry else "0", *map(str, more))
        said = await self._send(f"{verb} of {queue} at {place.address}", place, ("EVAL", script, str(len(keys)), *keys, *bound))
        if said != "ok":
            rule = str(said)
            raise Refused(rule, f"{verb} of {queue}: {WORDS.get(rule, 'the script said no')}")

    async def _send(self, what: str, place: QueuePlace, words: tuple[str, ...]) -> object:
        """Connect, then send once, within one bound. Raises Transient (never sent), OutcomeUnknown (sent, no answer),
        Refused (answered with an error) or Permanent (our credentials are wrong)."""
        node = self._open(place)
        deadline = asyncio.get_running_loop().time() + self._call_s
        try:
            async with asyncio.timeout_at(deadline):
                await node.initialize()
        except (AuthenticationError, NoPermissionError) as no:
            await node.aclose()
            raise Permanent(f"{what}: the write user was not accepted ({no}); check REDIS_WRITE_USERNAME") from no
        except (RedisError, OSError, TimeoutError) as failure:
            await node.aclose()
            raise Transient(f"{what}: not sent, no connection ({failure or type(failure).__name__})") from failure
        try:
            async with asyncio.timeout_at(deadline):
                # The library leaves this method unannotated.
                run: Callable[..., Awaitable[object]] = node.execute_command
                return await run(*words)
        except ResponseError as no:
            raise _refused(what, no) from no
        except (RedisError, OSError, TimeoutError) as failure:
            raise OutcomeUnknown(f"{what}: sent, no answer ({failure or type(failure).__name__})") from failure
        finally:
            await node.aclose()

    def _open(self, place: QueuePlace) -> "Redis":
        host, port = split_address(place.address)
        return Redis(
            host=host,
            port=port,
            username=self._access.username,
            password=self._access.password,
            ssl=self._access.tls,
            ssl_ca_certs=self._access.ca,
            socket_timeout=self._call_s,
            socket_connect_timeout=self._call_s,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            single_connection_client=True,
            protocol=2,
        )


def _refused(what: str, no: ResponseError) -> Refused | Permanent:
    text = str(no)
    if isinstance(no, NoPermissionError) or "NOPERM" in text or "ACL failure" in text:
        return Permanent(f"{what}: the write user lacks a right ({text})")
    if isinstance(no, ReadOnlyError) or "READONLY" in text:
        return Refused("queue-not-primary", f"{what}: {WORDS['queue-not-primary']}")
    return Refused("queue-refused", f"{what}: {text}")
