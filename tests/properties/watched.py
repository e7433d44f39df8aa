"""Doubles that keep score: store, ledger, kill switch, tracker, guard and action, each noting what really happened.

Who writes what into the journal:
    seen      the tracker's incident changed (Incident)
    judged    the guard was asked (Judged)
    opened    the ledger wrote an intent ((Intent, record))      closed    ... and closed it (Intent)
    asked     the action asked its last line (intent key)        passed    ... and was let through (intent key)
    effect    the target was really touched (Intent)             left      the action's effect() ended (intent key)
    halt      the kill switch moved (bool)                       audited   a record joined the chain (AuditRecord)
and the stage:
    heard     an event was taken through intake ((IncidentEvent, Mode))
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sre_agent.approval.request import ApprovalRequest
from sre_agent.audit.record import AuditEntry
from sre_agent.execution.action import Outcome, Workbench
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.incident import Incident
from sre_agent.incident.target import Target
from sre_agent.policy.decision import Decision
from sre_agent.policy.facts import Facts, Situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.halt import HaltState
from sre_agent.policy.permit import Permit
from sre_agent.response.record import IncidentRecord
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.memory_store import MemoryHalt, MemoryLedger, MemoryStore
from sre_agent.testing.rooms import ManualClock, MemoryTracker
from sre_agent.testing.turns import stop
from tests.properties.books import TOKENS
from tests.properties.world import World

FRESH = timedelta(seconds=5)
"""How old the last line's leave may be when the request is sent: a process that slept in between sends nothing."""

DIGESTS = {person: hashlib.sha256(token.encode()).hexdigest() for person, token in TOKENS.items()}


@dataclass(frozen=True)
class Judged:
    """One question to the guard right before an effect, and its answer."""

    proposal: Proposal
    facts: Facts
    approvals: int
    plan: str | None
    faulty: bool
    decision: Decision
    permit: Permit | None


class WatchedStore(MemoryStore):
    """The store, whose audit chain is also the journal's."""

    def __init__(self, note: Any) -> None:
        super().__init__()
        self._note = note

    def _append(self, entries: tuple[AuditEntry, ...]) -> None:
        before = len(self._chain)
        super()._append(entries)
        for record in self._chain[before:]:
            self._note("audited", record)

    def record_of(self, incident_id: str) -> IncidentRecord | None:
        """The stored record, at once."""
        return self._records.get(incident_id)

    def all_records(self) -> tuple[IncidentRecord, ...]:
        """Every stored record."""
        return tuple(self._records.values())

    def question_of(self, approval_id: str | None) -> ApprovalRequest | None:
        """An approval request, at once."""
        return self._approvals.get(approval_id or "")


class WatchedLedger(MemoryLedger):
    """The ledger; what it writes is noted."""

    def __init__(self, note: Any, **more: Any) -> None:
        super().__init__(**more)
        self._note = note

    async def open(self, intent: Intent) -> Intent:
        known = intent.key in self._rows
        row = await super().open(intent)
        if not known:
            self._note("opened", row)
        return row

    async def close(self, key: str, state: IntentState, result: str) -> Intent:
        row = await super().close(key, state, result)
        self._note("closed", row)
        return row


class WatchedHalt(MemoryHalt):
    """The kill switch; unreadable means halted."""

    def __init__(self, note: Any, store: MemoryStore) -> None:
        super().__init__(store=store)
        self._note = note
        self.unreadable = False

    async def halted(self) -> bool:
        return self.unreadable or await super().halted()

    async def _move(self, to: HaltState) -> HaltState:
        self._note("halt", to.engaged)
        return await super()._move(to)


@dataclass
class Tracker(MemoryTracker):
    """The incident tracker, as strict about ids as the real one."""

    note: Any = None

    def put(self, incident: Incident) -> None:
        super().put(incident)
        self.note("seen", incident)

    async def assign_policy(self, incident_id: str, escalation_policy_id: str, *, again: bool = False) -> bool:
        if not escalation_policy_id:
            raise Permanent("'' is not the id of an escalation policy")
        return await super().assign_policy(incident_id, escalation_policy_id, again=again)


