"""Autonomy is earned per (action, service), lasts a while, and ends with the first harm (guardrail G60). Pure.

What counts is read from the audit chain, so it survives restarts and nobody can set it:
- an agreement: the agent proposed, people approved exactly that plan (the guard counted their approvals for its hash right
  before the effect), it was carried out, and recovery was verified;
- a setback: it failed, its effect or its recovery is unknown, the service did not recover, or a person denied the plan.

What ran without anybody's approval earns nothing, however well it went, but it can be a setback. Plans that expired, were
withdrawn or were not begun count for nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sre_agent.audit.record import AuditEntry

AGREEMENTS = 20
"""Agreements in a row that earn autonomy."""

LASTS = timedelta(days=30)
"""How long it lasts from the newest agreement on. One more agreement renews it, which takes a person each time."""

HISTORY = 100
"""How many of a pair's newest incidents are looked at."""

PLANNED = frozenset({"approval_requested", "execution_started", "action_permitted"})
"""Audit kinds that carry the judged request, and with it the pair that the incident's next records are about."""

_PERMITTED = "action_permitted"
_WELL = "recovery_verified"
_HARM = {
    "action_failed": "the action failed",
    "action_unknown": "it is unknown whether the action took effect",
    "recovery_failed": "the service did not recover",
    "recovery_unknown": "recovery could not be established",
    "approval_denied": "a person denied the plan",
    "walk_failed": "the walk broke off after the action had begun",
}
_BEGUN = frozenset({"executing", "verifying"})

KINDS = PLANNED | {_WELL} | _HARM.keys()
"""The audit kinds that are looked at."""


class TrackRecord(Protocol):
    """The history of a pair, from the audit chain."""

    async def history(self, action: str, service: str) -> tuple[AuditEntry, ...]:
        """Entries of KINDS, oldest first, of the HISTORY newest incidents with a plan for the pair.

        Raises Permanent for a record that is not as it was written, Transient when the store is away.
        """
        ...


class Fate(StrEnum):
    """How one plan of a pair ended, as far as autonomy is concerned."""

    AGREED = "agreed"
    SETBACK = "setback"


@dataclass(frozen=True)
class Ending:
    """One plan's end. `why` says what a setback was."""

    at: datetime
    incident_id: str
    fate: Fate
    why: str = ""


@dataclass(frozen=True)
class Standing:
    """What a pair has earned at a moment: agreements since the last setback, and until when it is autonomous, if it is.

    `why` says why it is not; "" when it is.
    """

    agreements: int = 0
    until: datetime | None = None
    why: str = ""

    @property
    def earned(self) -> bool:
        """True while autonomous."""
        return not self.why


@dataclass
class _Plan:
    pair: tuple[str, str]
    approvals: int = 0


def endings(history: Iterable[AuditEntry], action: str, service: str) -> tuple[Ending, ...]:
    """How the plans of a pair ended, in the history's order. Entries about other pairs are passed over."""
    plans: dict[str, _Plan] = {}
    found: list[Ending] = []
    for entry in history:
        incident = entry.incident_id or ""
        pair = pair_of(entry)
        if pair is not None:
            approvals = entry.detail.get("approvals", 0) if entry.kind == _PERMITTED else 0
            plans[incident] = _Plan(pair, approvals if isinstance(approvals, int) else 0)
            continue
        plan = plans.get(incident)
        if plan is None or plan.pair != (action, service):
            continue
        if entry.kind == _WELL and plan.approvals >= 1:
            found.append(Ending(entry.at, incident, Fate.AGREED))
        elif entry.kind in _HARM and (entry.kind != "walk_failed" or entry.detail.get("from") in _BEGUN):
            found.append(Ending(entry.at, incident, Fate.SETBACK, _HARM[entry.kind]))
        if entry.kind in KINDS:
            del plans[incident]  # this plan is over: what comes later is about another
    return tuple(found)


def standing(history: Iterable[AuditEntry], action: str, service: str, now: datetime) -> Standing:
    """What the pair has earned at `now`."""
    agreed: list[datetime] = []
    last: Ending | None = None
    for ending in endings(history, action, service):
        if ending.fate is Fate.SETBACK:
            agreed, last = [], ending
        elif ending.at <= now:  # SAFETY: what is dated in the future earns nothing yet
            agreed.append(ending.at)
    if len(agreed) < AGREEMENTS:
        since = "" if last is None else f" since {last.at:%Y-%m-%d} ({last.incident_id}: {last.why})"
        return Standing(len(agreed), why=f"{len(agreed)} of {AGREEMENTS} agreements{since}")
    until = max(agreed) + LASTS
    if now > until:
        return Standing(len(agreed), until, f"expired on {until:%Y-%m-%d %H:%M} UTC; one more agreement renews it")
    return Standing(len(agreed), until)


def unreadable(reason: str) -> Standing:
    """SAFETY: a history that cannot be read has earned nothing."""
    return Standing(why=f"the history cannot be read: {reason}")


def pair_of(entry: AuditEntry) -> tuple[str, str] | None:
    """(action, service) that a planning entry is about; None for any other entry."""
    if entry.kind not in PLANNED:
        return None
    request = _part(entry.detail, "request")
    action, service = _part(request, "proposal").get("action"), _part(request, "declaration").get("service")
    return (action, service) if isinstance(action, str) and isinstance(service, str) else None


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}
