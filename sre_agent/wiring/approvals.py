"""The answer desk over the configured database and bundle, for the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sre_agent.approval.decide import Approvers
from sre_agent.approval.teams import Teams
from sre_agent.asking.desk import AnswerDesk
from sre_agent.policy.bundle import Bundle
from sre_agent.response.store import Store
from sre_agent.response.walk import Walk
from sre_agent.settings import Settings
from sre_agent.wiring.brain import load_books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.state import opened_state


def answer_desk(store: Store, bundle: Bundle) -> AnswerDesk:
    """The desk over a store, for every door of this process."""
    return AnswerDesk(Walk(store, SystemClock()), Teams(bundle.declared.people), Approvers(bundle))


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[AnswerDesk]:
    """The desk over the configured database and bundle."""
    books = load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir)
    async with opened_state(settings) as state:
        yield answer_desk(state.store, books.bundle)
