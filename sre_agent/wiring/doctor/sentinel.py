"""Redis behind Sentinel: every sentinel answers and they agree, and both users stand as they should on every node."""

import asyncio

from sre_agent.adapters.redis_rights import Login
from sre_agent.evidence.redis.access import RedisAccess
from sre_agent.evidence.redis.quorum import has_quorum, sentinels_agree
from sre_agent.evidence.redis.state import RedisState
from sre_agent.sources.redis import RedisSource, Sampling
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.redis_users import WRITES, Rights, judged
from sre_agent.wiring.doctor.verdict import Seen, broken, listed, ok, together, warning
from sre_agent.wiring.readers import redis_access

READS = (("PING",), ("INFO",))
FAILOVER = (
    ("PING",),
    ("CLIENT", "PAUSE", "1000", "WRITE"),
    ("CLIENT", "UNPAUSE"),
    ("REPLICAOF", "127.0.0.1", "6379"),
    ("SET", "sre-agent:doctor", "1", "EX", "5"),
)
"""What adapters/redis.py sends to nodes."""
CALL_S = 2.0


def _access(connections: Connections, *, write: bool = False) -> RedisAccess:
    access = redis_access(connections.settings, write=write)
    assert access is not None  # the checks need both settings
    return access


def _source(connections: Connections) -> RedisSource:
    return RedisSource(_access(connections), Sampling(call_s=min(CALL_S, connections.request_s)))


async def _states(connections: Connections) -> tuple[RedisState, ...]:
    """Every master that some sentinel names."""
    source = _source(connections)
    told = await source.masters()
    names = sorted({name for masters in told.values() if isinstance(masters, tuple) for name in masters})
    return tuple(await asyncio.gather(*(source.glance(name) for name in names)))


async def _sentinels(connections: Connections) -> Seen:
    told = await _source(connections).masters()
    silent = [f"{address}: {masters}" for address, masters in told.items() if isinstance(masters, str)]
    if silent:
        todo = "Check REDIS_SENTINELS, REDIS_SENTINEL_PASSWORD and REDIS_TLS; while one is silent nothing is failed over."
        return broken(f"{len(silent)} of {len(told)} sentinels do not answer: {listed(silent, 3)}", todo)
    named = [set(masters) for masters in told.values()]
    if any(each != named[0] for each in named):
        return broken("the sentinels do not watch the same masters", "Compare `SENTINEL MASTERS` on each of them.")
    return together([agreed(state) for state in await _states(connections)] + [_declared(named[0], await _wanted(connections))])


def agreed(state: RedisState) -> Seen:
    """What the sentinels say of one master."""
    problem = sentinels_agree(state)
    if problem is not None:
        return broken(f"{state.name}: {problem[1]}", "List every sentinel in REDIS_SENTINELS, and wait until they agree.")
    if not has_quorum(state):
        said = next(s.ckquorum for s in state.sentinels if not s.ckquorum.startswith("OK"))
        return broken(f"{state.name}: no quorum: {said}", "Bring the missing sentinels back: without quorum nothing fails over.")
    return ok(f"{len(state.sentinels)} sentinels agree on {state.name} ({', '.join(sorted(state.primary_addresses))}), with quorum")


async def _wanted(connections: Connections) -> set[str]:
    targets = (await connections.books()).bundle.declared.targets
    return {key.removeprefix("redis/") for key, declared in targets.root.items() if key.startswith("redis/") and declared.managed}


def _declared(known: set[str], wanted: set[str]) -> Seen:
    strange = sorted(wanted - known)
    if strange:
        return broken(
            f"targets.yaml declares redis/{listed(strange)}, which no sentinel watches", "Correct the name: it is Sentinel's own."
        )
    return ok(f"declared are {len(wanted)} of {len(known)}")


async def _reading(connections: Connections) -> Seen:
    access = _access(connections)
    rights = Rights("reading", "REDIS_USERNAME", READS, WRITES)
    return await judged(await _logins(connections, access), rights, min(CALL_S, connections.request_s))


async def _writing(connections: Connections) -> Seen:
    read, write = _access(connections), _access(connections, write=True)
    found = await judged(
        await _logins(connections, write), Rights("writing", "REDIS_WRITE_USERNAME", FAILOVER), min(CALL_S, connections.request_s)
    )
    if read.username == write.username:
        same = warning("reading and writing use the same user", "Give the hands a user of their own: then only they can act.")
        return together([found, same])
    return found


async def _logins(connections: Connections, access: RedisAccess) -> list[Login]:
    """The user at every node that the sentinels know."""
    states = await _states(connections)
    addresses = sorted({node.address for state in states for node in state.nodes})
    return [Login(a, access.username, access.password, access.tls, access.ca) for a in addresses]


_SENTINELS = ("REDIS_SENTINELS",)
_WITH = ("REDIS_SENTINEL_PASSWORD", "REDIS_TLS", "REDIS_CA")
_READ, _WRITE = ("REDIS_USERNAME", "REDIS_PASSWORD"), ("REDIS_WRITE_PASSWORD",)
_ASK = "Check that the sentinels and nodes can be reached from here (`redis-cli -h HOST -p PORT ping`)."
_AGREED = "sentinel.sentinels"
CHECKS = (
    Check(
        "sentinel",
        "sentinels",
        "All sentinels answer and agree, with quorum.",
        _sentinels,
        _ASK,
        _SENTINELS,
        _WITH,
        books=True,
    ),
    Check(
        "sentinel",
        "read_user",
        "The reading user gets in, and may not write.",
        _reading,
        _ASK,
        _SENTINELS,
        _READ,
        _AGREED,
    ),
    Check(
        "sentinel",
        "write_user",
        "The writing user is another one, gets in everywhere, and may do what a failover needs.",
        _writing,
        _ASK,
        (*_SENTINELS, "REDIS_WRITE_USERNAME"),
        _WRITE,
        _AGREED,
    ),
)
