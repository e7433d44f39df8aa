"""Doubles of what the walk talks to: clock, incident tracker, investigator, action. In memory, one event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.change import Change
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.past_incident import PastIncident
from sre_agent.evidence.source import Scope
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.execution.rights import Right
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.incident import Incident, OpenIncident
from sre_agent.incident.target import Target
from sre_agent.response.ports import NOTHING, Investigator
from sre_agent.runbook.proposal import Investigated
from sre_agent.triage.triage import Triage


class ManualClock:
    """incident.clock.Clock that moves when told; `sleep` moves it instead of waiting."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time it was moved to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Time passes; other tasks get their turn."""
        self.advance(seconds)
        await asyncio.sleep(0)


@dataclass
class MemoryTracker:
    """handback.tracker.IncidentTracker over plain dicts. `fetches` counts looks; `failure` is raised by the next write.

    `listed` is what the tracker has open, `own_user` the agent's own user there: what breakers look at. `failing` maps one of
    the writes ("raise_priority", "set_fields", "post_status") to what it raises, every time; `sent` lets it happen all the same.
    """

    incidents: dict[str, Incident] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    fetches: int = 0
    failure: Exception | None = None
    listed: list[OpenIncident] = field(default_factory=list)
    own_user: str | None = None
    asked_in: list[tuple[str, str, str]] = field(default_factory=list)
    priorities: dict[str, str] = field(default_factory=dict)
    fields: dict[str, dict[str, str]] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=dict)
    assigned: list[tuple[str, str, bool]] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)
    sent: bool = False

    def put(self, incident: Incident) -> None:
        """The incident as it is now."""
        self.incidents[incident.id] = incident

    async def fetch(self, incident_id: str) -> Incident:
        """The incident put last; Permanent when nobody put one."""
        self.fetches += 1
        if incident_id not in self.incidents:
            raise Permanent(f"no incident {incident_id}")
        return self.incidents[incident_id]

    async def changes(self, incident_id: str, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:  # noqa: ARG002
        """None."""
        return ()

    async def service_changes(self, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:  # noqa: ARG002
        """None."""
        return ()

    async def similar(self, incident_id: str) -> tuple[PastIncident, ...] | None:  # noqa: ARG002
        """Not available."""
        return None

    async def write_note(self, incident_id: str, marker: str, text: str, note_id: str | None) -> str:
        """Create, or update the note that carries the marker."""
        self._fail()
        notes = self.notes.setdefault(incident_id, [])
        found = int(note_id) if note_id is not None else next((i for i, n in enumerate(notes) if marker in n), len(notes))
        notes[found : found + 1] = [text]
        return str(found)

    async def ask_in(self, incident_id: str, escalation_policy_id: str, message: str) -> bool:
        """Remember who was asked in, once for the same words."""
        self._fail()
        asked = (incident_id, escalation_policy_id, message)
        new = asked not in self.asked_in
        self.asked_in += [asked] if new else []
        return new

    async def assign_policy(self, incident_id: str, escalation_policy_id: str, *, again: bool = False) -> bool:
        """Remember where it went."""
        self._fail()
        moved = again or self.policies.get(incident_id) != escalation_policy_id
        self.policies[incident_id] = escalation_policy_id
        self.assigned.append((incident_id, escalation_policy_id, again))
        return moved

    async def raise_priority(self, incident_id: str, name: str) -> bool:
        """Remember it; False when it has it already."""
        moved = self.priorities.get(incident_id) != name
        self._done("raise_priority", lambda: self.priorities.update({incident_id: name}))
        return moved

    async def set_fields(self, incident_id: str, values: Mapping[str, str]) -> None:
        """Remember them."""
        self._done("set_fields", lambda: self.fields.setdefault(incident_id, {}).update(values))

    async def post_status(self, incident_id: str, message: str) -> None:
        """Remember every one."""
        self._done("post_status", lambda: self.statuses.setdefault(incident_id, []).append(message))

    def _done(self, what: str, effect: Callable[[], None]) -> None:
        self._fail()
        failure = self.failing.get(what)
        if failure is None or self.sent:
            effect()
        if failure is not None:
            raise failure

    async def open_incidents(self, since: datetime) -> tuple[OpenIncident, ...]:
        """Those listed that began at `since` or later."""
        self._fail()
        return tuple(o for o in self.listed if o.created_at is None or o.created_at >= since)

    async def own_user_id(self) -> str | None:
        """The agent's own user."""
        return self.own_user

    def _fail(self) -> None:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure


@dataclass
class ScriptedInvestigator:
    """response.ports.Investigator that answers what `found` says; `again` (default: the same) at the last look."""

    found: Callable[[Scope, Triage], Investigated]
    again: Callable[[Scope, Diagnosis], Diagnosis] | None = None
    left: dict[str, Spend] = field(default_factory=dict)
    told: list[Spend] = field(default_factory=list)

    async def investigate(self, scope: Scope, triage: Triage, thread: str, spent: Spend = NOTHING) -> Investigated:  # noqa: ARG002
        """The scripted finding; what the incident had spent before is kept in `told`."""
        self.told.append(spent)
        return self.found(scope, triage)

    async def spent(self, thread: str) -> Spend:
        """What was scripted as `left` by a thread without a result."""
        return self.left.get(thread, NOTHING)

    async def reexamine(self, scope: Scope, before: Diagnosis) -> Diagnosis:
        """The scripted second look."""
        return before if self.again is None else self.again(scope, before)


@dataclass
class RememberingInvestigator:
    """response.ports.Investigator over another one; `found` is what it last said of each thread."""

    investigator: Investigator
    found: dict[str, Investigated] = field(default_factory=dict)

    async def investigate(self, scope: Scope, triage: Triage, thread: str, spent: Spend = NOTHING) -> Investigated:
        """As the one behind it."""
        self.found[thread] = await self.investigator.investigate(scope, triage, thread, spent)
        return self.found[thread]

    async def spent(self, thread: str) -> Spend:
        """As the one behind it."""
        return await self.investigator.spent(thread)

    async def reexamine(self, scope: Scope, before: Diagnosis) -> Diagnosis:
        """As the one behind it."""
        return await self.investigator.reexamine(scope, before)


@dataclass
class ScriptedAction:
    """An Action that counts its effects. `on_effect` may raise or change the world right before the effect counts."""

    name: str = "redis_failover"
    tier: int = 3
    undo: str = "none"
    parameters: type[BaseModel] = NoParameters
    rights: tuple[Right, ...] = ()
    outcome: Outcome = field(default_factory=lambda: Outcome(IntentState.DONE, "moved", {"blocked_s": 1.5}))
    recovered: Outcome = field(default_factory=lambda: Outcome(IntentState.DONE, "found done"))
    on_effect: Callable[[], None] | None = None
    effects: int = 0

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:  # noqa: ARG002
        """The uid of the target."""
        return {"uid": target.uid}

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:  # noqa: ARG002
        """One step, asked at the last line, then the effect."""
        await bench.record("act", {})
        await bench.still_allowed()
        if self.on_effect is not None:
            self.on_effect()
        self.effects += 1
        return self.outcome

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:  # noqa: ARG002
        """What was scripted."""
        return self.recovered


@dataclass
class MemoryLocks:
    """Target locks within one event loop; those in `taken` are held by somebody who does not let go."""

    taken: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def target_lock(self, key: str) -> AsyncIterator["MemoryLocks"]:
        """Transient while somebody holds it."""
        if key in self.taken:
            raise Transient(f"{key} is held", retry_after=3.0)
        yield self

    async def confirm(self) -> None:
        """Always still held."""
