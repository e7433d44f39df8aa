"""What is compared with PagerDuty: what our own subscriptions bring, over the stand-in and a real database."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.tracker import PagerDuty
from sre_agent.adapters.pagerduty.transport import Credentials, PdpyrasTransport
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import OpenIncident
from sre_agent.intake.pagerduty import parse_event
from sre_agent.response.reconcile import Reconcile
from sre_agent.response.walk import Walk
from sre_agent.settings import fixed
from sre_agent.testing.pagerduty import AGENT_EMAIL, PagerDutyStandIn
from sre_agent.testing.pagerduty_faults import Fault
from sre_agent.testing.pagerduty_webhooks import Subscription
from sre_agent.web.metrics import Metrics
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.reconcile import Listening, reconciling

pytestmark = pytest.mark.slow
LABELS = [{"alertname": "RedisSlow", "alert_type": "infra"}]
SINCE = datetime.now(UTC) - timedelta(hours=1)


class Stage:
    def __init__(self, pagerduty: PagerDutyStandIn, tracker: PagerDuty, store: PostgresStore) -> None:
        self.pagerduty, self.tracker, self.store = pagerduty, tracker, store
        pagerduty.add_team("PTEAM01", "Platform")
        pagerduty.add_service("PSVC002", "of a team", "PPLAT01", team="PTEAM01")
        pagerduty.add_service("PSVC003", "of nobody", "PPLAT01")
        self.of = {s: pagerduty.add_incident("slow", LABELS, service=s) for s in ("PSVC001", "PSVC002", "PSVC003")}

    def subscribe(self, identity: str, kind: str, to: str | None, **more: object) -> None:
        made = Subscription(identity, "https://sre.example.com/webhooks/pagerduty", ["s"], **more)
        made.filter = {"type": f"{kind}_reference", "id": to}
        self.pagerduty.webhooks.subscriptions[identity] = made

    async def listed(self, public_url: str | None = None, **secrets: str) -> list[str] | None:
        found = await Listening(self.tracker, self.store, secrets, public_url).open_since(SINCE)
        services = {identity: service for service, identity in self.of.items()}
        return None if found is None else sorted(services[i.id] for i in found)


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    with PagerDutyStandIn() as pagerduty:
        transport = PdpyrasTransport(Credentials(pagerduty.token, AGENT_EMAIL, pagerduty.url))
        tracker = PagerDuty(Gateway(transport, patience=Patience(deadline_s=3.0, attempts=1)), AGENT_EMAIL)
        yield Stage(pagerduty, tracker, PostgresStore(database))
        await tracker.aclose()


async def test_only_what_our_subscriptions_bring_is_ours(stage: Stage) -> None:
    stage.subscribe("POURS01", "service", "PSVC001")
    stage.subscribe("PTHEIRS", "account", None)
    assert await stage.listed() == []
    assert await stage.listed(POURS01="s") == ["PSVC001"]
    stage.subscribe("POURS02", "team", "PTEAM01")
    assert await stage.listed(POURS01="s", POURS02="s") == ["PSVC001", "PSVC002"]
    assert await stage.listed(PTHEIRS="s") == ["PSVC001", "PSVC002", "PSVC003"]


async def test_one_that_people_switched_off_brings_nothing_and_one_that_pagerduty_disabled_does(stage: Stage, caplog) -> None:
    stage.subscribe("POURS01", "service", "PSVC001", active=False)
    stage.subscribe("POURS02", "team", "PTEAM01", temporarily_disabled=True)
    with caplog.at_level(logging.WARNING):
        assert await stage.listed(POURS01="s", POURS02="s") == ["PSVC002"]
    assert [r.subscription for r in caplog.records if r.message == "subscription_disabled"] == ["POURS02"]


async def test_with_one_secret_for_all_ours_are_those_we_heard_of_or_that_send_to_our_address(stage: Stage) -> None:
    stage.subscribe("PHEARD1", "service", "PSVC001")
    assert await stage.listed(**{"": "of any"}) == []
    assert await stage.listed("https://sre.example.com", **{"": "of any"}) == ["PSVC001"]
    now = datetime.now(UTC)
    body = b'{"event":{"id":"e1","event_type":"incident.triggered","data":{"type":"incident","id":"Q0EXAMPLE00001"}}}'
    await stage.store.accept(parse_event({"x-webhook-subscription": "PHEARD1"}, body, now), body, now)
    assert await stage.listed(**{"": "of any"}) == ["PSVC001"]


async def test_a_key_that_may_not_read_subscriptions_leaves_it_unknown_what_is_ours(stage: Stage, caplog) -> None:
    stage.pagerduty.faults.add(Fault("GET", "/webhook_subscriptions", 403, {"error": {"code": 2010}}))
    with caplog.at_level(logging.WARNING):
        assert await stage.listed(POURS01="s") is None
    assert "reconcile_scope_unknown" in [r.message for r in caplog.records]


async def test_an_incident_stands_as_pagerduty_has_it(stage: Stage) -> None:
    identity = stage.of["PSVC001"]
    stands = await stage.tracker.standing(identity)
    assert stands is not None
    assert (stands.id, stands.changed_at) == (identity, stands.created_at)
    stage.pagerduty.resolve(identity)
    assert await stage.tracker.standing(identity) is None


async def test_the_database_remembers_when_it_was_made(stage: Stage) -> None:
    first = await stage.store.installed_at()
    assert first <= datetime.now(UTC)
    assert first == await stage.store.installed_at()


async def test_passes_go_on_after_a_failure_are_counted_and_end_when_told(stage: Stage, caplog) -> None:
    stage.subscribe("POURS01", "service", "PSVC001")
    stage.pagerduty.faults.add(Fault("GET", "/webhook_subscriptions", 502))
    stop, metrics, settings = asyncio.Event(), Metrics(), fixed({"SRE_AGENT_RECONCILE_EVERY": 0.05})
    listening = Listening(stage.tracker, stage.store, {"POURS01": "s"}, None)
    one = Reconcile(Walk(stage.store, SystemClock()), stage.store, listening.open_since, stage.tracker.standing, _long_ago)
    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(reconciling(settings, one, metrics, stop))
        async with asyncio.timeout(10):
            while b'sre_agent_deliveries_missed_total{kind="triggered"} 1.0' not in metrics.exposition()[0]:
                await asyncio.sleep(0.02)
        stop.set()
        await task
    assert [r.message for r in caplog.records if r.message.startswith(("reconcile", "deliveries"))] == [
        "reconcile_failed",
        "deliveries_missed",
    ]
    assert [e.kind for e in await stage.store.heard(SINCE, 10)] == [EventKind.TRIGGERED]


async def test_a_pagerduty_that_hangs_keeps_no_drain_waiting() -> None:
    asked, stop = asyncio.Event(), asyncio.Event()

    async def hanging(_: datetime) -> tuple[OpenIncident, ...] | None:
        asked.set()
        await asyncio.Event().wait()

    one = Reconcile(Walk(None, SystemClock()), None, hanging, None, _long_ago)
    task = asyncio.create_task(reconciling(fixed({}), one, Metrics(), stop))
    async with asyncio.timeout(5):
        await asked.wait()
        stop.set()
        await task


async def test_being_cancelled_is_not_being_told_to_stop() -> None:
    asked = asyncio.Event()

    async def hanging(_: datetime) -> tuple[OpenIncident, ...] | None:
        asked.set()
        await asyncio.Event().wait()

    one = Reconcile(Walk(None, SystemClock()), None, hanging, None, _long_ago)
    task = asyncio.create_task(reconciling(fixed({}), one, Metrics(), asyncio.Event()))
    async with asyncio.timeout(5):
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_mode_off_compares_nothing() -> None:
    async def never(_: datetime) -> tuple[OpenIncident, ...] | None:
        raise AssertionError("must not be asked")

    one = Reconcile(None, None, never, None, _long_ago)
    await reconciling(fixed({"SRE_AGENT_MODE": "off"}), one, Metrics(), asyncio.Event())


async def _long_ago() -> datetime:
    return SINCE
