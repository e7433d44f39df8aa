"""Who pressed a button in Slack, and may it be them? Names and e-mail addresses are never looked at: only ids are identity.

The signature proves that Slack sent the press; everything here is asked of Slack and PagerDuty anew for each press, except
the lists of the approvers' group and of who is on call, which may be a minute old.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from sre_agent.approval.press import Press
from sre_agent.approval.teams import Person, Teams
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import Refused, SreAgentError
from sre_agent.response.record import IncidentRecord
from sre_agent.triage.ownership import Ownership

T = TypeVar("T")

FRESH_FOR = timedelta(seconds=60)
"""How old a list of people may be."""


class Installed(Protocol):
    """Whose the bot token is. `app_id` None: not known."""

    @property
    def team_id(self) -> str:
        """The workspace."""
        ...

    @property
    def app_id(self) -> str | None:
        """The app."""
        ...


class Member(Protocol):
    """Somebody as Slack knows them. `restricted`: a guest, or of another organisation."""

    @property
    def id(self) -> str:
        """U..."""
        ...

    @property
    def team_id(self) -> str:
        """Their own workspace."""
        ...

    @property
    def is_bot(self) -> bool:
        """Not a person."""
        ...

    @property
    def deleted(self) -> bool:
        """Their account was closed."""
        ...

    @property
    def restricted(self) -> bool:
        """Not a full member."""
        ...


class Directory(Protocol):
    """Slack's people. Every method raises Transient or Permanent when it cannot tell."""

    async def identity(self) -> Installed:
        """Whose our token is."""
        ...

    async def user(self, user_id: str) -> Member:
        """One person."""
        ...

    async def group_members(self, group_id: str) -> frozenset[str]:
        """The user ids of a user group."""
        ...


OnCall = Callable[[str], Awaitable[frozenset[str]]]
"""on_call(escalation policy id): PagerDuty user ids of who is on call for it now. Raises Transient or Permanent."""


@dataclass(frozen=True)
class Narrowing:
    """What the settings ask beside teams and policies. It only narrows: none of it lets anybody in.

    `app_id` None: learned from the token. `group` is a Slack user group; `on_call` None: whoever the policies name may approve.
    """

    app_id: str | None = None
    group: str | None = None
    on_call: OnCall | None = None


@dataclass(frozen=True)
class Pressers:
    """Judges who pressed. Every method raises Refused, with a rule and what to do, and nothing else."""

    directory: Directory
    teams: Teams
    ownership: Ownership
    clock: Clock
    narrowing: Narrowing = field(default_factory=Narrowing)
    _lists: dict[str, tuple[datetime, frozenset[str]]] = field(default_factory=dict, repr=False, compare=False)

    async def of_this_workspace(self, press: Press) -> None:
        """The press came from our app, in our workspace, by somebody of the workspace."""
        ours = await self._asked("press-installation-unknown", "which app and workspace this is", self.directory.identity())
        app = self.narrowing.app_id or ours.app_id
        if not app or not ours.team_id:
            raise Refused("press-installation-unknown", "it is not known which Slack app this is; set SLACK_APP_ID")
        if press.app != app:
            raise Refused("press-other-app", "the button belongs to another Slack app than the one installed here")
        if press.team != ours.team_id:
            raise Refused("press-other-workspace", "the button was pressed in another workspace than the one installed here")
        # SAFETY: in a channel shared by Slack Connect, members of other organisations see and press the same buttons.
        if not press.user or press.user_team != ours.team_id:
            raise Refused("press-other-organisation", "only members of the workspace itself can answer, not those of others")

    async def full_member(self, press: Press) -> None:
        """They are a person with a full account of the workspace, now."""
        member = await self._asked("press-lookup-failed", "who you are", self.directory.user(press.user))
        if member.id != press.user or member.team_id != press.team:
            raise Refused("press-other-organisation", "only members of the workspace itself can answer, not those of others")
        if member.is_bot or member.deleted or member.restricted:
            raise Refused("press-not-a-member", "bots, guests and closed accounts cannot answer; ask a full member")

    async def person(self, press: Press) -> Person:
        """The person of teams.yaml, one behind all their identities."""
        await self.full_member(press)
        person = self.teams.find("slack", press.user)
        if person is None:
            raise Refused("press-unknown-person", f"nobody in teams.yaml has the Slack id {press.user}; ask who keeps that file")
        return person

    async def may_approve(self, press: Press, person: Person, record: IncidentRecord) -> None:
        """They are in the approvers' group and on call, where the settings ask for it."""
        group, on_call = self.narrowing.group, self.narrowing.on_call
        if group:
            members = await self._list(
                f"group {group}", "who is in the approvers' group", lambda: self.directory.group_members(group)
            )
            if press.user not in members:
                raise Refused("press-not-in-group", f"you are not in the approvers' user group ({group}); ask somebody who is")
        if on_call is None:
            return
        policy = self.ownership.escalation_policy(record.triage.receiver if record.triage else "")
        if policy is None:
            raise Refused("press-not-on-call", "the owner has no escalation policy in routing.yaml, so nobody is on call for it")
        called = await self._list(f"policy {policy}", "who is on call", lambda: on_call(policy))
        if person.pagerduty is None or person.pagerduty not in called:
            raise Refused("press-not-on-call", f"you are not on call for escalation policy {policy}; ask whoever is")

    async def _list(self, name: str, what: str, ask: Callable[[], Awaitable[frozenset[str]]]) -> frozenset[str]:
        """A list of people, at most FRESH_FOR old. A failure is not kept."""
        known = self._lists.get(name)
        now = self.clock.now()
        if known is not None and timedelta(0) <= now - known[0] < FRESH_FOR:
            return known[1]
        found = await self._asked("press-lookup-failed", what, ask())
        self._lists[name] = (now, found)
        return found

    async def _asked(self, rule: str, what: str, answer: Awaitable[T]) -> T:
        """What Slack or PagerDuty says."""
        try:
            return await answer
        except SreAgentError as failed:
            # SAFETY: who cannot be looked up is nobody.
            again = f"{what} could not be found out; press again, or answer on the page ({failed})"
            raise Refused(rule, again) from failed
