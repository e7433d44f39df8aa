"""The one door of the shipped Redis doubles to the client library: no retries, short times, plain text."""

import contextlib
from collections.abc import Callable, Iterator

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from sre_agent.evidence.redis.access import split_address

AsyncClient = redis.asyncio.Redis
UNREACHABLE = (RedisConnectionError, RedisTimeoutError, OSError)
REFUSED = (ReadOnlyError, AuthenticationError, ResponseError)
ANY_FAILURE = (RedisError, OSError)


@contextlib.contextmanager
def client(address: str, timeout: float = 1.0) -> Iterator["redis.Redis"]:
    """A blocking client of one node or sentinel; every command answers or raises within `timeout` seconds."""
    host, port = split_address(address)
    found = redis.Redis(
        host=host,
        port=port,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    try:
        yield found
    finally:
        found.close()


def ask(address: str, *words: str | int, timeout: float = 1.0) -> object:
    """One command on its own connection, the answer as the library parses it. Raises one of ANY_FAILURE."""
    with client(address, timeout) as found:
        # The library leaves this method unannotated.
        run: Callable[..., object] = found.execute_command
        return run(*words)


def open_async(address: str, timeout: float) -> AsyncClient:
    """An asyncio client of one node with its own pool; the caller closes it with `aclose()`."""
    host, port = split_address(address)
    return AsyncClient(
        host=host,
        port=port,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        decode_responses=True,
        retry=AsyncRetry(NoBackoff(), 0),
        protocol=2,
    )


def flat(answer: object) -> dict[str, str]:
    """SENTINEL MASTER / REPLICAS answers come flat (RESP2) or as a dict: always a dict of text here."""
    if isinstance(answer, dict):
        return {str(k): str(v) for k, v in answer.items()}
    items = [str(x) for x in answer] if isinstance(answer, list | tuple) else []
    return dict(zip(items[::2], items[1::2], strict=False))


def primary_of(sentinel: str, master: str, timeout: float = 1.0) -> str | None:
    """Where one sentinel sends clients now ("host:port"), None when it does not say."""
    try:
        answer = ask(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master, timeout=timeout)
    except ANY_FAILURE:
        return None
    return f"{answer[0]}:{answer[1]}" if isinstance(answer, list | tuple) and len(answer) == 2 else None
