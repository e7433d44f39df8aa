"""A Redis Cluster, read only: what every node says about the cluster, and how fast each answers.

Law: read credentials, no write, no retry, a bound on every call. Time-outs are latency, not silence.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.redis.access import ClusterAccess, split_address
from sre_agent.evidence.redis.cluster_state import SOURCE, RedisClusterState, Vantage, parse_info, parse_nodes
from sre_agent.evidence.redis.state import NodeView
from sre_agent.evidence.redis.timing import busy_share, measured
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import Permanent

FAILURES = (RedisError, OSError, TimeoutError, ValueError)
PINGS = 10
EVERY_S = 0.1
PING_S = 0.3
CALL_S = 1.5
MOST_NODES = 200


class RedisClusterSource:
    """EvidenceSource and RedisClusterReader over the one cluster that `access` names."""

    name = SOURCE
    kind = EvidenceKind.REDIS

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One Evidence when an alert's label `redis_cluster` names this cluster; else an empty tuple."""
        if self._access.name not in scope.incident.label_values("redis_cluster"):
            return ()
        state = await self.read(self._access.name)
        errors = [v.error for v in state.vantages if v.error]
        status = EvidenceStatus.OK if state.answering else EvidenceStatus.ERROR
        evidence = Evidence(
            id="",
            source=self.name,
            kind=self.kind,
            query=f"CLUSTER NODES, CLUSTER INFO, INFO and timed PING on every node of {state.name}",
            status=status,
            observed_at=scope.now,
            payload=state.model_dump(mode="json"),
            error="" if state.answering else (errors[0] if errors else "no node is configured (REDIS_CLUSTER_NODES)"),
        )
        return (evidence,)

    async def read(self, cluster: str) -> RedisClusterState:
        """Ask every node, and time it (about 1.5 s). Permanent for a cluster that is not configured here."""
        return await self._look(cluster, timed=True)

    async def glance(self, cluster: str) -> RedisClusterState:
        """Ask every node once, untimed (`latency_ms` stays empty)."""
        return await self._look(cluster, timed=False)

    async def _look(self, cluster: str, *, timed: bool) -> RedisClusterState:
        # SAFETY: the label says which cluster is meant; these seeds are one cluster's only.
        if cluster != self._access.name:
            raise Permanent(f"the Redis Cluster {cluster!r} is not configured here, {self._access.name!r} is (REDIS_CLUSTER_NAME)")
        seeds = await asyncio.gather(*(self._vantage(a, timed=timed) for a in self._access.nodes))
        known = {v.id: v for v in seeds if v.id}
        silent = [v for v in seeds if not v.id]
        met = {n.id: n.address for v in known.values() for n in v.nodes if not n.failing and not n.address.startswith(":")}
        others = [(i, a) for i, a in sorted(met.items()) if i not in known and a not in {v.address for v in silent}]
        found = await asyncio.gather(*(self._vantage(a, timed=timed) for _, a in others[:MOST_NODES]))
        told = [*known.values(), *found, *(_placed(v, met) for v in silent)]
        return RedisClusterState(name=cluster, vantages=tuple(sorted(told, key=lambda v: v.address)))

    async def _vantage(self, address: str, *, timed: bool) -> Vantage:
        try:
            async with self._open(address) as node:
                info, cluster, nodes = await asyncio.wait_for(_asked(node), CALL_S)
                seen = parse_nodes(nodes)
                view = NodeView(address=address, info=info)
                if timed:
                    view = await self._timed(node, view)
        except FAILURES as failure:
            why = str(failure) or type(failure).__name__
            return Vantage(address=address, node=NodeView(address=address, error=why), error=why)
        own = next((n.id for n in seen if "myself" in n.flags), "")
        return Vantage(address=address, id=own, info=parse_info(cluster), nodes=seen, node=view)

    async def _timed(self, node: "Redis", before: NodeView) -> NodeView:
        async def one(due: float) -> float | None:
            await asyncio.sleep(due)
            began = time.monotonic()
            try:
                await asyncio.wait_for(_ask(node, "PING"), PING_S)
            except FAILURES:
                return None
            return time.monotonic() - began

        taken = await asyncio.gather(*(one(n * EVERY_S) for n in range(PINGS)))
        view = measured(before.address, before.info, taken, PING_S)
        with contextlib.suppress(*FAILURES):
            after = _mapping(await asyncio.wait_for(_ask(node, "INFO"), CALL_S))
            view = view.model_copy(update={"info": after, "busy": busy_share(before.info, after)})
        return view

    @contextlib.asynccontextmanager
    async def _open(self, address: str) -> "AsyncIterator[Redis]":
        host, port = split_address(address)
        node = Redis(
            host=host,
            port=port,
            username=self._access.username,
            password=self._access.password,
            ssl=self._access.tls,
            ssl_ca_certs=self._access.ca,
            socket_timeout=CALL_S,
            socket_connect_timeout=CALL_S,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        try:
            yield node
        finally:
            await node.aclose()


async def _asked(node: "Redis") -> tuple[dict[str, Any], str, str]:
    info = _mapping(await _ask(node, "INFO"))
    return info, str(await _ask(node, "CLUSTER", "INFO")), str(await _ask(node, "CLUSTER", "NODES"))


async def _ask(node: "Redis", *words: str) -> object:
    # The library leaves this method unannotated.
    run: Callable[..., Awaitable[object]] = node.execute_command
    return await run(*words)


def _mapping(answer: object) -> dict[str, Any]:
    return {str(k): v for k, v in answer.items()} if isinstance(answer, dict) else {}


def _placed(silent: Vantage, met: dict[str, str]) -> Vantage:
    """A seed that did not answer, with the id that the others know it by."""
    ids = [i for i, address in met.items() if address == silent.address]
    return silent.model_copy(update={"id": ids[0]}) if len(ids) == 1 else silent
