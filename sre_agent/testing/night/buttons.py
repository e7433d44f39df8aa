"""The people of the night at their Slack clients: signed presses of the real buttons, over real HTTP."""

import time
from collections.abc import Mapping
from typing import Any

from sre_agent.testing.slack import Member, SlackStandIn
from sre_agent.testing.slack_press import Signed, buttons, deliver, pressed, sign

CHANNEL = "C0INC"
STRANGER = "U0STRANGER"
"""In the workspace and the channel, and in no team of teams.yaml."""


class Buttons:
    """Who presses what. `people` maps a name to the Slack user."""

    def __init__(self, slack: SlackStandIn, agent_url: str, people: Mapping[str, str]) -> None:
        self._slack = slack
        self._agent_url = agent_url
        self._people = {**people, "a stranger": STRANGER}
        slack.join(*(Member(user) for user in self._people.values()))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What stands in the channel, oldest first."""
        return self._slack.channels[CHANNEL].messages

    @property
    def headline(self) -> str:
        """The newest message's header."""
        header = next((b for m in self.messages[-1:] for b in m["blocks"] if b["type"] == "header"), None)
        return str(header["text"]["text"]) if header else ""

    def open(self) -> bool:
        """True while the newest message has an Approve button."""
        return bool(self.messages) and "sre_approve" in buttons(self.messages[-1])

    def signed(self, who: str, secret: str | None = None) -> Signed:
        """Their press of Approve on the newest message; `secret` other than the app's makes it a forgery."""
        value = buttons(self.messages[-1])["sre_approve"]
        payload = pressed(self._slack, self._people[who], "sre_approve", value)
        return sign(self._slack, payload, time.time(), secret)

    def send(self, press: Signed) -> int:
        """Deliver it as Slack would; the status of the answer."""
        return deliver(self._agent_url, press)[0]

    def told(self, who: str) -> list[str]:
        """What only they could read, oldest first."""
        return self._slack.whispered(self._people[who])
