"""What every pager promises: the double, and Events v2 against a PagerDuty that validates."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from sre_agent.adapters.pagerduty.events import PagerDutyEvents
from sre_agent.handback.pager import Page
from sre_agent.incident.errors import ConfigurationError
from sre_agent.testing.memory_pager import MemoryPager
from sre_agent.testing.pagerduty_events import EventsStandIn

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
KEYS = {"pd-platform": "a" * 32, "pd-ai-eng": "b" * 32}


@dataclass
class Stage:
    """A pager, and what the other side saw: who is awake for what."""

    pager: MemoryPager | PagerDutyEvents
    events: EventsStandIn | None = None
    names: dict[str, str] = field(default_factory=lambda: {key: name for name, key in KEYS.items()})

    @property
    def open(self) -> set[tuple[str, str]]:
        """(receiver, dedup_key) of what nobody has resolved."""
        if isinstance(self.pager, MemoryPager):
            return self.pager.open
        assert self.events is not None
        return {(self.names[key], dedup) for key, dedup in self.events.open}


@pytest.fixture(params=["memory", "events v2"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if request.param == "memory":
        yield Stage(MemoryPager(missing={"pd-integration-owners"}))
        return
    with EventsStandIn({key: f"PSVC00{i}" for i, key in enumerate(KEYS.values())}) as events:
        pager = PagerDutyEvents(KEYS, events.url)
        yield Stage(pager, events)
        await pager.aclose()


def page(receiver: str = "pd-platform", dedup_key: str = "sre-agent:1", summary: str = "Redis is out of memory") -> Page:
    return Page(receiver=receiver, dedup_key=dedup_key, summary=summary, at=NOW, details={"alertname": "RedisDown"})


async def test_a_page_stays_open_until_it_is_resolved(stage: Stage) -> None:
    await stage.pager.trigger(page())
    assert stage.open == {("pd-platform", "sre-agent:1")}
    await stage.pager.resolve("pd-platform", "sre-agent:1")
    assert stage.open == set()


async def test_the_same_page_twice_is_one_open_alert(stage: Stage) -> None:
    await stage.pager.trigger(page())
    await stage.pager.trigger(page(summary="still out of memory"))
    assert stage.open == {("pd-platform", "sre-agent:1")}


async def test_receivers_do_not_share_keys(stage: Stage) -> None:
    await stage.pager.trigger(page())
    await stage.pager.trigger(page("pd-ai-eng"))
    await stage.pager.resolve("pd-ai-eng", "sre-agent:1")
    assert stage.open == {("pd-platform", "sre-agent:1")}


async def test_resolving_what_is_not_open_is_no_fault(stage: Stage) -> None:
    await stage.pager.resolve("pd-platform", "never-triggered")
    assert stage.open == set()


async def test_a_receiver_without_a_routing_key_is_told_with_what_to_set(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match=r"'pd-integration-owners'.*PAGERDUTY_ROUTING_KEYS"):
        await stage.pager.trigger(page("pd-integration-owners"))
    with pytest.raises(ConfigurationError, match=r"'pd-integration-owners'.*PAGERDUTY_ROUTING_KEYS"):
        await stage.pager.resolve("pd-integration-owners", "sre-agent:1")
