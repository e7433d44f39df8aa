"""Whether a queue is, after it was paused or resumed, as that should have left it. Pure."""

from sre_agent.evidence.redis.queue_health import jobs_fail, unreadable
from sre_agent.evidence.redis.queue_state import RESUMED, QueueState
from sre_agent.runbook.proposal import Proposal


def queue_ok(state: QueueState, proposal: Proposal) -> tuple[bool | None, str]:
    """Paused by the agent alone, nothing runs and no job is missing; or taking jobs again that no longer fail."""
    if unreadable(state):
        return None, state.error or "the queue could not be read"
    if not (proposal.target.uid or "").startswith(f"{state.run_id}/"):
        return None, "another Redis process answers"
    return _paused(state) if proposal.action == "pause_queue" else _resumed(state)


def _paused(state: QueueState) -> tuple[bool | None, str]:
    if not state.owner:
        return False, "the queue is not paused, or not by this agent"
    if not state.since.kept:
        return None, "the events do not reach back to the pause: whether jobs are missing cannot be told"
    if state.lost > 0:
        return False, f"{state.lost} job(s) that should wait do not"
    said = f"paused: {state.backlog} jobs wait, none is missing, {state.active} still run"
    return state.active == 0 and not state.since.flips, said


def _resumed(state: QueueState) -> tuple[bool | None, str]:
    if state.paused or RESUMED not in state.meta:
        return False, "the queue is still or again paused, or was not resumed by this agent"
    if jobs_fail(state):
        return False, f"its jobs fail again: {state.recent.failing:.0%} of {state.recent.ended}"
    if state.backlog and not state.active and not state.recent.ended:
        return False, f"{state.backlog} jobs wait and no worker takes one"
    return True, f"running: {state.backlog} jobs wait, {state.active} run, {state.recent.ended} ended lately"
