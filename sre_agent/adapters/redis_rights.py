"""Whether a user gets into a Redis, and which commands it may run there. Nothing is run but PING: ACL DRYRUN only asks.

A user may ask ACL DRYRUN only where it has +acl|dryrun (Redis 7 and Valkey); without it, rights are told as untested.
Source: Redis documentation, ACL DRYRUN and ACL SETUSER.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from sre_agent.evidence.redis.access import split_address

Words = tuple[str, ...]
"""A command with its arguments, as it would be sent."""


@dataclass(frozen=True)
class Login:
    """One user of one Redis. None as a user is the default one."""

    address: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None


@dataclass(frozen=True)
class Standing:
    """How a user stands at one node. `error`: it does not get in. `untested`: why its rights could not be asked about.

    `lacking` are the commands of `needed` that it may not run, `beyond` those of `feared` that it may, by their names.
    """

    address: str
    error: str = ""
    untested: str = ""
    lacking: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()


async def standing(login: Login, needed: Sequence[Words], feared: Sequence[Words], call_s: float = 2.0) -> Standing:
    """Ask one node, within `call_s` seconds. Never raises: a node that does not answer is an answer."""
    try:
        node = _open(login, call_s)
    except ValueError as wrong:
        return Standing(login.address, error=str(wrong))
    try:
        async with asyncio.timeout(call_s):
            await _ask(node, "PING")
            lacking = [_name(words) for words in needed if not await _may(node, login, words)]
            beyond = [_name(words) for words in feared if await _may(node, login, words)]
    except _Untested as why:
        return Standing(login.address, untested=str(why))
    except (AuthenticationError, NoPermissionError) as no:
        return Standing(login.address, error=f"the user is not accepted ({no})")
    except (RedisError, OSError, TimeoutError) as failure:
        return Standing(login.address, error=str(failure) or type(failure).__name__)
    finally:
        await node.aclose()
    return Standing(login.address, lacking=tuple(lacking), beyond=tuple(beyond))


class _Untested(Exception):
    """ACL DRYRUN cannot be asked here."""


async def _may(node: "Redis", login: Login, words: Words) -> bool:
    """Whether the user may run a command: "OK", or a sentence that says what it lacks."""
    try:
        return await _ask(node, "ACL", "DRYRUN", login.username or "default", *words) in (True, "OK")
    except NoPermissionError:
        raise _Untested("the user may not ask ACL DRYRUN") from None
    except ResponseError as no:
        if "unknown command" in str(no).lower() and "DRYRUN" not in str(no).upper():
            return False  # this server has no such command: nobody may run it
        raise _Untested("this server has no ACL DRYRUN") from None


async def _ask(node: "Redis", *words: str) -> object:
    # The library leaves this method unannotated.
    run: Callable[..., Awaitable[object]] = node.execute_command
    return await run(*words)


def _name(words: Words) -> str:
    """The command without its arguments; a subcommand belongs to its name."""
    return " ".join(words[:2]) if words[0] in ("CLIENT", "CLUSTER", "CONFIG", "SENTINEL") else words[0]


def _open(login: Login, call_s: float) -> "Redis":
    host, port = split_address(login.address)
    return Redis(
        host=host,
        port=port,
        username=login.username,
        password=login.password,
        ssl=login.tls,
        ssl_ca_certs=login.ca,
        socket_timeout=call_s,
        socket_connect_timeout=call_s,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=True,
        protocol=2,
    )
