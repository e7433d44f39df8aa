"""What became of a question, read from the incident's own timeline. Pure."""

from typing import Final

from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.handback.board import Standing
from sre_agent.incident.timeline import TimelineEntry

ASKED: Final = "approval_requested"
_ENDS_SPAN: Final = frozenset({ASKED, "incident_reopened"})

_BY_KIND: Final[dict[str, Standing]] = {
    "approval_given": Standing.WAITING,
    "execution_started": Standing.EXECUTING,
    "action_executed": Standing.VERIFYING,
    "recovery_verified": Standing.RECOVERED,
    "recovery_failed": Standing.NOT_RECOVERED,
    "recovery_unknown": Standing.UNKNOWN,
    "action_failed": Standing.FAILED,
    "action_unknown": Standing.UNKNOWN,
    "action_not_done": Standing.NOT_DONE,
    "action_refused": Standing.NOT_DONE,
    "action_denied": Standing.NOT_DONE,
    "approval_denied": Standing.DENIED,
    "approval_expired": Standing.EXPIRED,
    "plan_withdrawn": Standing.WITHDRAWN,
    "walk_failed": Standing.HANDED_BACK,
    "incident_handed_back": Standing.HANDED_BACK,
}
"""What an event of the walk makes of the question asked before it."""

_BY_STATE: Final[dict[ApprovalState, Standing]] = {
    ApprovalState.GRANTED: Standing.APPROVED,
    ApprovalState.CONSUMED: Standing.APPROVED,
    ApprovalState.DENIED: Standing.DENIED,
    ApprovalState.EXPIRED: Standing.EXPIRED,
    ApprovalState.CANCELLED: Standing.WITHDRAWN,
}


def became(timeline: tuple[TimelineEntry, ...], request: ApprovalRequest) -> tuple[Standing, str]:
    """How the question stands, and the line of the timeline that says so ("" while nothing has happened).

    Looks from the question on until the next one, or until the incident was reopened: each answers for its own plan.
    """
    standing, said = Standing.WAITING, ""
    for entry in _span(timeline, request):
        after = _BY_KIND.get(entry.kind)
        # A withdrawal heard while hands are at work changes nothing yet: they say what came of it.
        if after is None or (after is Standing.WITHDRAWN and standing is Standing.EXECUTING):
            continue
        standing, said = after, entry.text
    if standing is Standing.WAITING and request.state is not ApprovalState.PENDING:
        # The answer is stored and the walk has not taken it up yet, or a crash came between.
        return _BY_STATE[request.state], said
    return standing, said


def _span(timeline: tuple[TimelineEntry, ...], request: ApprovalRequest) -> tuple[TimelineEntry, ...]:
    asked = [(i, e) for i, e in enumerate(timeline) if e.kind == ASKED]
    named = next((i for i, e in asked if f"({request.id})" in e.text), None)
    start = named if named is not None else next((i for i, e in asked if e.at >= request.created_at), None)
    if start is None:
        return ()
    later = timeline[start + 1 :]
    end = next((i for i, e in enumerate(later) if e.kind in _ENDS_SPAN), len(later))
    return later[:end]
