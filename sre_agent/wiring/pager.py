"""What wakes people where no other system has: PagerDuty's Events v2 with the settings' routing keys."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sre_agent.adapters.pagerduty.events import PagerDutyEvents
from sre_agent.handback.pager import Mail, Page, Pager
from sre_agent.incident.errors import ConfigurationError
from sre_agent.routing.file import Routing
from sre_agent.settings import Settings


class Paging:
    """handback.pager.Pager over the two that do the work."""

    def __init__(self, events: PagerDutyEvents, emails: Mapping[str, str]) -> None:
        self._events, self._emails = events, emails

    async def trigger(self, page: Page) -> None:
        """See the protocol."""
        await self._events.trigger(page)

    async def resolve(self, receiver: str, dedup_key: str) -> None:
        """See the protocol."""
        await self._events.resolve(receiver, dedup_key)

    async def mail(self, mail: Mail) -> None:
        """See the protocol."""
        if not self._emails.get(mail.receiver):
            raise ConfigurationError(f"receiver {mail.receiver!r} has no address: add it under `emails` in routing.yaml")
        raise ConfigurationError(f"receiver {mail.receiver!r} cannot be mailed: no mail server is set")


@asynccontextmanager
async def open_pager(settings: Settings, routing: Routing) -> AsyncIterator[Pager]:
    """The pager for as long as this is open. Nothing is asked of PagerDuty until somebody is paged.

    Raises ConfigurationError for an address that would send keys in clear. A receiver without a key is told when it is paged.
    """
    keys = {name: key.get_secret_value() for name, key in settings.pagerduty_routing_keys.items()}
    url = settings.pagerduty_events_url or "https://events.pagerduty.com"
    events = PagerDutyEvents(keys, url, settings.public_url or "")
    try:
        yield Paging(events, routing.emails)
    finally:
        await events.aclose()
