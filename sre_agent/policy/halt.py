"""The kill switch as people see and move it. The guard only ever asks `halted()` (policy.facts.Halt).

It is engaged after an install and after an upgrade, so that nothing acts before a person has looked and said so; a plain
restart keeps it as it was (guardrail G58).
"""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.audit.record import AuditEntry

HOW_TO_RESUME = "sre-agent resume --as YOU --reason WHY"
"""What lifts the switch: a person's command, proved by their own token."""


class HaltCause(StrEnum):
    """What moved the switch last. UNREADABLE is never stored: it is what a reader says who gets no answer."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    CHAIN = "chain"
    PERSON = "person"
    UNREADABLE = "unreadable"


class HaltState(BaseModel):
    """Whether the switch is engaged, and who moved it last, when (UTC) and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engaged: bool
    by: str
    reason: str
    at: datetime
    cause: HaltCause = HaltCause.PERSON


class KillSwitch(Protocol):
    """Durable and shared by every process. Both moves are idempotent, and each is an audit record."""

    async def halted(self) -> bool:
        """True when engaged, and true when that cannot be found out."""
        ...

    async def engage(self, by: str, reason: str, now: datetime) -> HaltState:
        """Stop every effect that has not begun. Raises Transient when the store cannot be reached."""
        ...

    async def lift(self, by: str, reason: str, now: datetime) -> HaltState:
        """Allow effects again. Raises Transient when the store cannot be reached."""
        ...

    async def state(self) -> HaltState:
        """How the switch stands. Raises Transient when the store cannot be reached."""
        ...


def installed(version: str, now: datetime) -> HaltState:
    """The first position, on a database that has none yet."""
    reason = f"fresh install of {version}: look at the settings, policies and targets, then: {HOW_TO_RESUME}"
    return HaltState(engaged=True, by="sre-agent", reason=reason, at=now, cause=HaltCause.INSTALL)


def upgraded(stored: HaltState, was: str, version: str, now: datetime) -> HaltState:
    """The position for a program of another `version` than the one on record. A halt that stood before is not forgotten."""
    reason = f"upgrade from {was or 'a version that kept no record'} to {version}: read the changelog, then: {HOW_TO_RESUME}"
    if stored.engaged:
        reason = f"{reason} (halted before that by {stored.by}: {stored.reason})"
    return HaltState(engaged=True, by="sre-agent", reason=reason, at=now, cause=HaltCause.UPGRADE)


def tampered(record: int, now: datetime) -> HaltState:
    """The position when the audit chain is broken at `record`: whoever changed the past is not helped to act (G59)."""
    reason = f"the audit chain is broken at record {record}: see sre-agent audit verify; once understood: {HOW_TO_RESUME}"
    return HaltState(engaged=True, by="sre-agent", reason=reason, at=now, cause=HaltCause.CHAIN)


def audited(state: HaltState) -> AuditEntry:
    """The record of a move."""
    kind = "halt_engaged" if state.engaged else "halt_lifted"
    detail = {"reason": state.reason, "cause": state.cause.value}
    return AuditEntry(at=state.at, incident_id=None, kind=kind, actor=state.by, detail=detail)


def words(state: HaltState) -> str:
    """One line for people: "HALTED since ... by ...: why"."""
    position = "HALTED" if state.engaged else "running"
    return f"{position} since {state.at.isoformat(timespec='seconds')} by {state.by}: {state.reason}"
