"""What the walks with Slack in them share: a board over a stand-in on loopback, and what people see there."""

from typing import Any

from sre_agent.testing.slack import SlackStandIn
from sre_agent.testing.walkthrough import Walkthrough
from tests.path.scenes import ID


def messages(slack: SlackStandIn) -> list[dict[str, Any]]:
    return slack.channels["C0INC"].messages


def headers(slack: SlackStandIn) -> list[str]:
    """The first line of every message as it looks now."""
    return [m["blocks"][0]["text"]["text"] for m in messages(slack)]


def buttons(message: dict[str, Any]) -> list[str]:
    return [e["action_id"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]]


async def kinds(walk: Walkthrough, incident_id: str = ID) -> list[str]:
    return [e.kind for e in (await walk.record(incident_id)).timeline]
