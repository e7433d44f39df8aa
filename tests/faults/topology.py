"""The topology that the scenarios of one xdist worker share: read anew by each, made sick, and healed after each."""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sre_agent.testing.night.stage import MASTER
from sre_agent.testing.redis_client import ANY_FAILURE, ask, flat
from sre_agent.testing.redis_probe import LatencyProbe
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.testing.redis_topology import RedisTopology, TopologyPlan

ASKED = re.compile(r"Executing user requested( coordinated)? FAILOVER of", re.IGNORECASE)


class SharedTopology:
    """1 primary, 2 replicas, 3 sentinels and a probe. Any node may be the primary when a scenario begins."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.redis = RedisTopology(TopologyPlan(master=MASTER))

    def __enter__(self) -> "SharedTopology":
        self._stack.enter_context(self.redis)
        self.probe = self._stack.enter_context(LatencyProbe(self.redis.sentinels, MASTER))
        self._logs = [_log_of(s) for s in self.redis.sentinels]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def primary(self) -> str:
        """Where all sentinels send clients. AssertionError when they differ."""
        told = set(self.redis.addresses_told())
        assert len(told) == 1, f"the sentinels disagree: {told}"
        address = told.pop()
        assert address is not None
        return address

    def sickness(self) -> SickPrimary:
        """The illness of today's primary, not begun."""
        return SickPrimary(self.redis.pid(self.primary()))

    def epoch(self) -> int:
        """The configuration epoch of all sentinels."""
        found = {int(m["config-epoch"]) for m in self._told()}
        assert len(found) == 1, f"the sentinels are at epochs {found}"
        return found.pop()

    def failovers_asked(self) -> int:
        """How often any sentinel was told to fail over, ever: from the sentinels' own logs."""
        return sum(len(ASKED.findall(log.read_text(errors="replace"))) for log in self._logs)

    def paused(self) -> list[str]:
        """Nodes that hold writes back."""
        found = []
        for node in self.redis.nodes:
            about = ask(node, "INFO", "clients", timeout=3.0)
            if isinstance(about, dict) and about.get("paused_actions") != "none":
                found.append(node)
        return found

    def wait_healthy(self, seconds: float = 60.0) -> None:
        """As `wait_agreed`, and the last failover is so old that another may be made."""
        until(lambda: self.trouble(recent=True) == "", seconds, "the topology to heal")

    def wait_agreed(self, seconds: float = 30.0) -> None:
        """Until all sentinels name one primary at one epoch, and everybody else replicates from it."""
        until(lambda: self.trouble(recent=False) == "", seconds, "the sentinels and nodes to agree")

    def heal(self) -> None:
        """Let writes flow everywhere, whatever the scenario left."""
        for node in self.redis.nodes:
            ask(node, "CLIENT", "UNPAUSE", timeout=3.0)

    def trouble(self, *, recent: bool) -> str:
        """What is not as it was at the start, a recent failover included if asked for; "" when all is well."""
        try:
            return self._trouble(recent)
        except ANY_FAILURE as silent:
            return str(silent)

    def _trouble(self, recent: bool) -> str:
        told = self._told()
        if len({(m["ip"], m["port"], m["config-epoch"]) for m in told}) != 1:
            return "the sentinels disagree"
        first = told[0]
        if any(m["flags"] != "master" for m in told):
            return f"flags {[m['flags'] for m in told]}"
        since = min(int(m["role-reported-time"]) for m in told)
        if recent and int(first["config-epoch"]) > 0 and since < 2 * int(first["failover-timeout"]) + 500:
            return f"failed over {since} ms ago"
        primary = f"{first['ip']}:{first['port']}"
        roles = {node: ask(node, "INFO", "replication") for node in self.redis.nodes}
        loose = [n for n, info in roles.items() if n != primary and not _attached(info, first["port"])]
        return f"not attached: {loose}" if loose else ""

    def _told(self) -> list[dict[str, str]]:
        return [flat(ask(s, "SENTINEL", "MASTER", MASTER)) for s in self.redis.sentinels]


def _attached(info: object, port: str) -> bool:
    return isinstance(info, dict) and str(info.get("master_port")) == port and info.get("master_link_status") == "up"


def _log_of(sentinel: str) -> Path:
    about = ask(sentinel, "INFO", "server")
    assert isinstance(about, dict)
    return Path(str(about["config_file"])).with_name("server.log")


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something that other threads and processes bring about. TimeoutError else."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)
