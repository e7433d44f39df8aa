"""What several checks share: the settings, the books, the open database, PagerDuty. Each is opened when first asked for."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import SecretStr

from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import ConfigurationError
from sre_agent.settings import Settings
from sre_agent.wiring.clock import SystemClock

if TYPE_CHECKING:
    from sre_agent.adapters.pagerduty.account import PagerDutyAccount
    from sre_agent.adapters.postgres.database import Database
    from sre_agent.wiring.brain import Books

T = TypeVar("T")
LOADING_S = 60.0
"""Seconds that policies and runbooks may take to load, on a machine that is busy with other things."""
OF_DEADLINE = 0.7
"""How much of a check's deadline one request may take, so that the check can still say why there was no answer."""


@dataclass(frozen=True)
class Terms:
    """`timeout_s` is what one check may take, in seconds. `call_model`: a call that costs money is allowed.

    `role` is what runs here (`sre-agent serve --role`): a process is not missing what another one needs.
    """

    timeout_s: float = 10.0
    call_model: bool = False
    role: Literal["all", "web", "worker", "hands"] = "all"

    @property
    def hears(self) -> bool:
        """Whether deliveries and presses come to this process."""
        return self.role in ("all", "web")

    @property
    def acts(self) -> bool:
        """Whether this process holds write credentials."""
        return self.role in ("all", "hands")


def plain(secret: SecretStr | None) -> str:
    """A secret as a server wants it; "" for none."""
    return secret.get_secret_value() if secret else ""


class Connections:
    """For one examination, in one event loop. Close it when all checks are done."""

    def __init__(self, settings: Settings, terms: Terms | None = None, clock: Clock | None = None) -> None:
        self.settings = settings
        self.terms = terms or Terms()
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._opened: dict[str, asyncio.Task[Any]] = {}

    @property
    def now(self) -> datetime:
        """This machine's time."""
        return self._clock.now()

    @property
    def request_s(self) -> float:
        """Seconds for one request."""
        return OF_DEADLINE * self.terms.timeout_s

    @property
    def in_cluster(self) -> bool:
        """Whether this runs in a pod: there the service account is an identity without any setting."""
        return "KUBERNETES_SERVICE_HOST" in os.environ

    async def webhook_secrets(self) -> dict[str, str]:
        """Signing secrets by subscription, of settings and file; under "" one that serves any. Raises ConfigurationError."""
        from sre_agent.wiring.extension import secrets_file

        kept = await asyncio.to_thread(secrets_file(self.settings).read)
        return {**kept, **self.settings.webhook_secrets}

    async def books(self) -> "Books":
        """Policies and runbooks. Raises ConfigurationError."""
        return await self._once("books", self._read_books)

    async def prepare(self) -> None:
        """Load the books, which takes this machine's time and no server's. What is wrong with them is raised by `books`."""
        self._begun("books", self._read_books)
        await asyncio.wait({self._opened["books"]}, timeout=LOADING_S)

    async def database(self) -> "Database":
        """The agent's own database, reached once already. Raises Transient or ConfigurationError with the server's words."""
        return await self._once("database", self._open_database)

    async def pagerduty(self) -> "PagerDutyAccount":
        """PagerDuty's REST API, read only."""
        return await self._once("pagerduty", self._open_pagerduty)

    async def aclose(self) -> None:
        """Close what was opened; what is still opening is given up."""
        for task in self._opened.values():
            task.cancel()
        await asyncio.gather(*self._opened.values(), return_exceptions=True)
        await self._stack.aclose()

    async def _once(self, name: str, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Made by whoever asks first; a check that runs out of time does not take it from the others."""
        self._begun(name, make)
        found: T = await asyncio.shield(self._opened[name])
        return found

    def _begun(self, name: str, make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        if name not in self._opened:
            self._opened[name] = asyncio.create_task(make())

    async def _read_books(self) -> "Books":
        from sre_agent.wiring.brain import load_books

        s = self.settings
        return await asyncio.to_thread(load_books, s.policies_dir, s.policy_data, s.runbooks_dir)

    async def _open_database(self) -> "Database":
        from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
        from sre_agent.adapters.postgres.database import Database, single_connection
        from sre_agent.wiring.state import database_url

        if self.settings.database_url is None and not EmbeddedPostgres.made(self.settings.data_dir):
            raise ConfigurationError(f"there is no database in {self.settings.data_dir} yet, and DATABASE_URL is not set")
        url = await self._stack.enter_async_context(database_url(self.settings))
        # Not through the pool: that would only say that it got no connection, and not why.
        async with single_connection(url) as connection:
            await connection.execute("SELECT 1")
        return await self._stack.enter_async_context(Database(url, max_size=4, wait_s=self.request_s))

    async def _open_pagerduty(self) -> "PagerDutyAccount":
        from sre_agent.adapters.pagerduty.account import account

        token, url = self.settings.pagerduty_api_token, self.settings.pagerduty_api_url
        found = account(token.get_secret_value() if token else "", url or "", self.request_s)
        self._stack.push_async_callback(found.aclose)
        return found
