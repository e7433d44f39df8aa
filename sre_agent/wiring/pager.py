"""What wakes people where no other system has: PagerDuty's Events v2 with the settings' routing keys, and e-mail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sre_agent.adapters.email import SmtpMailer, server_of
from sre_agent.adapters.pagerduty.events import PagerDutyEvents
from sre_agent.handback.pager import Mail, Page, Pager
from sre_agent.incident.errors import ConfigurationError
from sre_agent.routing.file import Routing
from sre_agent.settings import Settings


class Paging:
    """handback.pager.Pager over the two that do the work. `mailer` None: no mail server is set."""

    def __init__(self, events: PagerDutyEvents, mailer: SmtpMailer | None) -> None:
        self._events, self._mailer = events, mailer

    async def trigger(self, page: Page) -> None:
        """See the protocol."""
        await self._events.trigger(page)

    async def resolve(self, receiver: str, dedup_key: str) -> None:
        """See the protocol."""
        await self._events.resolve(receiver, dedup_key)

    async def mail(self, mail: Mail) -> None:
        """See the protocol."""
        if self._mailer is None:
            raise ConfigurationError(
                f"receiver {mail.receiver!r} cannot be mailed: set SRE_AGENT_SMTP_URL and SRE_AGENT_MAIL_FROM, "
                "and an address under `emails` in routing.yaml"
            )
        await self._mailer.mail(mail)


@asynccontextmanager
async def open_pager(settings: Settings, routing: Routing) -> AsyncIterator[Pager]:
    """The pager for as long as this is open. Nothing is asked of PagerDuty or a mail server until somebody is told.

    Raises ConfigurationError for addresses that are none or would send secrets in clear, and for half of a mail server. A receiver
    without a key or an address is told when it is paged or mailed.
    """
    keys = {name: key.get_secret_value() for name, key in settings.pagerduty_routing_keys.items()}
    url = settings.pagerduty_events_url or "https://events.pagerduty.com"
    mails = mailer(settings, routing)
    events = PagerDutyEvents(keys, url, settings.public_url or "")
    try:
        yield Paging(events, mails)
    finally:
        await events.aclose()


def mailer(settings: Settings, routing: Routing) -> SmtpMailer | None:
    """What mails; None when no mail server is set. Raises ConfigurationError for half of one."""
    if settings.smtp_url is None and settings.mail_from is None:
        return None
    if settings.smtp_url is None or settings.mail_from is None:
        raise ConfigurationError("SRE_AGENT_SMTP_URL and SRE_AGENT_MAIL_FROM go together: set both, or neither")
    return SmtpMailer(server_of(settings.smtp_url.get_secret_value()), settings.mail_from, routing.emails)
