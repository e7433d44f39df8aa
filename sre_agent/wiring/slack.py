"""Slack from the settings."""

from sre_agent.adapters.slack.client import DEFAULT_URL, SlackApi
from sre_agent.settings import Settings


def slack_api(settings: Settings) -> SlackApi | None:
    """The Web API under the bot token; None where there is none: plans are then asked about without Slack."""
    if settings.slack_bot_token is None:
        return None
    return SlackApi(settings.slack_bot_token.get_secret_value(), settings.slack_api_url or DEFAULT_URL)
