"""A stage for the PagerDuty extension: the stand-in's REST and deliveries over real HTTP, the real door on a real socket,
PostgreSQL behind it, and a file of secrets that both the command and the door use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.subscriptions import EVENTS, Reach, Scope, Subscriptions
from sre_agent.adapters.pagerduty.transport import Credentials, PdpyrasTransport
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.adapters.webhook_secrets import SecretsFile, WatchedSecrets
from sre_agent.testing.pagerduty import AGENT_EMAIL, PagerDutyStandIn
from sre_agent.testing.pagerduty_webhooks import Pauses, Subscription
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import WebPorts
from sre_agent.web.server import listen, serve
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.extension import Extension
from sre_agent.wiring.extension_plan import DOOR, Place

SERVICE = Scope(Reach.SERVICE, "PSVC001")


@dataclass
class Stage:
    """`configured` are secrets that the settings hold; `said` is what people were told."""

    pagerduty: PagerDutyStandIn
    subscriptions: Subscriptions
    database: Database
    store: PostgresStore
    file: SecretsFile
    door: str
    configured: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return Place(self.door, SERVICE)

    def extension(self, wait_s: float = 10.0, file: SecretsFile | None = None) -> Extension:
        arrivals = self.store.arrivals if wait_s else None
        tell, kept = self.said.append, file or self.file
        return Extension(self.subscriptions, kept, self.configured, tell, arrivals, wait_s, in_flight_s=1.0)

    def sent(self) -> list[str]:
        """Every write to PagerDuty: method, path and status."""
        return [f"{w.method} {w.path} {w.status}" for w in self.pagerduty.writes]

    def there(self) -> dict[str, tuple[bool, str]]:
        """Every subscription: whether it is active, and its secret."""
        return {s.id: (s.active, s.secrets[0]) for s in self.pagerduty.webhooks.subscriptions.values()}

    async def settled(self) -> None:
        assert await asyncio.to_thread(self.pagerduty.webhooks.settle)

    async def heard(self) -> list[tuple[str, str]]:
        """(subscription, event type) of everything that the door kept, in order."""
        rows = await self.database.rows("SELECT event ->> 'subscription_id', event ->> 'type_name' FROM inbox ORDER BY id")
        return [(subscription, kind) for subscription, kind in rows]

    async def until(self, so: Callable[[], bool], seconds: float = 10.0) -> None:
        """Return as soon as it is so."""
        async with asyncio.timeout(seconds):
            while not so():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(database: Database, folder: Path) -> AsyncIterator[Stage]:
    """The stage, its door open."""
    store, file, stop = PostgresStore(database), SecretsFile(folder / "secrets.json"), asyncio.Event()
    listener = listen("127.0.0.1", 0)
    door = f"http://127.0.0.1:{listener.getsockname()[1]}{DOOR}"
    with PagerDutyStandIn(pauses=Pauses(first_s=0.02, most_s=0.1, timeout_s=2.0)) as pagerduty:
        credentials = Credentials(pagerduty.token, AGENT_EMAIL, pagerduty.url)
        patience = Patience(deadline_s=5.0, attempts=2, first_pause_s=0.01)
        subscriptions = Subscriptions(Gateway(PdpyrasTransport(credentials), patience=patience))
        stage = Stage(pagerduty, subscriptions, database, store, file, door)
        ports = WebPorts(
            store=store, clock=SystemClock(), metrics=Metrics(), pagerduty_secrets=WatchedSecrets(file, stage.configured)
        )
        serving = asyncio.create_task(serve(create_app(ports), listener, stop))
        try:
            yield stage
        finally:
            await asyncio.to_thread(pagerduty.webhooks.stop)
            stop.set()
            await serving
            await subscriptions.aclose()


def foreign(stage: Stage, name: str = "PFOREIGN", **more: object) -> Subscription:
    """A subscription on our URL that somebody else made."""
    made = Subscription(name, stage.door, ["theirs"], frozenset(EVENTS), **more)
    made.filter = {"type": "service_reference", "id": SERVICE.id}
    return stage.pagerduty.webhooks.subscribe(made)
