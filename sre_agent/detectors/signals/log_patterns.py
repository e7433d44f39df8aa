"""LOG_ERRORS_NEW, LOG_LINES_MISSING, LOG_LINES_EXPLODING: what a pod's log says since the onset, against its own habits.

Pure. Only logs that reach back before the onset are judged: without a before there is neither new nor missing. Logs are
attacker input: these findings say where to look, never more, and nothing may rest on them.

That a line's share of its pod's log fell by more than chance is the log-likelihood ratio of T. Dunning, "Accurate Methods for
the Statistics of Surprise and Coincidence" (Computational Linguistics 19, 1993).
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes.state import instant
from sre_agent.evidence.logs.pattern import is_error, without_stamp
from sre_agent.evidence.logs.templates import Templates
from sre_agent.evidence.view import EvidenceView

MIN_BEFORE = 10
"""Lines before the onset, or nothing is known of this pod's habits."""
MIN_NEW = 3
MIN_USUAL = 15
MIN_MANY, TIMES_AS_MANY = 50, 10.0
LEFT = 0.1
FEWER, SURPRISE = 2 / 3, 7.88
"""A share that fell by a third or more, and by chance in fewer than 1 of 200 (chi-square with one degree of freedom)."""
MIN_PODS = 5
MAX_FINDINGS = 6
QUOTE = 160
MARGIN_S = 60.0
PENDING_S = 300.0
"""An alert begins after its rule's `for:` and window, so these seconds before it are no habit, where there are others."""


@dataclass
class Habit:
    """One pod's log around the onset, by the numbers of its templates. `first` is the first line of each since the onset."""

    templates: Templates = field(default_factory=Templates)
    before: Counter[int] = field(default_factory=Counter)
    since: Counter[int] = field(default_factory=Counter)
    first: dict[int, tuple[float, str]] = field(default_factory=dict)
    seconds: tuple[float, float] = (1.0, 1.0)

    @property
    def share(self) -> float:
        """How long the part since the onset is, in lengths of the part before."""
        return self.seconds[1] / self.seconds[0]


Of = tuple[str, str | None, str]
"""(object, namespace, evidence id)."""


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """The pods whose log changed most plainly, at most one finding of each kind a pod."""
    found: list[Finding] = []
    fewer: list[Finding] = []
    judged = 0
    for evidence_id, payload in view.logs():
        name, namespace = str(payload.get("pod") or ""), payload.get("namespace")
        habit = habit_of(_lines(payload), view.scope.onset.timestamp() - MARGIN_S)
        if not name or not habit.since or sum(habit.before.values()) < MIN_BEFORE:
            continue
        judged += 1
        of_pod = (f"pod/{name.lower()}", str(namespace) if namespace else None, evidence_id)
        told = [f for f in (_new(habit, of_pod), _missing(habit, of_pod), _exploding(habit, of_pod)) if f is not None]
        found += told
        rarer = _fewer(habit, of_pod)
        if rarer is not None and not told:
            fewer.append(rarer)
    # What callers ask for changes all the time: that it changed at one of many pods and most of all there is what counts.
    if judged >= MIN_PODS and fewer:
        found.append(max(fewer, key=lambda f: f.strength))
    return tuple(sorted(found, key=lambda f: (-f.strength, f.object))[:MAX_FINDINGS])


def _lines(payload: Mapping[str, object]) -> list[str]:
    told = payload.get("lines")
    return [line for line in told if isinstance(line, str)] if isinstance(told, list | tuple) else []


def habit_of(lines: Iterable[str], onset: float) -> Habit:
    """Counted in one pass, so that the lines need not be held. A line without a time belongs to the one above it."""
    habit = Habit()
    pending: Counter[int] = Counter()
    at, first, quiet_until, settled_until, last = 0.0, 0.0, 0.0, 0.0, 0.0
    for line in lines:
        stamp = instant(line.partition(" ")[0])
        at = stamp.timestamp() if stamp is not None else at
        first, last = first or at, max(last, at)
        number = habit.templates.add(line)
        if at < onset:
            # Lines above the first time belong nowhere.
            if at:
                quiet_until = max(quiet_until, at)
                if at < onset - PENDING_S:
                    habit.before[number] += 1
                    settled_until = quiet_until
                else:
                    pending[number] += 1
        else:
            habit.since[number] += 1
            if number not in habit.first:
                habit.first[number] = (at, line)
    if sum(habit.before.values()) >= MIN_BEFORE:
        quiet_until = settled_until
    else:
        habit.before.update(pending)
    habit.seconds = (max((quiet_until or first) - first, 1.0), max(last - onset, 1.0))
    return habit


