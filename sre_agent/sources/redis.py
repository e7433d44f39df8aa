"""Redis and Sentinel, read only: what every sentinel and every node says, and how fast they answer.

Law: read credentials, no write, no retry, a bound on every call. Time-outs are latency, not silence.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.redis.access import RedisAccess, split_address
from sre_agent.evidence.redis.state import NodeView, RedisState, SentinelView
from sre_agent.evidence.redis.timing import busy_share, growth, measured, slow_commands
from sre_agent.evidence.source import Scope

MOST_SLOW = "16"
"""Entries of SLOWLOG asked for. A user without +slowlog|get is simply not told."""
FAILURES = (RedisError, OSError, TimeoutError, ValueError)


@dataclass(frozen=True)
class Sampling:
    """How nodes are timed: `pings` sent at a fixed rate, `every_s` apart, each given up after `timeout_s`.

    The default spans 0.9 s with steps of 0.1 s, so that a node stopped for 0.5 s of every 0.6 s is caught at
    least three times in whatever phase it is. `call_s` bounds every other call.
    """

    pings: int = 10
    every_s: float = 0.1
    timeout_s: float = 0.3
    call_s: float = 1.5


class RedisSource:
    """EvidenceSource, RedisReader and RedisGlancer over one set of sentinels."""

    name = "redis"
    kind = EvidenceKind.REDIS

    def __init__(self, access: RedisAccess, sampling: Sampling | None = None) -> None:
        self._access = access
        self._sampling = sampling or Sampling()

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One Evidence per distinct alert label `redis_master`; an empty tuple when no alert names one."""
        masters = sorted(scope.incident.label_values("redis_master"))
        return tuple(await asyncio.gather(*(self._evidence(m, scope) for m in masters)))

    async def read(self, master: str) -> RedisState:
        """Ask every sentinel and every node, and time the nodes (about 1.5 s)."""
        return await self._look(master, timed=True)

    async def glance(self, master: str, *, skip: Collection[str] = ()) -> RedisState:
        """Ask every sentinel and every node not in `skip` once, untimed (30 ms, when they are well)."""
        return await self._look(master, timed=False, skip=skip)

    async def masters(self) -> dict[str, tuple[str, ...] | str]:
        """Each sentinel's address to the names of the masters it watches, or to why it does not say."""
        told = await asyncio.gather(*(self._masters(a) for a in self._access.sentinels))
        return dict(zip(self._access.sentinels, told, strict=True))

    async def _masters(self, address: str) -> tuple[str, ...] | str:
        password = self._access.sentinel_password
        try:
            async with asyncio.timeout(self._sampling.call_s), self._open(address, None, password) as sentinel:
                told = await _ask(sentinel, "SENTINEL", "MASTERS")
        except FAILURES as failure:
            return _why(failure)
        # The library gives a mapping by name; a server that speaks otherwise gives a list of name/value rows.
        rows = list(told.values()) if isinstance(told, dict) else told if isinstance(told, list) else []
        return tuple(sorted(str(name) for row in rows if (name := _flat(row).get("name"))))

    async def _look(self, master: str, *, timed: bool, skip: Collection[str] = ()) -> RedisState:
        sentinels = await asyncio.gather(*(self._sentinel(a, master) for a in self._access.sentinels))
        told = RedisState(name=master, sentinels=sentinels)
        known = told.primary_addresses | {a for s in sentinels for r in s.replicas if (a := _address(r))}
        addresses = sorted(known.difference(skip))
        nodes = await asyncio.gather(*(self._node(a, timed=timed) for a in addresses))
        return told.model_copy(update={"nodes": tuple(nodes)})

    async def _evidence(self, master: str, scope: Scope) -> Evidence:
        state = await self.read(master)
        errors = [s.error for s in state.sentinels if s.error]
        status, error = EvidenceStatus.OK, ""
        if len(errors) == len(state.sentinels):
            unknown = any("no such master" in e.lower() for e in errors)
            status = EvidenceStatus.NO_DATA if unknown else EvidenceStatus.ERROR
            error = errors[0] if errors else "no sentinel is configured (REDIS_SENTINELS)"
        payload = state.model_dump(mode="json")
        return Evidence(
            id="",
            source=self.name,
            kind=self.kind,
            query=f"SENTINEL MASTER, REPLICAS, CKQUORUM {master}; INFO and timed PING on every node",
            status=status,
            observed_at=scope.now,
            payload=payload,
            error=error,
        )

    async def _sentinel(self, address: str, master: str) -> SentinelView:
        password = self._access.sentinel_password
        try:
            async with asyncio.timeout(self._sampling.call_s), self._open(address, None, password) as sentinel:
                told = _flat(await _ask(sentinel, "SENTINEL", "MASTER", master))
                where = await _ask(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
                if isinstance(where, list | tuple) and len(where) == 2:
                    told |= {"ip": str(where[0]), "port": str(where[1])}
                rows = await _ask(sentinel, "SENTINEL", "REPLICAS", master)
                about = await _ask(sentinel, "INFO", "server")
                return SentinelView(
                    address=address,
                    master=told,
                    replicas=tuple(_flat(r) for r in rows) if isinstance(rows, list) else (),
                    ckquorum=await _quorum(sentinel, master),
                    version=_version(about),
                )
        except FAILURES as failure:
            return SentinelView(address=address, error=_why(failure))

    async def _node(self, address: str, *, timed: bool) -> NodeView:
        try:
            async with self._open(address, self._access.username, self._access.password) as node:
                before = await asyncio.wait_for(_info(node), self._sampling.call_s)
                if not timed:
                    return NodeView(address=address, info=before)
                taken = await self._time(node)
                view = measured(address, before, taken, self._sampling.timeout_s)
                with contextlib.suppress(*FAILURES):
                    after = await asyncio.wait_for(_info(node), self._sampling.call_s)
                    told = {"info": after, "busy": busy_share(before, after), "per_s": growth(before, after)}
                    view = view.model_copy(update=told)
                    slow = await asyncio.wait_for(_ask(node, "SLOWLOG", "GET", MOST_SLOW), self._sampling.call_s)
                    view = view.model_copy(update={"slow": slow_commands(slow, after)})
                return view
        except FAILURES as failure:
            return NodeView(address=address, error=_why(failure))

    async def _time(self, node: "Redis") -> list[float | None]:
        """Seconds each PING took, None for those given up: sent on time, whether or not earlier ones answered."""
        s = self._sampling

        async def one(due: float) -> float | None:
            await asyncio.sleep(due)
            began = time.monotonic()
            try:
                await asyncio.wait_for(_ask(node, "PING"), s.timeout_s)
            except FAILURES:
                return None
            return time.monotonic() - began

        return list(await asyncio.gather(*(one(n * s.every_s) for n in range(s.pings))))

    @contextlib.asynccontextmanager
    async def _open(self, address: str, username: str | None, password: str | None) -> "AsyncIterator[Redis]":
        host, port = split_address(address)
        node = Redis(
            host=host,
            port=port,
            username=username,
            password=password,
            ssl=self._access.tls,
            ssl_ca_certs=self._access.ca,
            socket_timeout=self._sampling.call_s,
            socket_connect_timeout=self._sampling.call_s,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        try:
            yield node
        finally:
            await node.aclose()


async def _ask(node: "Redis", *words: str) -> object:
    # The library leaves this method unannotated.
    run: Callable[..., Awaitable[object]] = node.execute_command
    return await run(*words)


async def _info(node: "Redis") -> dict[str, Any]:
    answer = await _ask(node, "INFO")
    return {str(k): v for k, v in answer.items()} if isinstance(answer, dict) else {}


async def _quorum(sentinel: "Redis", master: str) -> str:
    # The raw command: the library's own method answers False to a healthy "OK 3 usable Sentinels. ...".
    try:
        return str(await _ask(sentinel, "SENTINEL", "CKQUORUM", master))
    except RedisError as no:
        return str(no)


def _flat(answer: object) -> dict[str, Any]:
    """A reply of name/value pairs, flat (RESP2) or a map, as a dict."""
    if isinstance(answer, dict):
        return {str(k): v for k, v in answer.items()}
    items = list(answer) if isinstance(answer, list | tuple) else []
    return {str(k): v for k, v in zip(items[::2], items[1::2], strict=False)}


def _address(row: dict[str, Any]) -> str | None:
    return f"{row['ip']}:{row['port']}" if row.get("ip") and row.get("port") else None


def _version(about: object) -> str:
    info = about if isinstance(about, dict) else {}
    if info.get("valkey_version"):
        return f"valkey {info['valkey_version']}"
    return f"redis {info['redis_version']}" if info.get("redis_version") else ""


def _why(failure: BaseException) -> str:
    return str(failure) or type(failure).__name__
