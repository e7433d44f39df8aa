"""Where questions are put to people: the Slack channel of the settings, and whoever may answer there."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sre_agent.adapters.slack.board import SlackBoard
from sre_agent.adapters.slack.client import SlackApi
from sre_agent.approval.decide import Approvers
from sre_agent.approval.teams import Teams
from sre_agent.asking.announce import Announcer
from sre_agent.asking.digest import DigestDesk
from sre_agent.handback.board import QuestionBoard
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.incident.errors import ConfigurationError
from sre_agent.response.walk import Walk
from sre_agent.settings import Settings
from sre_agent.wiring.brain import Books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.slack import slack_api
from sre_agent.wiring.state import State

_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]+")


def board(settings: Settings, api: SlackApi | None) -> QuestionBoard | None:
    """The channel; None when Slack is not configured. ConfigurationError for half a configuration, before anybody waits for it."""
    if api is None or settings.slack_channel is None:
        if api is not None or settings.slack_channel is not None:
            raise ConfigurationError("SLACK_BOT_TOKEN and SLACK_CHANNEL go together: set both, or neither")
        return None
    if not _CHANNEL_ID.fullmatch(settings.slack_channel):
        raise ConfigurationError(
            f"SLACK_CHANNEL is {settings.slack_channel!r}; Slack updates messages by the channel's id only (C...)"
        )
    return SlackBoard(api, settings.slack_channel)


@asynccontextmanager
async def open_board(settings: Settings) -> AsyncIterator[QuestionBoard | None]:
    """The channel for as long as this is open. Raises what `board` raises."""
    api = slack_api(settings)
    try:
        yield board(settings, api)
    finally:
        if api is not None:
            await api.aclose()


def announcer(
    settings: Settings, books: Books, state: State, tracker: IncidentTracker, shown_at: QuestionBoard | None
) -> Announcer:
    """What puts questions to people, as the settings say."""
    declared, public_url = books.bundle.declared, settings.public_url or ""
    walk = Walk(state.store, SystemClock())
    teams, approvers = Teams(declared.people), Approvers(books.bundle)
    return Announcer(
        walk=walk,
        board=shown_at,
        digests=DigestDesk(walk, tracker, declared.ownership, state.target_lock, settings.asks_per_hour, public_url),
        runbooks=books.runbooks,
        may_approve=lambda request, now: approvers.among(teams.members(request.team), request, now),
        name_of=teams.name_of,
        per_hour=settings.asks_per_hour,
        public_url=public_url,
    )
