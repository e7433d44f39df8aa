"""The ledger of intents: what we were about to do is written before it is done.

key = sha256(incident, action, target uid, plan): one row per effect, ever.
"""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.runbook.proposal import Proposal


class IntentState(StrEnum):
    """INTENT: may or may not have been done. UNKNOWN is final for the agent: a person takes over."""

    INTENT = "intent"
    DONE = "done"
    NOT_DONE = "not_done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Intent(BaseModel):
    """One row. `precondition` is what the target must still look like; `steps` the ones begun, in order.

    `pre_state` says what was acted on and why (policy.breakers), "" in rows of before it was written.
    `scratch` is what a takeover needs to finish or undo (old primary, chosen replica, epoch, ...).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    incident_id: str
    action: str
    target_key: str
    service: str
    plan_hash: str
    permit_id: str
    pre_state: str = ""
    state: IntentState = IntentState.INTENT
    precondition: dict[str, Any] = {}
    scratch: dict[str, Any] = {}
    steps: tuple[str, ...] = ()
    result: str = ""
    created_at: datetime
    closed_at: datetime | None = None


def intent_key(proposal: Proposal, plan_hash: str) -> str:
    """The idempotency key of a plan's effect: the same plan gives the same key after any crash."""
    p = proposal
    text = "\x1f".join((p.incident_id, p.action, p.target.key, p.target.uid or "", plan_hash))
    return hashlib.sha256(text.encode()).hexdigest()


class Ledger(Protocol):
    """Durable rows, each write committed before the call returns."""

    async def open(self, intent: Intent) -> Intent:
        """Insert the intent, or return the row that is already there under its key.

        Reserves the budget (one in flight per target) in the same transaction; Refused("budget-...") if spent.
        A permit id that was used before is Refused("permit-used").
        """
        ...

    async def step(self, key: str, step: str, scratch: dict[str, Any]) -> Intent:
        """Record that `step` is about to be taken, and merge `scratch`."""
        ...

    async def close(self, key: str, state: IntentState, result: str) -> Intent:
        """Close the row. Closing a closed row is a Conflict."""
        ...

    async def find(self, key: str) -> Intent | None:
        """The row, if any."""
        ...

    async def unfinished(self, incident_id: str) -> tuple[Intent, ...]:
        """Rows still in INTENT for an incident: to be observed before anything else."""
        ...

    async def of(self, incident_id: str) -> tuple[Intent, ...]:
        """Every row of an incident, whatever became of it; oldest first."""
        ...

    async def since(self, moment: datetime) -> tuple[Intent, ...]:
        """Rows opened after `moment`, whatever became of them, and all that are open; oldest first."""
        ...
