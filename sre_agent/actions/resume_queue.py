"""resume_queue: take back a pause of the agent's own. Never anybody else's, nor one that somebody repeated since.

Ours is a pause that carries our mark and since which the queue's own events tell of no other pause or resumption. Steps, each
recorded first: dry_run, resume (point of no return).
"""

from typing import Any

from sre_agent.evidence.redis.queue_health import unmet_for_resume
from sre_agent.evidence.redis.queue_state import RESUMED, QueueState
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.execution.queue_turn import QueueTurn
from sre_agent.incident.target import Target


class ResumeQueue:
    """Action "resume_queue": target kind Queue, name = the declared queue's, uid = queue_state.identity, the pause included."""

    name = "resume_queue"
    tier = 2
    undo = "pause_queue"
    rights = ()
    parameters = NoParameters

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """A QueuePlan as JSON. Refused("queue-...") per condition."""
        return await _TURN.precondition(target, bench)

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Try it dry, look again, send the script once, see it. Outcome.measured: jobs waiting and running."""
        return await _TURN.effect(intent, bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look for the mark that our resumption leaves; never resume again."""
        return await _TURN.recover(intent, bench)


def _told(state: QueueState) -> Outcome:
    measured: dict[str, float | int | str] = {"waiting": state.backlog, "active": state.active}
    if state.paused:
        return Outcome(IntentState.FAILED, f"{state.name} was resumed, and somebody has paused it since", measured)
    return Outcome(IntentState.DONE, f"{state.name} runs again: {state.backlog} jobs wait, {state.active} run", measured)


_TURN = QueueTurn(
    step="resume",
    unmet=unmet_for_resume,
    applied=lambda state, token: state.meta.get(RESUMED) == token,
    told=_told,
)
