"""One scenario's world: a fresh database, PagerDuty, metrics, a writer that counts, and agent processes with a fuse."""

import asyncio
import secrets
import signal
import sys
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
from sre_agent.incident.errors import SreAgentError
from sre_agent.response.record import IncidentRecord
from sre_agent.settings import fixed
from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.night.books import declare_owners, shorten_soak
from sre_agent.testing.night.script import SLOW_REDIS
from sre_agent.testing.night.stage import LIMIT_S, MASTER, METRIC, MetricsFeed
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.prometheus import PrometheusStandIn
from sre_agent.testing.redis_load import CountingWriter
from sre_agent.wiring.approvals import answer_desk
from sre_agent.wiring.brain import load_books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.state import State, migrate_database, opened_state
from tests.decided_again import store_decided_again
from tests.faults.fuse import Fuse
from tests.faults.topology import SharedTopology

PEOPLE = ("ana", "ben")


class AgentUnderTest(AgentProcess):
    """One `serve` with a fuse in it."""

    def __init__(self, settings: dict[str, str], log: Path, fuse: Fuse, procedure: str) -> None:
        super().__init__(settings, log)
        self._fuse, self._procedure = fuse, procedure

    @property
    def command(self) -> list[str]:
        words = ["--port", str(self.port), "--procedure", self._procedure, "--fuse", str(self._fuse.file)]
        fuse = ["--point", self._fuse.point, "--deed", self._fuse.deed.name]
        return [sys.executable, "-m", "tests.faults.agent_under_test", *words, *fuse]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process."""
        self._process.send_signal(number)

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()


class Theatre:
    """Use as an async context manager. `folder` must be one that the database's own account need not enter."""

    def __init__(self, topology: SharedTopology, server: EmbeddedPostgres, folder: Path, fuse: Fuse, procedure: str) -> None:
        self.topology, self.server, self.fuse = topology, server, fuse
        self._folder, self._procedure = folder, procedure
        self._tokens = {name: secrets.token_urlsafe(24) for name in PEOPLE}
        self._secret = secrets.token_urlsafe(24)
        self._stack = AsyncExitStack()
        self.agents: list[AgentUnderTest] = []
        self.incident = ""

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                # Whatever died on the way: what the incident was decided on was recorded, and is decided so again.
                assert await asyncio.to_thread(store_decided_again, fixed(self.settings)) == 1
        finally:
            await self._stack.aclose()

    async def _build(self) -> None:
        name = f"faults_{secrets.token_hex(6)}"
        url = await asyncio.to_thread(self.server.database_url, name)
        self._stack.callback(self.server.drop_database, name)
        await migrate_database(url)
        enter = self._stack.enter_context
        self.prometheus = enter(PrometheusStandIn())
        self.pagerduty = enter(PagerDutyStandIn())
        self._quiet_past()
        enter(MetricsFeed(self.topology.probe, self.prometheus))
        self.settings = self._settings(url)
        effective = fixed(self.settings)
        self.state: State = await self._stack.enter_async_context(opened_state(effective))
        await self.state.halt.lift(PEOPLE[0], "the scenario begins", SystemClock().now())
        bundle = load_books(effective.policies_dir, effective.policy_data, effective.runbooks_dir).bundle
        self.desk = answer_desk(self.state.store, bundle)
        self._stack.callback(self.topology.heal)
        self.sickness = self.topology.sickness()
        self._stack.callback(self.sickness.stop)
        self.writer = CountingWriter(self.topology.redis.sentinels, MASTER, workers=2, gap_s=0.01)
        self._stack.callback(self.writer.stop)
        self._stack.callback(self._end_agents)

    def _quiet_past(self) -> None:
        now = time.time()
        for ago in range(90, 0, -1):
            for q in ("0.5", "0.99"):
                self.prometheus.observe(METRIC, {"redis_master": MASTER, "quantile": q}, 0.001 + 0.0001 * (ago % 3), now - ago)

    def _settings(self, url: str) -> dict[str, str]:
        from sre_agent.settings.shipped import shipped

        shorten_soak(shipped("runbooks"), self._folder / "runbooks", 3, 60)
        read, write = self.topology.redis.read_access, self.topology.redis.write_access
        return {
            "SRE_AGENT_MODE": "approve",
            "DATABASE_URL": url,
            "SRE_AGENT_POLICY_DATA": str(declare_owners(self._folder / "data", MASTER, self._tokens)),
            "SRE_AGENT_RUNBOOKS": str(self._folder / "runbooks"),
            "SRE_AGENT_REASONER": "rules",
            "SRE_AGENT_PROMETHEUS_MIN_STEP": "1",
            "SRE_AGENT_LOOKBACK": "60",
            "PAGERDUTY_API_URL": self.pagerduty.url,
            "PAGERDUTY_API_TOKEN": self.pagerduty.token,
            "PAGERDUTY_FROM_EMAIL": "sre-agent@example.test",
            "PAGERDUTY_WEBHOOK_SECRET": self._secret,
            "PROMETHEUS_URL": self.prometheus.url,
            "REDIS_SENTINELS": ",".join(self.topology.redis.sentinels),
            "REDIS_USERNAME": read.username or "",
            "REDIS_PASSWORD": read.password or "",
            "REDIS_WRITE_USERNAME": write.username or "",
            "REDIS_WRITE_PASSWORD": write.password or "",
        }

    def start_agent(self) -> AgentUnderTest:
        """One more agent process on the same database; PagerDuty sends its webhooks there too."""
        number = len(self.agents)
        agent = AgentUnderTest(self.settings, self._folder / f"agent{number}.log", self.fuse, self._procedure)
        agent.start()
        self.agents.append(agent)
        self.pagerduty.send_webhooks_to(f"{agent.url}/webhooks/pagerduty", self._secret, subscription=f"PWEBHK{number}")
        return agent

    async def ready(self) -> None:
        """Every living agent answers that it is ready."""
        for agent in self.agents:
            await asyncio.to_thread(agent.wait_ready)

    async def shows(self) -> None:
        """The sickness shows in the metrics: at least three seconds of it."""
        query = f'{METRIC}{{quantile="0.99"}}'
        async with asyncio.timeout(30):
            while True:
                now = time.time()
                asked = {"query": query, "start": f"{now - 20}", "end": f"{now}", "step": "1"}
                (series,) = self.prometheus.answer("/api/v1/query_range", asked)["result"]
                if sum(float(value) > LIMIT_S for _, value in series["values"]) >= 3:
                    break
                await asyncio.sleep(0.2)
        self.prometheus.asked.clear()

    async def victim(self, seconds: float = 60.0) -> AgentUnderTest:
        """The agent that burnt the fuse, once it has."""
        async with asyncio.timeout(seconds):
            while (burnt := self.fuse.burnt()) is None:
                await asyncio.sleep(0.02)
        return next(a for a in self.agents if a.pid == burnt.pid)

    def page(self) -> None:
        """The incident, with a signed webhook to every agent."""
        self.incident = self.pagerduty.add_incident("Redis p99 latency above 250 ms (cache)", [SLOW_REDIS])
        self.pagerduty.trigger(self.incident)

    async def record(self) -> IncidentRecord | None:
        """The incident as stored; None while it is not, or the database is away."""
        with suppress(SreAgentError):
            return await self.state.store.load(self.incident)
        return None

    async def approve(self, approval_id: str) -> None:
        """Both people say yes, each by their own token."""
        for person in PEOPLE:
            await self.desk.answer(approval_id, person, self._tokens[person], approve=True, reason="")

    def _end_agents(self) -> None:
        for agent in self.agents:
            if agent.status is None:
                agent.signal(signal.SIGCONT)
                agent.kill()

    def words(self) -> str:
        """The ends of all agents' logs."""
        return "\n".join(f"--- agent {n} (status {a.status})\n{a.log_tail(25)}" for n, a in enumerate(self.agents))