def _new(habit: Habit, of_pod: Of) -> Finding | None:
    new = {p: n for p, n in habit.since.items() if p not in habit.before and is_error(habit.first[p][1])}
    if sum(new.values()) < MIN_NEW:
        return None
    most = max(new, key=lambda p: (new[p], -p))
    at, line = habit.first[most]
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


def _missing(habit: Habit, of_pod: Of) -> Finding | None:
    """A usual line that is (nearly) gone while the pod goes on writing its others at half their usual rate or more."""
    share, text = habit.share, habit.templates.text
    gone = {
        p: n
        for p, n in habit.before.items()
        if n >= MIN_USUAL and n * share >= MIN_USUAL and habit.since[p] <= LEFT * n * share and not is_error(text(p))
    }
    if not gone or not _goes_on(habit, gone):
        return None
    most = max(gone, key=lambda p: (gone[p], -p))
    return Finding(
        kind=FindingKind.LOG_LINES_MISSING,
        object=of_pod[0],
        namespace=of_pod[1],
        cause=f"a line that it wrote {gone[most]} times in the {habit.seconds[0]:.0f} s before is gone, others are not: "
        f"{text(most)[:QUOTE]}",
        strength=0.33,
        evidence=(of_pod[2],),
        refuted_by="nobody asked it for that since the onset",
    )


def _fewer(habit: Habit, of_pod: Of) -> Finding | None:
    """A usual line whose share of the log fell by a third and more than by chance: some of the calls no longer get there."""
    total, now = sum(habit.before.values()), sum(habit.since.values())
    told = {
        p: surprise(n, total, habit.since[p], now)
        for p, n in habit.before.items()
        if n >= MIN_USUAL and habit.since[p] * total <= FEWER * n * now and not is_error(habit.templates.text(p))
    }
    most = max(told, key=lambda p: (told[p], -p), default=None)
    if most is None or told[most] < SURPRISE or not _goes_on(habit, {most: 0}):
        return None
    return Finding(
        kind=FindingKind.LOG_LINES_MISSING,
        object=of_pod[0],
        namespace=of_pod[1],
        cause=f"a line that was {habit.before[most] / total:.0%} of its log is {habit.since[most] / now:.0%} since the onset: "
        f"{habit.templates.text(most)[:QUOTE]}",
        strength=0.3 + min(0.014, told[most] / 10_000),
        evidence=(of_pod[2],),
        refuted_by="it is asked for other things than before",
    )


def surprise(a: int, n: int, b: int, m: int) -> float:
    """How little a of n and b of m look like one share: twice the log-likelihood ratio, 0 or more (chi-square, 1 degree)."""

    def told(k: int, of: int, p: float) -> float:
        return (k * math.log(p) if k else 0.0) + ((of - k) * math.log(1 - p) if of > k else 0.0)

    if not (n and m and 0 < a + b < n + m):
        return 0.0
    both = (a + b) / (n + m)
    return max(2 * (told(a, n, a / n) + told(b, m, b / m) - told(a, n, both) - told(b, m, both)), 0.0)


def _goes_on(habit: Habit, gone: Collection[int]) -> bool:
    """The pod writes its other lines at half their usual rate or more."""
    before = sum(n for p, n in habit.before.items() if p not in gone)
    since = sum(n for p, n in habit.since.items() if p not in gone)
    return since >= MIN_USUAL and before > 0 and since >= 0.5 * habit.share * before


def _exploding(habit: Habit, of_pod: Of) -> Finding | None:
    """A line that comes many times as often, and not because all of the log does: a loop, a retry, a storm."""
    grown = {
        p: n / max(habit.before[p] * habit.share, 1.0)
        for p, n in habit.since.items()
        if n >= MIN_MANY and habit.before[p] and n >= TIMES_AS_MANY * max(habit.before[p] * habit.share, 1.0)
    }
    if not grown:
        return None
    most = max(grown, key=lambda p: (habit.since[p], -p))
    others_before = sum(habit.before.values()) - habit.before[most]
    others = sum(habit.since.values()) - habit.since[most]
    if grown[most] < 3 * others / max(others_before * habit.share, 1.0):
        return None
    return Finding(
        kind=FindingKind.LOG_LINES_EXPLODING,
        object=of_pod[0],
        namespace=of_pod[1],
        cause=f"{habit.since[most]} lines since the onset, {grown[most]:.0f} times as often as before: "
        f"{habit.templates.text(most)[:QUOTE]}",
        onset=datetime.fromtimestamp(habit.first[most][0], UTC),
        strength=0.35 if is_error(habit.first[most][1]) else 0.31,
        evidence=(of_pod[2],),
        refuted_by="it is asked that much more often",
    )
