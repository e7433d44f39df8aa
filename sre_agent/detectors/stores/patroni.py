"""A PostgreSQL leader under Patroni that answers late while the other members are fine; corroborated by latency series.

Pure.
"""

from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.postgres.patroni import PatroniState, slow_leader
from sre_agent.evidence.rates import Shift, levels, shift
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MIN_SCORE = 3.0
MIN_RATIO = 3.0
SEEN_TWICE, SEEN_ONCE, DISPUTED = 0.92, 0.60, 0.45
_LATE_NAMES = ("latency", "duration", "response_time")
_CUMULATIVE = ("_bucket", "_count", "_sum", "_total")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding about every cluster whose leader alone is sick."""
    return tuple(f for evidence, state in view.patroni() if (f := _judged(view, evidence, state)) is not None)


def _judged(view: EvidenceView, evidence: str, state: PatroniState) -> Finding | None:
    why = slow_leader(state)
    if not why:
        return None
    seen = [(e, m) for e, s in view.series() if _about(s, state) and (m := shift(levels(s), view.scope.onset)) is not None]
    late = [(e, m) for e, m in seen if _rose(m)]
    text = "measured latency rose near the onset" if late else "no latency series rose with it"
    return Finding(
        kind=FindingKind.POSTGRES_PRIMARY_SICK,
        object=f"postgres/{state.name.lower()}",
        cause=f"{why}; {text}",
        onset=datetime.fromtimestamp(min(m.at for _, m in late), UTC) if late else None,
        strength=SEEN_TWICE if late else DISPUTED if seen else SEEN_ONCE,
        evidence=tuple(dict.fromkeys((evidence, *(e for e, _ in late)))),
        refuted_by="the leader answers in time on a second look, or the other members answer late as well",
    )


def _about(series: Series, state: PatroniState) -> bool:
    named = any(n in series.name for n in _LATE_NAMES) and not series.name.endswith(_CUMULATIVE)
    return named and series.labels.get("patroni_cluster") == state.name


def _rose(moved: Shift) -> bool:
    return moved.score >= MIN_SCORE and moved.ratio >= MIN_RATIO
