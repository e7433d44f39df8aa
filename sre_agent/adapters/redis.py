"""The hands on Redis: RedisHands with the write credentials, and nothing else.

Law: one attempt a call, a bound on every call, no retry: whoever calls decides whether a verb may be sent again
(only SENTINEL FAILOVER may not). A time-out after sending is OutcomeUnknown, never "nothing happened".
"""

import asyncio
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, RedisError, ResponseError

from sre_agent.evidence.redis.access import RedisAccess, split_address
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient

CALL_S = 1.5
"""Bound on one call, connecting included (seconds). A sick node that runs every 0.6 s answers within it."""


class RedisWriter:
    """RedisHands over the write user. `access` must be the write credentials; there is no fallback to others."""

    def __init__(self, access: RedisAccess, call_s: float = CALL_S) -> None:
        self._access = access
        self._call_s = call_s

    async def pause_writes(self, node: str, milliseconds: int) -> None:
        """CLIENT PAUSE <ms> WRITE: reads go on, writes wait."""
        await self._node(node, "CLIENT", "PAUSE", str(milliseconds), "WRITE")

    async def unpause(self, node: str) -> None:
        """CLIENT UNPAUSE."""
        await self._node(node, "CLIENT", "UNPAUSE")

    async def failover(self, sentinel: str, master: str, *, coordinated: bool) -> None:
        """SENTINEL FAILOVER <master> [COORDINATED]. Any error answer (NOGOODSLAVE, INPROG, ...) is Refused."""
        words = ("SENTINEL", "FAILOVER", master, *(("COORDINATED",) if coordinated else ()))
        await self._send(sentinel, None, self._access.sentinel_password, words)

    async def replicate_from(self, node: str, primary: str) -> None:
        """REPLICAOF <host> <port>; harmless when it replicates from there already."""
        host, port = split_address(primary)
        await self._node(node, "REPLICAOF", host, str(port))

    async def write_probe(self, node: str, key: str, value: str, ttl_seconds: int) -> bool:
        """SET our own expiring key; False when the node is a read-only replica."""
        try:
            return await self._node(node, "SET", key, value, "EX", str(ttl_seconds)) in (True, "OK")
        except Refused as no:
            if no.rule == "redis-read-only":
                return False
            raise

    async def _node(self, address: str, *words: str) -> object:
        return await self._send(address, self._access.username, self._access.password, words)

    async def _send(self, address: str, username: str | None, password: str | None, words: tuple[str, ...]) -> object:
        """Connect, then send once, within one bound. Raises Transient (never sent), OutcomeUnknown (sent, no answer),
        Refused (answered with an error) or Permanent (our credentials are wrong)."""
        what = f"{' '.join(words[:2])} at {address}"
        node = self._open(address, username, password)
        deadline = asyncio.get_running_loop().time() + self._call_s
        try:
            async with asyncio.timeout_at(deadline):
                await node.initialize()
        except (AuthenticationError, NoPermissionError) as no:
            await node.aclose()
            raise Permanent(f"{what}: the write credentials were not accepted ({no}); check REDIS_WRITE_USERNAME") from no
        except (RedisError, OSError, TimeoutError) as failure:
            await node.aclose()
            raise Transient(f"{what}: not sent, no connection ({_why(failure)})") from failure
        try:
            async with asyncio.timeout_at(deadline):
                # The library leaves this method unannotated.
                run: Callable[..., Awaitable[object]] = node.execute_command
                return await run(*words)
        except ResponseError as no:
            raise _refused(what, no) from no
        except (RedisError, OSError, TimeoutError) as failure:
            raise OutcomeUnknown(f"{what}: sent, no answer ({_why(failure)})") from failure
        finally:
            await node.aclose()

    def _open(self, address: str, username: str | None, password: str | None) -> "Redis":
        host, port = split_address(address)
        return Redis(
            host=host,
            port=port,
            username=username,
            password=password,
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
    if isinstance(no, NoPermissionError):
        return Permanent(f"{what}: the write user lacks this right ({text})")
    if isinstance(no, ReadOnlyError):
        return Refused("redis-read-only", f"{what}: {text}")
    for word, rule in (("NOGOODSLAVE", "redis-no-good-replica"), ("INPROG", "redis-failover-in-progress")):
        if word in text:
            return Refused(rule, f"{what}: {text}")
    return Refused("redis-refused", f"{what}: {text}")


def _why(failure: BaseException) -> str:
    return str(failure) or type(failure).__name__
