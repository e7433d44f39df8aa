"""Slack on loopback, for the walks that ask there."""

from collections.abc import AsyncIterator, Iterator

import pytest

from sre_agent.adapters.slack.board import SlackBoard
from sre_agent.adapters.slack.client import SlackApi
from sre_agent.testing.slack import SlackStandIn


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as standing:
        yield standing


@pytest.fixture
async def board(slack: SlackStandIn) -> AsyncIterator[SlackBoard]:
    api = SlackApi(slack.bot_token, slack.api_url)
    yield SlackBoard(api, "C0INC")
    await api.aclose()
