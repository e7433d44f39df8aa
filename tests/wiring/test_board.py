"""The board from the settings: whole, or not at all, and never half."""

import pytest

from sre_agent.adapters.slack.board import SlackBoard
from sre_agent.adapters.slack.client import SlackApi
from sre_agent.incident.errors import ConfigurationError
from sre_agent.settings import fixed
from sre_agent.wiring.board import board

API = SlackApi("xoxb-x", "http://127.0.0.1:9/api")


def test_without_slack_there_is_no_board() -> None:
    assert board(fixed({}), None) is None


def test_with_a_token_and_a_channel_id_there_is_one() -> None:
    assert isinstance(board(fixed({"SLACK_CHANNEL": "C0INC"}), API), SlackBoard)


@pytest.mark.parametrize(("values", "api"), [({"SLACK_CHANNEL": "C0INC"}, None), ({}, API)])
def test_half_a_configuration_is_an_error_that_names_both(values: dict[str, str], api: SlackApi | None) -> None:
    with pytest.raises(ConfigurationError, match="SLACK_BOT_TOKEN and SLACK_CHANNEL"):
        board(fixed(values), api)


def test_a_channels_name_is_refused_because_messages_cannot_be_updated_by_it() -> None:
    with pytest.raises(ConfigurationError, match="SLACK_CHANNEL is '#incidents'"):
        board(fixed({"SLACK_CHANNEL": "#incidents"}), API)
