"""Status page updates over the configured database, people and pages, for the command line; and the desk that drafts them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sre_agent.adapters.statuspage import Statuspage
from sre_agent.approval.teams import Teams
from sre_agent.incident.errors import ConfigurationError
from sre_agent.response.status_publishing import StatusPublisher
from sre_agent.response.status_updates import StatusDesk
from sre_agent.response.walk import Walk
from sre_agent.routing.file import Routing
from sre_agent.settings import Settings
from sre_agent.wiring.brain import load_books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.state import State, opened_state


def status_desk(state: State, routing: Routing) -> StatusDesk:
    """What drafts updates in a worker. It has no way to publish."""
    return StatusDesk(Walk(state.store, SystemClock()), state.status_drafts, routing)


@asynccontextmanager
async def open_publisher(settings: Settings) -> AsyncIterator[StatusPublisher]:
    """What people do with drafts. Raises ConfigurationError for half a Statuspage."""
    books = load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir)
    pages = statuspage(settings)
    try:
        async with opened_state(settings) as state:
            people = Teams(books.bundle.declared.people)
            yield StatusPublisher(Walk(state.store, SystemClock()), state.status_drafts, people, pages)
    finally:
        if pages is not None:
            await pages.aclose()


def statuspage(settings: Settings) -> Statuspage | None:
    """What publishes; None where none is set. Raises ConfigurationError for half a Statuspage."""
    key = settings.statuspage_api_key
    if (key is None) != (not settings.statuspage_pages):
        raise ConfigurationError("STATUSPAGE_API_KEY and STATUSPAGE_PAGES go together: set both, or neither")
    if key is None:
        return None
    return Statuspage(key.get_secret_value(), settings.statuspage_pages, settings.statuspage_api_url or "https://api.statuspage.io")
