"""What the web room needs of the rest: plain callables and protocols, handed in by wiring."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sre_agent.approval.request import ApprovalRequest
from sre_agent.execution.ledger import Intent
from sre_agent.incident.clock import Clock
from sre_agent.policy.bundle import Rule
from sre_agent.policy.decision import Decision
from sre_agent.policy.facts import Mode
from sre_agent.policy.halt import HaltState
from sre_agent.policy.modes import ModeRow
from sre_agent.response.headline import Headlines
from sre_agent.response.store import Store
from sre_agent.runbook.runbook import Runbook
from sre_agent.web.entrance import Entrance
from sre_agent.web.metrics import Metrics
from sre_agent.web.slack import SlackDoor


@dataclass(frozen=True)
class Probe:
    """One condition of readiness. `check` answers None when it holds, else what is wrong, for a person.

    It may raise an SreAgentError, which counts as "wrong".
    """

    name: str
    check: Callable[[], Awaitable[str | None]]


class Switch(Protocol):
    """The kill switch at the desk: engaging is free, resuming takes a person's token."""

    async def state(self) -> HaltState:
        """How it stands. Never raises: what cannot be read is engaged."""
        ...

    async def engage(self, by: str, reason: str) -> HaltState:
        """Stop every effect that has not begun. Raises Permanent or Transient."""
        ...

    async def resume(self, person: str, token: str, reason: str) -> HaltState:
        """Allow effects again. Raises Refused when the token is not the person's, Permanent or Transient."""
        ...


class ModeTable(Protocol):
    """Which mode holds for what."""

    @property
    def overall(self) -> Mode:
        """The agent's own mode."""
        ...

    @property
    def others(self) -> Mode:
        """The mode of every pair without an entry."""
        ...

    async def rows(self) -> tuple[ModeRow, ...]:
        """Every entry of modes.yaml. Never raises for a history that cannot be read: that is in the row."""
        ...


@dataclass(frozen=True)
class Said:
    """A person's answer to a question, as a page hands it in: the fields of response.desk.Given."""

    approval_id: str
    person: str
    approve: bool
    via: str
    reason: str
    plan: str


@dataclass(frozen=True)
class PagePorts:
    """What the pages need besides: lists, the ledger's rows of an incident, and the books in force.

    `answer` raises what response.desk.AnswerDesk.take does. `eligible` says whether a person's yes would count at a moment.
    """

    headlines: Headlines
    intents: Callable[[str], Awaitable[tuple[Intent, ...]]]
    answer: Callable[[Said], Awaitable[object]]
    eligible: Callable[[ApprovalRequest, str, datetime], Decision]
    rules: Mapping[str, Rule]
    bundle_hash: str
    runbooks: Mapping[str, Runbook]


@dataclass(frozen=True)
class AlertDoors:
    """What the doors besides PagerDuty's need: how alerts are grouped into incidents, and the secret of each.

    `group_of` gives the group of a label set. A secret that is "" (for signed webhooks: a sender without one) leaves its door
    shut with 503.
    """

    group_of: Callable[[Mapping[str, str]], str]
    alertmanager_token: str = field(default="", repr=False)
    opsgenie_token: str = field(default="", repr=False)
    jsm_token: str = field(default="", repr=False)
    signing_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class WebPorts:
    """Everything an app is made of.

    `pagerduty_secrets` is by subscription id, "" for any; empty answers 503 at that door. It may change while it is looked at.
    `pagerduty_action_token` opens the door of the button; empty answers 503 there. `probes` are the
    conditions of `/readyz`: database, migrations, bundle, workers. `notes` are told there and make nothing unready. Without
    a `switch` nothing is told of it and nothing moves it; without `modes` they are not told; without an `entrance` nobody
    signs in; without `slack` there is no door for its presses, without `doors` none but PagerDuty's, without
    `pages` there are none.
    """

    store: Store
    clock: Clock
    metrics: Metrics
    pagerduty_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    pagerduty_action_token: str = field(default="", repr=False)
    probes: tuple[Probe, ...] = ()
    notes: tuple[Probe, ...] = ()
    switch: Switch | None = None
    modes: ModeTable | None = None
    entrance: Entrance | None = None
    slack: SlackDoor | None = None
    doors: AlertDoors | None = None
    pages: PagePorts | None = None
