"""The hands on a Redis Cluster: RedisClusterHands with the write credentials, and nothing else.

Law: one attempt a call, a bound on every call, no retry. A time-out after sending is OutcomeUnknown. CLUSTER FAILOVER is sent
without any option: there is no way to say FORCE or TAKEOVER through this file.
"""

import asyncio
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, RedisError, ResponseError

from sre_agent.evidence.redis.access import ClusterAccess, split_address
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient

CALL_S = 1.5


class RedisClusterWriter:
    """RedisClusterHands over the write user. `access` must be the write credentials; there is no fallback to others."""

    def __init__(self, access: ClusterAccess, call_s: float = CALL_S) -> None:
        self._access = access
        self._call_s = call_s

    async def cluster_failover(self, replica: str) -> None:
        """CLUSTER FAILOVER, plain. OK means scheduled, not done. A primary, or a replica that lost its primary, is Refused."""
        await self._send(replica, "CLUSTER", "FAILOVER")

    async def write_probe(self, node: str, key: str, value: str, ttl_seconds: int) -> bool:
        """SET our own expiring key; False when the node is a replica or does not own the key's slot."""
        try:
            return await self._send(node, "SET", key, value, "EX", str(ttl_seconds)) in (True, "OK")
        except Refused as no:
            if no.rule in ("cluster-read-only", "cluster-moved"):
                return False
            raise

    async def _send(self, address: str, *words: str) -> object:
        """Connect, then send once, within one bound. Raises Transient (never sent), OutcomeUnknown (sent, no answer),
        Refused (answered with an error) or Permanent (our credentials are wrong)."""
        what = f"{' '.join(words[:2])} at {address}"
        node = self._open(address)
        deadline = asyncio.get_running_loop().time() + self._call_s
        try:
            async with asyncio.timeout_at(deadline):
                await node.initialize()
        except (AuthenticationError, NoPermissionError) as no:
            await node.aclose()
            raise Permanent(f"{what}: the write user was not accepted ({no}); check REDIS_CLUSTER_WRITE_USERNAME") from no
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

    def _open(self, address: str) -> "Redis":
        host, port = split_address(address)
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
    if isinstance(no, NoPermissionError):
        return Permanent(f"{what}: the write user lacks this right ({text})")
    if isinstance(no, ReadOnlyError):
        return Refused("cluster-read-only", f"{what}: {text}")
    moved = type(no).__name__ in ("MovedError", "AskError", "ClusterDownError") or "MOVED" in text
    return Refused("cluster-moved" if moved else "cluster-refused", f"{what}: {text}")
