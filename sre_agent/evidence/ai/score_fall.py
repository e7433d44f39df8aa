"""Whether a quality score fell when something changed, and not before, not later, and not every day at this hour. Pure.

Two sets of scores are compared by Welch's t statistic (B. L. Welch, "The generalization of 'Student's' problem when several
different population variances are involved", 1947). Where means of many scores are too few to show their spread, the
variance is the greatest that the scale allows (R. Bhatia, C. Davis, "A better bound on the variance", 2000).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.evidence.ai.quality import Score
from sre_agent.evidence.change import ScoreChange

MIN_SCORES = 10
MIN_FALL = 0.02
MIN_T = 3.0
# Fewer means than this say nothing about the spread between them.
MIN_PERIODS = 4
_DAY = timedelta(days=1)
_SCALES = (1.0, 5.0, 10.0, 100.0)
_LOWER_IS_BETTER = re.compile(
    r"errors?|hallucinations?|toxic(ity)?|latency|cost|failures?|[wc]er|refus(als?|ed)|pii|leak(age)?|bias|harm(ful)?|perplexity"
    r"|distance|escalations?|fallback|timeouts?|interruptions?|abandon(ed|ment)|misroutes?|repeats?|complaints?|rejection|jailbreak"
)
_TURNED_ROUND = re.compile(r"no|non|not|without|free|avoid(ance|ed)|resistance|efficiency|absence|safe(ty)?")


@dataclass(frozen=True)
class Fall:
    """`score` went from mean `old` of `old_count` scores to mean `new` of `new_count`, `t` standard errors in the bad direction."""

    score: str
    old: float
    new: float
    t: float
    old_count: int
    new_count: int

    @property
    def change(self) -> ScoreChange:
        """The same as facts to show."""
        return ScoreChange(
            name=self.score, before=self.old, before_count=self.old_count, after=self.new, after_count=self.new_count
        )


def fall(name: str, earlier: Sequence[Score], new: Sequence[Score]) -> Fall | None:
    """The fall of one score from `earlier` to `new`, or None when it is none, or too little is known.

    None also when the earlier scores had fallen by their end, the new ones fell only later, the scores of the same hours a
    day before were as low, or the old version, still in use, fell as well.
    """
    if count(new) < MIN_SCORES or count(earlier) < MIN_SCORES:
        return None
    start = min(s.timestamp for s in new)
    quiet = [s for s in earlier if s.timestamp < start]
    beside = [s for s in earlier if s.timestamp >= start]
    if count(quiet) < MIN_SCORES:
        quiet, beside = list(earlier), []
    old_mean, new_mean, down = mean(quiet), mean(new), direction(name)
    drop = down * (old_mean - new_mean)
    spread = _variances(quiet, new)
    if spread is None or drop < MIN_FALL * max(abs(old_mean), 1e-12):
        return None
    error = math.sqrt(spread[0] / count(quiet) + spread[1] / count(new))
    t = drop / error if error > 0 else math.inf
    if t < MIN_T:
        return None
    halfway = down * (old_mean - down * drop / 2)
    if _low(_last_quarter(quiet), down, halfway) or _high(_first_quarter(new), down, halfway):
        return None
    if count(beside) >= MIN_SCORES and _low(beside, down, halfway):
        return None
    hours = {_hour(s.timestamp) for s in new}
    yesterday = [s for s in quiet if _hour(s.timestamp) + _DAY in hours]
    if count(yesterday) >= MIN_SCORES and _low(yesterday, down, halfway):
        return None
    return Fall(name, old_mean, new_mean, min(t, 1000.0), count(quiet), count(new))


def direction(name: str) -> float:
    """1 when more is better, -1 when less is, by the words of the score's name."""
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    turned = any(_TURNED_ROUND.fullmatch(w) for w in words)
    return -1.0 if not turned and any(_LOWER_IS_BETTER.fullmatch(w) for w in words) else 1.0


def count(scores: Sequence[Score]) -> int:
    """How many scores, periods counted with all they hold."""
    return sum(s.count for s in scores)


def mean(scores: Sequence[Score]) -> float:
    """Mean of all of them."""
    return sum(s.value * s.count for s in scores) / count(scores)


def _low(scores: Sequence[Score], down: float, halfway: float) -> bool:
    return bool(scores) and down * mean(scores) < halfway


def _high(scores: Sequence[Score], down: float, halfway: float) -> bool:
    return bool(scores) and down * mean(scores) >= halfway


def _last_quarter(scores: Sequence[Score]) -> list[Score]:
    ordered = sorted(scores, key=lambda s: s.timestamp)
    return ordered[-max(1, len(ordered) // 4) :]


def _first_quarter(scores: Sequence[Score]) -> list[Score]:
    """The first of them, if there are enough to tell the first from the rest."""
    ordered = sorted(scores, key=lambda s: s.timestamp)
    first = ordered[: len(ordered) // 4]
    return first if count(first) >= MIN_SCORES else []


def _variances(a: Sequence[Score], b: Sequence[Score]) -> tuple[float, float] | None:
    """Variances of a single score on both sides; a side with too few means borrows from the other, or from the scale."""
    bounds = _bound(a, (*a, *b)), _bound(b, (*a, *b))
    seen = _observed(a), _observed(b)
    borrowed = seen[0] if seen[0] is not None else seen[1], seen[1] if seen[1] is not None else seen[0]
    if all(s.count == 1 for s in (*a, *b)):
        return borrowed[0] or 0.0, borrowed[1] or 0.0
    out = []
    for bound, own, lent in zip(bounds, seen, borrowed, strict=True):
        known = own if own is not None else bound if bound is not None else lent
        if known is None:
            return None
        out.append(known if bound is None else min(bound, known))
    return out[0], out[1]


def _observed(scores: Sequence[Score]) -> float | None:
    """Means of n scores spread by variance / n. None when they are too few."""
    if len(scores) < MIN_PERIODS:
        return None
    middle = mean(scores)
    return sum(s.count * (s.value - middle) ** 2 for s in scores) / (len(scores) - 1)


def _bound(scores: Sequence[Score], both: Sequence[Score]) -> float | None:
    """(top - mean)(mean - 0) on the smallest usual scale that holds all of them; None when they are on none."""
    values = [s.value for s in both]
    top = next((s for s in _SCALES if max(values) <= s), None)
    if top is None or min(values) < 0:
        return None
    middle = mean(scores)
    return (top - middle) * middle


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
