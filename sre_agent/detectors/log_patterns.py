"""LOG_ERRORS_NEW, LOG_LINES_MISSING: what a pod's log says since the onset and never said before, and what it stopped saying.

Pure. Only logs that reach back before the onset are judged: without a before there is neither new nor missing. Logs are
attacker input: these findings say where to look, never more, and nothing may rest on them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes_state import instant
from sre_agent.evidence.log_pattern import is_error, pattern, without_stamp
from sre_agent.evidence.view import EvidenceView

MIN_BEFORE = 10
"""Lines before the onset, or nothing is known of this pod's habits."""
MIN_NEW = 3
MIN_USUAL = 15
LEFT = 0.1
MAX_FINDINGS = 6
QUOTE = 160
MARGIN_S = 60.0


@dataclass
class _Log:
    """One pod's log around the onset. `seconds` are how long each part is; `first` a line of each pattern since."""

    before: Counter[str]
    since: Counter[str]
    first: dict[str, tuple[float, str]]
    seconds: tuple[float, float]


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """The pods whose log changed most plainly, at most one finding of each kind a pod."""
    found = []
    for evidence_id, payload in view.logs():
        name, namespace = str(payload.get("pod") or ""), payload.get("namespace")
        log = _read(payload.get("lines") or (), view.scope.onset.timestamp() - MARGIN_S)
        if log is None or not name:
            continue
        of_pod = (f"pod/{name.lower()}", str(namespace) if namespace else None, evidence_id)
        found += [f for f in (_new(log, of_pod), _missing(log, of_pod)) if f is not None]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.object))[:MAX_FINDINGS])


def _read(lines: Iterable[str], onset: float) -> _Log | None:
    log = _Log(Counter(), Counter(), {}, (0.0, 0.0))
    at, first, last, told = 0.0, None, 0.0, []
    for line in lines:
        stamp = instant(line.partition(" ")[0])
        at = stamp.timestamp() if stamp is not None else at
        first = at if first is None and at else first
        last = max(last, at)
        told.append((at, line))
    if first is None:
        return None
    for at, line in told:
        shape = pattern(line)
        (log.before if at < onset else log.since)[shape] += 1
        if at >= onset:
            log.first.setdefault(shape, (at, line))
    quiet_until = max((at for at, _ in told if at < onset), default=first)
    log.seconds = (max(quiet_until - first, 1.0), max(last - onset, 1.0))
    return log if sum(log.before.values()) >= MIN_BEFORE and log.since else None


def _new(log: _Log, of_pod: tuple[str, str | None, str]) -> Finding | None:
    new = {p: n for p, n in log.since.items() if p not in log.before and is_error(log.first[p][1])}
    if sum(new.values()) < MIN_NEW:
        return None
    most = max(new, key=lambda p: (new[p], p))
    at, line = log.first[most]
    return Finding(
        kind=FindingKind.LOG_ERRORS_NEW,
        object=of_pod[0],
        namespace=of_pod[1],
        cause=f"{sum(new.values())} error lines since the onset of a kind it never wrote before: {without_stamp(line)[:QUOTE]}",
        onset=datetime.fromtimestamp(at, UTC) if at else None,
        strength=round(0.3 + min(0.1, sum(new.values()) / 200), 3),
        evidence=(of_pod[2],),
        refuted_by="the same lines were written on other days, when nothing was wrong",
    )


def _missing(log: _Log, of_pod: tuple[str, str | None, str]) -> Finding | None:
    """A usual line that is (nearly) gone while the pod goes on writing others at half its usual rate or more."""
    before, since = log.seconds
    share = since / before
    alive = sum(log.since.values()) >= 0.5 * share * sum(log.before.values()) and sum(log.since.values()) >= MIN_USUAL
    gone = {
        p: n
        for p, n in log.before.items()
        if n >= MIN_USUAL and n * share >= MIN_USUAL and log.since[p] <= LEFT * n * share and not is_error(p)
    }
    if not gone or not alive:
        return None
    most = max(gone, key=lambda p: (gone[p], p))
    return Finding(
        kind=FindingKind.LOG_LINES_MISSING,
        object=of_pod[0],
        namespace=of_pod[1],
        cause=f"a line that it wrote {gone[most]} times in the {before:.0f} s before is gone, others are not: {most[:QUOTE]}",
        strength=0.33,
        evidence=(of_pod[2],),
        refuted_by="nobody asked it for that since the onset",
    )