@dataclass
class WatchedGuard:
    """response.assess.GuardPort: the real guard, its answers noted."""

    guard: Guard
    world: World
    note: Any

    @property
    def bundle_hash(self) -> str:
        return self.guard.bundle_hash

    def decide(self, situation: Situation) -> Decision:
        decision = self.guard.decide(situation)
        faulty = self.world.engine_fault is not None
        self.note("judged", Judged(situation.proposal, situation.facts, 0, None, faulty, decision, None))
        return decision

    def permit(self, situation: Situation, **more: Any) -> tuple[Decision, Permit | None]:
        decision, permit = self.guard.permit(situation, **more)
        faulty = self.world.engine_fault is not None
        asked = (situation.proposal, situation.facts, more["approvals"], more.get("plan"))
        self.note("judged", Judged(*asked, faulty, decision, permit))
        return decision, permit


class PlaceAction:
    """An Action on the world's places. The target takes the precondition with the request: another life, and it says no.

    `script` of the place: done, failed, refused, lost (the request never arrived), silent (it did, the answer did not),
    broken (it did, then an error), unknown. `seen`: truth, nothing (recovery cannot tell), error (it fails for now).
    """

    tier = 2
    undo = "none"

    def __init__(self, name: str, world: World, note: Any, clock: ManualClock) -> None:
        self.name = name
        self._world = world
        self._note = note
        self._clock = clock

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        await stop("target.look")
        live = self._world.at(target)
        if live is None or live.target != target:
            raise Refused("target-moved", f"{target.key} is not what the plan was made for")
        return {"uid": target.uid, "place": live.place.name}

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        try:
            return await self._effect(intent, bench)
        finally:
            self._note("left", intent.key)

    async def _effect(self, intent: Intent, bench: Workbench) -> Outcome:
        live = self._world.places[intent.precondition["place"]]
        await bench.record("act", {})
        self._note("asked", intent.key)
        await bench.still_allowed()
        self._note("passed", intent.key)
        allowed_at = self._clock.now()
        await stop("target.act")
        if self._clock.now() - allowed_at > FRESH:
            raise Refused("leave-too-old", "this process slept")
        script, live.script = live.script, "done"
        if script == "refused":
            raise Refused("target-said-no", "not now")
        if script == "lost":
            raise OutcomeUnknown("no answer")
        self._touch(intent)
        await stop("target.act done")
        if script == "silent":
            raise OutcomeUnknown("no answer")
        if script == "broken":
            raise Transient("the connection broke")
        state = {"failed": IntentState.FAILED, "unknown": IntentState.UNKNOWN}.get(script, IntentState.DONE)
        return Outcome(state, f"it was {script}", {"blocked_s": 1.5})

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        live = self._world.places[intent.precondition["place"]]
        await stop("target.observe")
        if live.seen == "nothing":
            raise OutcomeUnknown("nobody can tell")
        if live.seen == "error":
            live.seen = "truth"
            raise Transient("try again")
        happened = any(e.told.key == intent.key for e in self._world.entries("effect"))
        if happened:
            return Outcome(IntentState.DONE, "found done")
        if "act" in intent.steps and live.target.uid != intent.precondition["uid"]:
            return Outcome(IntentState.UNKNOWN, "somebody else changed it")
        return Outcome(IntentState.NOT_DONE, "nothing had been done")

    def _touch(self, intent: Intent) -> None:
        """The effect itself: the target checks the precondition and changes, in one step."""
        live = self._world.places[intent.precondition["place"]]
        if live.target.uid != intent.precondition["uid"]:
            raise Refused("target-moved", "the precondition does not hold any more")
        self._note("effect", intent)
        live.life += 1
        live.level = 0.01 if live.cures else live.level
