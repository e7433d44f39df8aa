"""A double of what pages and mails: who was woken for what, and what went wrong when told to."""

from dataclasses import dataclass, field

from sre_agent.handback.pager import Mail, Page
from sre_agent.incident.errors import ConfigurationError


@dataclass
class MemoryPager:
    """handback.pager.Pager. `pages` holds every trigger, `resolved` (receiver, dedup_key) of every resolve, `mails` every mail.

    `missing`: receivers without a routing key; `unaddressed`: receivers without an e-mail address. `failing`: what the next
    calls raise, one each, before anything is recorded.
    """

    pages: list[Page] = field(default_factory=list)
    resolved: list[tuple[str, str]] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    unaddressed: set[str] = field(default_factory=set)
    failing: list[Exception] = field(default_factory=list)
    _open: dict[tuple[str, str], list[Page]] = field(default_factory=dict)
    _woken: list[Page] = field(default_factory=list)

    @property
    def woken(self) -> list[Page]:
        """The pages that woke somebody: those that opened something, not those that added to what was open."""
        return list(self._woken)

    @property
    def open(self) -> set[tuple[str, str]]:
        """(receiver, dedup_key) of what was triggered and not resolved since."""
        return set(self._open)

    async def trigger(self, page: Page) -> None:
        """See the protocol."""
        self._fail()
        self._key(page.receiver)
        self.pages.append(page)
        if (page.receiver, page.dedup_key) not in self._open:
            self._woken.append(page)
        self._open.setdefault((page.receiver, page.dedup_key), []).append(page)

    async def resolve(self, receiver: str, dedup_key: str) -> None:
        """See the protocol."""
        self._fail()
        self._key(receiver)
        self.resolved.append((receiver, dedup_key))
        self._open.pop((receiver, dedup_key), None)

    async def mail(self, mail: Mail) -> None:
        """See the protocol. The same `message_id` arrives once."""
        self._fail()
        if mail.receiver in self.unaddressed:
            raise ConfigurationError(f"receiver {mail.receiver!r} has no address: add it under `emails` in routing.yaml")
        if all(known.message_id != mail.message_id for known in self.mails):
            self.mails.append(mail)

    def _fail(self) -> None:
        if self.failing:
            raise self.failing.pop(0)

    def _key(self, receiver: str) -> None:
        if receiver in self.missing:
            raise ConfigurationError(f"receiver {receiver!r} has no routing key: add it to PAGERDUTY_ROUTING_KEYS")
