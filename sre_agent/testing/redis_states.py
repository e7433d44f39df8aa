"""Redis topologies as values: a healthy one to start from, ways to spoil it, and a reader that answers with it."""

from typing import Any

from sre_agent.evidence.redis.state import NodeView, RedisState, SentinelView

PRIMARY, REPLICA_1, REPLICA_2 = "10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"
SENTINELS = ("10.0.0.4:26379", "10.0.0.5:26379", "10.0.0.6:26379")
RUN_ID = "a" * 40
"""Of the healthy primary; the replicas' are "b" * 40 and "c" * 40."""


def sentinel_view(address: str = SENTINELS[0], **master: Any) -> SentinelView:
    """One sentinel of the healthy topology; keywords replace fields of SENTINEL MASTER ("_" stands for "-")."""
    host, port = PRIMARY.split(":")
    told: dict[str, Any] = {
        "name": "cache",
        "ip": host,
        "port": port,
        "flags": "master",
        "num-slaves": "2",
        "num-other-sentinels": "2",
        "quorum": "2",
        "config-epoch": "0",
        "role-reported-time": "900000",
        "down-after-milliseconds": "5000",
        "failover-timeout": "60000",
    }
    told |= {k.replace("_", "-"): v for k, v in master.items()}
    rows = tuple(_row(address) for address in (REPLICA_1, REPLICA_2))
    return SentinelView(address=address, master=told, replicas=rows, ckquorum="OK 3 usable Sentinels.", version="valkey 9.1.2")


def primary_view(*, p50: float = 0.4, p99: float = 1.2, timeouts: int = 0, busy: float | None = 0.1, **info: Any) -> NodeView:
    """The healthy primary; keywords replace fields of INFO. Latencies in milliseconds."""
    known: dict[str, Any] = {"role": "master", "run_id": RUN_ID, "connected_slaves": 2, "master_repl_offset": 5_000_000}
    return _node(PRIMARY, known | info, {"p50": p50, "p99": p99}, timeouts, busy)


def replica_view(address: str = REPLICA_1, *, p50: float = 0.4, p99: float = 1.1, **info: Any) -> NodeView:
    """A healthy replica; keywords replace fields of INFO. Latencies in milliseconds."""
    host, port = PRIMARY.split(":")
    known: dict[str, Any] = {
        "role": "slave",
        "run_id": ("b" if address == REPLICA_1 else "c") * 40,
        "master_host": host,
        "master_port": int(port),
        "master_link_status": "up",
        "master_last_io_seconds_ago": 0,
        "master_sync_in_progress": 0,
        "slave_repl_offset": 5_000_000,
        "slave_priority": 100,
    }
    return _node(address, known | info, {"p50": p50, "p99": p99}, 0, 0.05)


def redis_state(
    primary: NodeView | None = None,
    replicas: tuple[NodeView, ...] | None = None,
    sentinels: tuple[SentinelView, ...] | None = None,
) -> RedisState:
    """The healthy topology of master "cache", with what is given in place of its parts."""
    return RedisState(
        name="cache",
        sentinels=sentinels if sentinels is not None else tuple(sentinel_view(a) for a in SENTINELS),
        nodes=(
            primary or primary_view(),
            *(replicas if replicas is not None else (replica_view(REPLICA_1), replica_view(REPLICA_2))),
        ),
    )


def sick_primary(**info: Any) -> NodeView:
    """The healthy primary but stopped in turns: 4 of 10 PINGs time out."""
    return primary_view(p50=210.0, p99=300.0, timeouts=4, busy=0.02, **info)


class RecordedRedis:
    """A RedisReader that answers with states given beforehand, one per master; an unknown master has no sentinels."""

    def __init__(self, *states: RedisState) -> None:
        self._states = {s.name: s for s in states}

    async def read(self, master: str) -> RedisState:
        """The state under that name."""
        return self._states.get(master, RedisState(name=master))


def _row(address: str) -> dict[str, Any]:
    host, port = address.split(":")
    return {"name": address, "ip": host, "port": port, "flags": "slave", "master-link-status": "ok", "slave-priority": "100"}


def _node(address: str, info: dict[str, Any], latency: dict[str, float], timeouts: int, busy: float | None) -> NodeView:
    known: dict[str, Any] = {
        "server_name": "valkey",
        "valkey_version": "9.1.2",
        "redis_version": "7.2.4",
        "used_memory": 100_000_000,
        "maxmemory": 1_000_000_000,
        "maxmemory_policy": "noeviction",
        "connected_clients": 40,
        "maxclients": 10_000,
        "instantaneous_ops_per_sec": 900,
        "loading": 0,
    }
    return NodeView(address=address, info=known | info, latency_ms=latency, attempts=10, timeouts=timeouts, busy=busy)
