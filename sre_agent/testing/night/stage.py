"""Everything the night is played on, started and stopped together."""

import secrets
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.night.books import declare_owners, shorten_soak
from sre_agent.testing.night.buttons import CHANNEL, Buttons
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.prometheus import PrometheusStandIn
from sre_agent.testing.redis_load import CountingWriter
from sre_agent.testing.redis_probe import LatencyProbe
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.testing.redis_topology import RedisTopology, TopologyPlan
from sre_agent.testing.slack import SlackStandIn

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
            "PagerDuty, Slack and the Prometheus API are stand-ins on this machine; Redis, Sentinel and PostgreSQL are real.",
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
        self.slack_users = {"ana": "U0ANA", "ben": "U0BEN"}
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
        self.slack = enter(SlackStandIn())
        self.probe = enter(LatencyProbe(self.redis.sentinels, MASTER))
        enter(MetricsFeed(self.probe, self.prometheus))
        self.writer = CountingWriter(self.redis.sentinels, MASTER)
        self.sickness = SickPrimary(self.redis.pid(self.redis.primary))
        self._stack.callback(self.sickness.stop)
        self.agent = AgentProcess(self._settings(), self.folder / "agent.log")
        self._stack.callback(self.agent.stop)
        self.buttons = Buttons(self.slack, self.agent.url, self.slack_users)
        self.pagerduty.send_webhooks_to(f"{self.agent.url}/webhooks/pagerduty", self._secret)

    def _settings(self) -> dict[str, str]:
        self._secret = secrets.token_urlsafe(32)
        read, write = self.redis.read_access, self.redis.write_access
        return {
            "SRE_AGENT_MODE": "approve",
            "SRE_AGENT_DATA_DIR": str(self.folder / "state"),
            "SRE_AGENT_POLICIES": str(self._policies),
            "SRE_AGENT_POLICY_DATA": str(declare_owners(self.folder / "data", MASTER, self.tokens, self.slack_users)),
            "SRE_AGENT_RUNBOOKS": str(self._short_runbooks()),
            "SRE_AGENT_REASONER": "rules",
            "SRE_AGENT_PROMETHEUS_MIN_STEP": "1",
            "SRE_AGENT_LOOKBACK": "60",
            "PAGERDUTY_API_URL": self.pagerduty.url,
            "PAGERDUTY_API_TOKEN": self.pagerduty.token,
            "PAGERDUTY_FROM_EMAIL": "sre-agent@example.test",
            "PAGERDUTY_WEBHOOK_SECRET": self._secret,
            "SLACK_API_URL": self.slack.api_url,
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_SIGNING_SECRET": self.slack.signing_secret,
            "SLACK_CHANNEL": CHANNEL,
            "PROMETHEUS_URL": self.prometheus.url,
            "REDIS_SENTINELS": ",".join(self.redis.sentinels),
            "REDIS_USERNAME": read.username or "",
            "REDIS_PASSWORD": read.password or "",
            "REDIS_WRITE_USERNAME": write.username or "",
            "REDIS_WRITE_PASSWORD": write.password or "",
        }

    def _short_runbooks(self) -> Path:
        folder = self.folder / "runbooks"
        self.soak_before = shorten_soak(self._runbooks, folder, self.shortened.soak, self.shortened.within)
        return folder
