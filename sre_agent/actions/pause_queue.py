"""pause_queue: let no worker take another job of a BullMQ queue for a while. No job is moved, changed or ended.

Only the flag that BullMQ 6 itself sets, by one script that checks everything again. What runs goes on to its end; producers
still add. The pause is marked as ours and should end after 15 minutes: it never ends by itself, a person or resume_queue ends
it. Steps, each recorded first: dry_run, pause (point of no return).
"""

from datetime import UTC, datetime
from typing import Any

from sre_agent.evidence.redis.queue_health import unmet_for_pause
from sre_agent.evidence.redis.queue_state import OWNER, QueueState
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.execution.queue_turn import QueueTurn
from sre_agent.incident.target import Target


class PauseQueue:
    """Action "pause_queue": target kind Queue, name = the declared queue's, uid = queue_state.identity."""

    name = "pause_queue"
    tier = 2
    undo = "resume_queue"
    rights = ()
    parameters = NoParameters

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """A QueuePlan as JSON. Refused("queue-...") per condition."""
        return await _TURN.precondition(target, bench)

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Try it dry, look again, send the script once, see it. Outcome.measured: jobs waiting, running, lost, and until_ms."""
        return await _TURN.effect(intent, bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look for a pause that carries our mark; never pause again."""
        return await _TURN.recover(intent, bench)


def _told(state: QueueState) -> Outcome:
    """Done, unless somebody took it back or jobs are missing since."""
    if not state.paused or state.since.flips:
        return Outcome(IntentState.FAILED, f"{state.name} was paused, and somebody has paused or resumed it since")
    measured: dict[str, float | int | str] = {
        "waiting": state.backlog,
        "active": state.active,
        "added_since": state.since.added,
        "lost": state.lost,
        "until_ms": state.until_ms,
    }
    if state.lost > 0:
        why = f"{state.name} is paused, but {state.lost} job(s) that should wait do not: look before anything else"
        return Outcome(IntentState.FAILED, why, measured)
    until = datetime.fromtimestamp(state.until_ms / 1000, UTC).strftime("%H:%M UTC")
    said = (
        f"{state.name} is paused: {state.backlog} jobs wait, {state.active} still run to their end. "
        f"Meant until {until}; it does not end by itself: queue.resume(), or resume_queue once that is approved"
    )
    return Outcome(IntentState.DONE, said, measured)


_TURN = QueueTurn(
    step="pause",
    unmet=unmet_for_pause,
    # The owner stays in `meta` when a person resumes, so that what was applied is told from what never was.
    applied=lambda state, token: state.meta.get(OWNER) == token,
    told=_told,
)
