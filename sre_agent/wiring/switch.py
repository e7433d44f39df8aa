"""Moving the kill switch: anybody on this machine may engage it, only a person with a token lifts it.

SAFETY: this is the only place that lifts. No job, no role, no settings file and no model reaches it (guardrails G58, I13).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sre_agent.approval.teams import Teams
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import Permanent, Refused, SreAgentError
from sre_agent.policy.halt import HaltCause, HaltState, KillSwitch
from sre_agent.policy.people import People
from sre_agent.settings import Settings
from sre_agent.wiring.brain import load_books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.state import opened_state

NOBODY = Teams(People(people=(), teams={}))
"""Whose desk can stop and tell, and lets nobody resume."""


@dataclass(frozen=True)
class SwitchDesk:
    """The kill switch for the command line and for the API of this machine."""

    switch: KillSwitch
    clock: Clock
    teams: Teams = NOBODY

    async def state(self) -> HaltState:
        """How it stands. Never raises: what cannot be read is engaged, and says so."""
        try:
            return await self.switch.state()
        except SreAgentError as unreadable:
            reason = f"its state cannot be read, so nothing acts: {unreadable}"
            return HaltState(engaged=True, by="sre-agent", reason=reason, at=self.clock.now(), cause=HaltCause.UNREADABLE)

    async def engage(self, by: str, reason: str) -> HaltState:
        """Stop every effect that has not begun. Raises Permanent without a reason, Transient when the store is away."""
        return await self.switch.engage(by, _given(reason), self.clock.now())

    async def resume(self, person: str, token: str, reason: str) -> HaltState:
        """Allow effects again, on the word of a person proved by their own token. Raises Refused, Permanent or Transient."""
        if not self.teams.proves(person, token):
            raise Refused("resume-unproved", f"the token does not belong to {person!r} (teams.yaml, cli_token_sha256)")
        return await self.switch.lift(person, _given(reason), self.clock.now())


def _given(reason: str) -> str:
    """The reason, which must say something: it is what the next person on call reads."""
    if not reason.strip():
        raise Permanent("a reason is needed: it is what the next person on call will read")
    return reason.strip()


@asynccontextmanager
async def open_switch(settings: Settings, *, resuming: bool = False) -> AsyncIterator[SwitchDesk]:
    """The desk over the configured database. Only `resuming` needs the bundle: stopping works when the policies are broken."""
    teams = NOBODY
    if resuming:
        teams = Teams(load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir).bundle.declared.people)
    async with opened_state(settings) as state:
        yield SwitchDesk(state.halt, SystemClock(), teams)
