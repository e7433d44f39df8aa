"""Everything the night is played on, started and stopped together."""

import hashlib
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.prometheus import PrometheusStandIn
from sre_agent.testing.redis_load import CountingWriter
from sre_agent.testing.redis_probe import LatencyProbe
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.testing.redis_topology import RedisTopology, TopologyPlan

MASTER = "cache"
METRIC = "redis_probe_latency_seconds"
LIMIT_S = 0.25
"""The objective of runbooks/redis-failover.yaml: p99 of a PING, in seconds."""


@dataclass(frozen=True)
class Shortened:
    """What the demonstration shortens, in seconds; each is printed as such."""

    soak: int = 8
    within: int = 40
    debounce: float = 3.0
    baseline: float = 6.0

    def told(self, soak_before: int) -> tuple[str, ...]:
        """For the report."""
        return (
            f"Soak after the failover: {self.soak} s instead of {soak_before} s.",
            f"The alert fires after {self.debounce:.0f} s above the limit instead of minutes.",
            f"Healthy load before the trouble: {self.baseline:.0f} s instead of days.",
            "Metrics are read for 1 min before the onset at 1 s, instead of 30 min at 15 s.",
            "PagerDuty and the Prometheus API are stand-ins on this machine; Redis, Sentinel and PostgreSQL are real.",
        )


def readable_temp(prefix: str) -> Path:
    """A private folder that the embedded database's own user may pass through."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    return folder


class MetricsFeed:
    """Carries the probe's latency into the Prometheus stand-in, once a second, as a scrape would."""

    def __init__(self, probe: LatencyProbe, prometheus: PrometheusStandIn) -> None:
        self._probe = probe
        self._prometheus = prometheus
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            now = time.time()
            for q in (0.5, 0.99):
                value = self._probe.quantile(q, 3.0, now)
                if value is not None:
                    self._prometheus.observe(METRIC, {"redis_master": MASTER, "quantile": f"{q:g}"}, value, now)


class Stage:
    """The parts. Use as a context manager; `folder` and every process are gone afterwards."""

    def __init__(self, shortened: Shortened, policies: Path, runbooks: Path) -> None:
        self.shortened = shortened
        self.folder = readable_temp("sre-agent-night-")
        self.tokens = {name: secrets.token_urlsafe(24) for name in ("ana", "ben")}
        self._policies = policies
        self._runbooks = runbooks
        self._stack = ExitStack()
        self.soak_before = 0

    def __enter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self) -> None:
        enter = self._stack.enter_context
        self.redis = enter(RedisTopology(TopologyPlan(master=MASTER)))
        self.prometheus = enter(PrometheusStandIn())
        self.pagerduty = enter(PagerDutyStandIn())
        self.probe = enter(LatencyProbe(self.redis.sentinels, MASTER))
        enter(MetricsFeed(self.probe, self.prometheus))
        self.writer = CountingWriter(self.redis.sentinels, MASTER)
        self.sickness = SickPrimary(self.redis.pid(self.redis.primary))
        self._stack.callback(self.sickness.stop)
        self.agent = AgentProcess(self._settings(), self.folder / "agent.log")
        self._stack.callback(self.agent.stop)
        self.pagerduty.send_webhooks_to(f"{self.agent.url}/webhooks/pagerduty", self._secret)

    def _settings(self) -> dict[str, str]:
        self._secret = secrets.token_urlsafe(32)
        read, write = self.redis.read_access, self.redis.write_access
        return {
            "SRE_AGENT_MODE": "approve",
            "SRE_AGENT_DATA_DIR": str(self.folder / "state"),
            "SRE_AGENT_POLICIES": str(self._policies),
            "SRE_AGENT_POLICY_DATA": str(self._overlay()),
            "SRE_AGENT_RUNBOOKS": str(self._short_runbooks()),
            "SRE_AGENT_REASONER": "rules",
            "SRE_AGENT_PROMETHEUS_MIN_STEP": "1",
            "SRE_AGENT_LOOKBACK": "60",
            "PAGERDUTY_API_URL": self.pagerduty.url,
            "PAGERDUTY_API_TOKEN": self.pagerduty.token,
            "PAGERDUTY_FROM_EMAIL": "sre-agent@example.test",
            "PAGERDUTY_WEBHOOK_SECRET": self._secret,
            "PROMETHEUS_URL": self.prometheus.url,
            "REDIS_SENTINELS": ",".join(self.redis.sentinels),
            "REDIS_USERNAME": read.username or "",
            "REDIS_PASSWORD": read.password or "",
            "REDIS_WRITE_USERNAME": write.username or "",
            "REDIS_WRITE_PASSWORD": write.password or "",
        }

    def _overlay(self) -> Path:
        """The owners' declarations for this night: one managed Redis, two people with tokens, who gets what."""
        folder = self.folder / "data"
        folder.mkdir()
        digests = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in self.tokens.items()}
        people = [{"id": n, "name": f"{n.title()} Example", "cli_token_sha256": digests[n]} for n in self.tokens]
        declared = {"managed": True, "environment": "prod", "team": "platform", "service": "voice-platform"}
        _write(folder / "teams.yaml", {"people": people, "teams": {"platform": list(self.tokens), "ai-eng": []}})
        _write(folder / "targets.yaml", {f"redis/{MASTER}": {**declared, "dataset": "sessions", "sentinel_aware": True}})
        receivers = {"pd-platform": "PPLAT01", "pd-ai-eng": "PAIENG1", "pd-integration-owners": "PINTEG1", "default": "PDEFLT1"}
        _write(folder / "routing.yaml", {"receivers": receivers, "tool_owners": {}, "prompt_owners": {"intent-router": "ai-eng"}})
        return folder

    def _short_runbooks(self) -> Path:
        """The shipped runbooks with the soak shortened, and nothing else changed."""
        folder = self.folder / "runbooks"
        shutil.copytree(self._runbooks, folder)
        path = folder / "redis-failover.yaml"
        book = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.soak_before = int(book["soak_s"])
        _write(path, {**book, "soak_s": self.shortened.soak, "within_s": self.shortened.within})
        return folder


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
