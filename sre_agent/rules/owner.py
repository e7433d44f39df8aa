"""Whose a receiver of an Alertmanager configuration is: by the names and teams of the routing file."""

import re
from typing import Final

from sre_agent.incident.alert import AlertClass
from sre_agent.routing.file import Routing
from sre_agent.rules.tree import Receiver
from sre_agent.triage.ownership import AI_ENGINEERING, INTEGRATIONS, PLATFORM

OWNED: Final = {AlertClass.INFRA: PLATFORM, AlertClass.MODEL: AI_ENGINEERING, AlertClass.TOOL: INTEGRATIONS}
"""Class -> the routing file's receiver for it."""
PAGERS: Final = frozenset(
    {"pagerduty_configs", "opsgenie_configs", "victorops_configs", "pushover_configs", "incidentio_configs", "rootly_configs"}
)
"""Integrations that wake people. Chat and e-mail are the second channel, and a webhook may be anything."""
CHATS: Final = frozenset(
    {
        *("slack_configs", "email_configs", "msteams_configs", "msteamsv2_configs", "discord_configs", "telegram_configs"),
        *("webex_configs", "sns_configs", "wechat_configs", "mattermost_configs", "jira_configs", "rocketchat_configs"),
    }
)
AGENT_PATH: Final = "/webhooks/alertmanager"
_WORDS: Final = re.compile(r"[a-z0-9]+")


def pages(receiver: Receiver) -> bool:
    """It wakes people itself."""
    return bool(receiver.kinds & PAGERS)


def only_chats(receiver: Receiver) -> bool:
    """It tells people, and wakes nobody."""
    return bool(receiver.kinds) and receiver.kinds <= CHATS


def agents(receiver: Receiver) -> bool:
    """It is the agent's own door, which decides by itself whom to page."""
    return any(AGENT_PATH in config.text("url") for config in receiver.integrations("webhook_configs"))


def owner_of(name: str, routing: Routing) -> AlertClass | None:
    """The class whose owners a receiver's name means; None when it means none of them, or several."""
    exact = [owned for owned, receiver in OWNED.items() if receiver == name]
    if exact:
        return exact[0]
    said = _words(name)
    found = {owned for owned, receiver in OWNED.items() if any(_within(words, said) for words in _names(receiver, routing))}
    return found.pop() if len(found) == 1 else None


def _names(receiver: str, routing: Routing) -> list[list[str]]:
    """The words by which a receiver may be meant: its own name without the pager's, and its teams."""
    return [words for name in (receiver, *routing.teams.get(receiver, ())) if (words := [w for w in _words(name) if w != "pd"])]


def _words(name: str) -> list[str]:
    return _WORDS.findall(name.casefold())


def _within(words: list[str], said: list[str]) -> bool:
    """All the words stand together, in their order."""
    return any(said[i : i + len(words)] == words for i in range(len(said) - len(words) + 1))
