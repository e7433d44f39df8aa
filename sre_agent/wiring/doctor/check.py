"""One check: its name, the settings it is about, and how to look."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sre_agent.settings import Settings, variables
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen

Look = Callable[[Connections], Awaitable[Seen]]
"""Looks once, changes nothing. What it raises of ours makes the check broken."""


@dataclass(frozen=True)
class Check:
    """`what` it makes sure of, for the docs; `remedy` is what to do when it cannot even be asked.

    `needs`: variables without which there is nothing to check (skipped). `about`: more variables that it is about.
    `after`: the check (connection.name) without which this one makes no sense: when that one is broken, this is skipped.
    `books`: it reads the policies' data, which is loaded before the time of any check begins: deadlines are for servers.
    """

    connection: str
    name: str
    what: str
    look: Look
    remedy: str
    needs: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    after: str = ""
    books: bool = False

    @property
    def full_name(self) -> str:
        """As --only takes it: "pagerduty.token"."""
        return f"{self.connection}.{self.name}"

    @property
    def where(self) -> tuple[str, ...]:
        """Every setting this is about."""
        return (*self.needs, *self.about)

    def unset(self, settings: Settings) -> tuple[str, ...]:
        """Those of `needs` that are not set."""
        return tuple(v for v in self.needs if not is_set(settings, v))


def is_set(settings: Settings, variable: str) -> bool:
    """Whether a setting holds anything."""
    return getattr(settings, variables()[variable]) not in (None, "", (), {}, False)
