"""BullMQ queues, read only: settings, counts and the newest events of each queue that its owners declared.

Law: read credentials, no write, no retry, a bound on every call. Where a queue is comes from policies/data/targets.yaml; an
alert only names it. Reasons that jobs give are sorted into kinds here and not kept.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.redis.access import QueueAccess, QueuePlace, split_address
from sre_agent.evidence.redis.queue_state import EVENT, RECENT_MS, SOURCE, QueueState, key, recent, since
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import Permanent, Transient

CALL_S = 2.5
MOST_RECENT = 1000
"""Newest events that the share of failures is counted over, at most."""
MOST_SINCE = 20_000
"""Events since a pause that are followed, at most; BullMQ keeps about 10 000."""
LABEL = "queue"


class QueueSource:
    """EvidenceSource and QueueReader over the declared queues."""

    name = SOURCE
    kind = EvidenceKind.REDIS

    def __init__(self, access: QueueAccess, call_s: float = CALL_S) -> None:
        self._access = access
        self._call_s = call_s

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One Evidence per declared queue that an alert's label `queue` names; else an empty tuple."""
        names = sorted(n for n in scope.incident.label_values(LABEL) if n in self._access.queues)
        return tuple(await asyncio.gather(*(self._evidence(n, scope) for n in names)))

    async def read(self, queue: str) -> QueueState:
        """One transaction. Permanent: not declared, not readable for this user, or not a queue. Transient: no answer."""
        # SAFETY: a name leads to a declared place or nowhere.
        place = self._access.queues.get(queue)
        if place is None:
            raise Permanent(f"the queue {queue!r} is not declared with its Redis (queue/{queue} in targets.yaml: redis)")
        what = f"the queue {queue} at {place.address}"
        try:
            async with asyncio.timeout(self._call_s), self._open(place) as node:
                return await _look(node, queue, place)
        except (AuthenticationError, NoPermissionError) as no:
            raise Permanent(f"{what}: the reading user was not accepted, or lacks a right ({no})") from no
        except ResponseError as no:
            raise Permanent(f"{what} cannot be read as BullMQ's: {no}") from no
        except (RedisError, OSError, TimeoutError) as failure:
            raise Transient(f"{what} does not answer ({failure or type(failure).__name__})") from failure
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as odd:
            raise Permanent(f"{what} answers something else than Redis does: {odd}") from odd

    async def _evidence(self, queue: str, scope: Scope) -> Evidence:
        try:
            state = await self.read(queue)
        except (Transient, Permanent) as failure:
            state = QueueState(name=queue, error=str(failure)[:300])
        return Evidence(
            id="",
            source=self.name,
            kind=self.kind,
            query=f"settings, counts and events of the BullMQ queue {queue}, and INFO",
            status=EvidenceStatus.ERROR if state.error else EvidenceStatus.OK,
            observed_at=scope.now,
            payload=state.model_dump(mode="json"),
            error=state.error,
        )

    @contextlib.asynccontextmanager
    async def _open(self, place: QueuePlace) -> "AsyncIterator[Redis]":
        host, port = split_address(place.address)
        node = Redis(
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
            protocol=2,
        )
        try:
            yield node
        finally:
            await node.aclose()


_COUNTS = {"waiting": ("LLEN", "wait"), "active": ("LLEN", "active")} | {
    name: ("ZCARD", name) for name in ("prioritized", "delayed", "failed", "completed")
}


async def _look(node: "Redis", queue: str, place: QueuePlace) -> QueueState:
    def at(part: str) -> str:
        return key(place.prefix, queue, part)

    began, before = await _together(node, ("TIME",), ("HGETALL", at("meta")))
    own = before.get(EVENT, "")
    events = at("events")
    told = await _together(
        node,
        ("TIME",),
        ("HGETALL", at("meta")),
        ("EXISTS", at("meta-paused")),
        ("EXISTS", at("paused")),
        *((command, at(part)) for command, part in _COUNTS.values()),
        ("XREVRANGE", events, "+", str(_ms(began) - RECENT_MS), "COUNT", MOST_RECENT),
        ("XRANGE", events, own or "+", "+", "COUNT", MOST_SINCE + 1),
        ("INFO",),
    )
    now, meta, bull, listed, *counted = told
    *counts, newest, following, info = counted
    followed = since(following, own) if len(following) <= MOST_SINCE else since((), own)
    return QueueState(
        name=queue,
        prefix=place.prefix,
        at_ms=_ms(now),
        run_id=str(info["run_id"]),
        role=str(info["role"]),
        clustered=bool(int(info.get("cluster_enabled", 0))),
        used_memory=int(info["used_memory"]),
        max_memory=int(info["maxmemory"]),
        eviction=str(info["maxmemory_policy"]),
        meta={str(k): str(v) for k, v in meta.items()},
        bull_flag=bool(bull),
        paused_list=bool(listed),
        **dict(zip(_COUNTS, map(int, counts), strict=True)),
        recent=recent(reversed(newest)),
        since=followed,
    )


async def _together(node: "Redis", *commands: tuple[str | int, ...]) -> list[Any]:
    """All at one instant: MULTI ... EXEC."""
    pipe = node.pipeline(transaction=True)
    # The library leaves this method unannotated.
    add: Callable[..., object] = pipe.execute_command
    for words in commands:
        add(*words)
    return list(await pipe.execute())


def _ms(time: tuple[int, int]) -> int:
    seconds, micros = time
    return int(seconds) * 1000 + int(micros) // 1000
