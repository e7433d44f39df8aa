"""A BullMQ queue whose jobs fail at what is behind it, or at a model, or that the agent itself left paused.

Pure. Reasons that jobs give can only take a finding away: shares are counted. What the queue's own events say is corroborated
by metrics of the same queue (label `queue`) where there are any; alone it is weak, against them it is weaker.
"""

import re
from datetime import UTC, datetime, timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.rates import increases, is_counter
from sre_agent.evidence.redis.queue_health import FAILING, at_model, behind_it, jobs_fail, left_paused, unreadable
from sre_agent.evidence.redis.queue_state import EVENT, QueueState
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

SEEN_TWICE, SEEN_ONCE, DISPUTED = 0.9, 0.60, 0.45
LOOK_BACK = timedelta(minutes=5)
FRESH = timedelta(minutes=3)
LABELS = ("queue", "queue_name")
_STATE_LABELS = ("state", "status", "result", "outcome")
_FAILED, _COMPLETED = re.compile(r"fail(ed|ures?)?"), re.compile(r"complet(ed|ions?)|succe(ss|eded)|processed")
_BACKLOG = re.compile(r"wait(ing)?|backlog|depth|queued|pending")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding per queue."""
    found = (_judged(view, evidence, state) for evidence, state in view.queues() if not unreadable(state))
    return tuple(f for f in found if f is not None)


def _judged(view: EvidenceView, evidence: str, state: QueueState) -> Finding | None:
    if state.paused:
        return _left(view, evidence, state) if left_paused(state) else None
    if not jobs_fail(state):
        return None
    share = f"{state.recent.failing:.0%} of {state.recent.ended} jobs that ended in 5 minutes failed"
    if at_model(state):
        return Finding(
            kind=FindingKind.QUEUE_MODEL_ERRORS,
            object=f"queue/{state.name.lower()}",
            cause=f"{state.name}: {share}, {state.recent.share('model'):.0%} of the reasons told are a model's",
            strength=SEEN_TWICE,
            evidence=(evidence,),
            refuted_by="the same jobs fail when no model is asked",
        )
    return _downstream(view, evidence, state, share) if behind_it(state) else None


def _downstream(view: EvidenceView, evidence: str, state: QueueState, share: str) -> Finding:
    told = [(e, s) for e, s in view.series() if _about(s, state)]
    failed, completed = _ended(view, told, _FAILED), _ended(view, told, _COMPLETED)
    measured = failed[1] is not None and completed[1] is not None and failed[1] + completed[1] > 0
    agrees = measured and (failed[1] or 0.0) > FAILING * ((failed[1] or 0.0) + (completed[1] or 0.0))
    text = "the metrics agree" if agrees else "the metrics do not agree" if measured else "no metrics of it tell"
    return Finding(
        kind=FindingKind.QUEUE_DOWNSTREAM_FAILING,
        object=f"queue/{state.name.lower()}",
        cause=f"{state.name}: {share} because what is behind it does not answer, {state.backlog} wait; {text}",
        strength=SEEN_TWICE if agrees else DISPUTED if measured else SEEN_ONCE,
        evidence=tuple(dict.fromkeys((evidence, *(failed[0] if agrees else ()), *(completed[0] if agrees else ())))),
        refuted_by="the system behind it answers others, or the jobs themselves changed",
    )


def _left(view: EvidenceView, evidence: str, state: QueueState) -> Finding:
    piled = [e for e, s in view.series() if _about(s, state) and _backlog(s) and (last := _last(view, s)) is not None and last > 0]
    event = state.meta.get(EVENT, "").partition("-")[0]
    return Finding(
        kind=FindingKind.QUEUE_LEFT_PAUSED,
        object=f"queue/{state.name.lower()}",
        cause=f"{state.name} was paused by this agent, its time is over, and {state.backlog} jobs wait",
        onset=datetime.fromtimestamp(int(event) / 1000, UTC) if event.isdigit() else None,
        strength=SEEN_TWICE if piled else SEEN_ONCE,
        evidence=tuple(dict.fromkeys((evidence, *piled))),
        refuted_by="somebody still works on what is behind it and wants the queue to wait",
    )


def _about(series: Series, state: QueueState) -> bool:
    return state.name in {series.labels.get(label) for label in LABELS}


def _names(series: Series, what: "re.Pattern[str]") -> bool:
    """By a label that tells the jobs' state, else by the metric's name."""
    states = [series.labels[label] for label in _STATE_LABELS if label in series.labels]
    return any(what.search(s.lower()) for s in states) if states else bool(what.search(series.name))


def _backlog(series: Series) -> bool:
    """A level of waiting jobs, not a count of all that ever waited. Exporters call it "..._count" with the state as a label."""
    level = not series.name.endswith("_total") if any(n in series.labels for n in _STATE_LABELS) else not is_counter(series)
    return level and _names(series, _BACKLOG)


def _ended(view: EvidenceView, told: list[tuple[str, Series]], what: "re.Pattern[str]") -> tuple[tuple[str, ...], float | None]:
    """(evidence ids, how many ended so in LOOK_BACK), over every counter that tells; (.., None) when none is fresh."""
    now, total, ids = view.scope.now.timestamp(), 0.0, []
    for evidence, series in told:
        if not is_counter(series) or not _names(series, what) or _last(view, series) is None:
            continue
        total += sum(v for t, v in increases(series.finite()) if now - LOOK_BACK.total_seconds() <= t <= now)
        ids.append(evidence)
    return tuple(ids), total if ids else None


def _last(view: EvidenceView, series: Series) -> float | None:
    """Its newest value; None when that is not fresh."""
    points = [p for p in series.finite() if p[0] <= view.scope.now.timestamp()]
    return points[-1][1] if points and view.scope.now.timestamp() - points[-1][0] <= FRESH.total_seconds() else None
