"""Series before and after an onset: counters become rates, and a robust score says whether the level changed.

Pure. The score is the modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): the distance
of medians in units of the baseline's median absolute deviation, x 0.6745.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median, median_low

from sre_agent.evidence.series import Series

Samples = tuple[tuple[float, float], ...]

# An alert starts after its `for:` and its rate window, so the last minutes before the onset are neither before nor after.
GAPS_S = (600.0, 60.0, 5.0)
MIN_BASELINE = 5
MIN_RECENT = 3
_COUNTER_SUFFIXES = ("_total", "_count", "_sum", "_bucket")
_FLOOR = 0.02
CLIP = 8.0
REACH = 1.5
# They may grow for an hour (a leak, a filling disk) and are levels all the same.
_GAUGE = re.compile(r"(memory|working_set|usage|used|size|percent|ratio|utilization|connections|clients|lag|depth|free|available)")


@dataclass(frozen=True)
class Shift:
    """Medians before and after the onset. `score` is signed; `at` is when the new level began (unix seconds)."""

    before: float
    after: float
    score: float
    at: float

    @property
    def ratio(self) -> float:
        """after / before; infinite from zero."""
        return self.after / self.before if self.before else float("inf")


def is_counter(series: Series) -> bool:
    """By its name, or because it only ever grows (an offset, a counter with an unusual name)."""
    if series.name.endswith(_COUNTER_SUFFIXES):
        return not (series.name.endswith("_count") and _falls_often(series))
    if _GAUGE.search(series.name):
        return False
    values = [v for _, v in series.finite()]
    steps = [b - a for a, b in pairwise(values)]
    growing = sum(1 for s in steps if s > 0)
    return len(steps) >= 2 * MIN_BASELINE and min(steps) >= 0 and growing > 0.9 * len(steps)


def _falls_often(series: Series) -> bool:
    """How many sessions or locks there are is called "_count" as well, and goes up and down; a counter falls at a restart."""
    steps = [b - a for a, b in pairwise(v for _, v in series.finite())]
    return sum(1 for s in steps if s < 0) > max(2, len(steps) // 10)


def increases(samples: Samples) -> Samples:
    """Increase of a counter between neighbouring samples, at the later one. A fall is a restart from zero."""
    return tuple((t, v - before if v >= before else v) for (_, before), (t, v) in pairwise(samples))


def levels(series: Series) -> Samples:
    """What to compare: a gauge as it is, a counter per second."""
    samples = series.finite()
    if not is_counter(series):
        return samples
    gaps = [b - a for (a, _), (b, _) in pairwise(samples)]
    return tuple((t, grown / gap) for (t, grown), gap in zip(increases(samples), gaps, strict=True) if gap > 0)


def split(samples: Samples, onset: datetime, least: int = MIN_BASELINE) -> tuple[Samples, Samples]:
    """(baseline, recent). The baseline ends as long before the onset as its length allows; it has `least` samples or more."""
    at = onset.timestamp()
    for gap in GAPS_S:
        baseline = tuple(s for s in samples if s[0] < at - gap)
        if len(baseline) >= least:
            break
    else:
        return (), ()
    later = samples[len(baseline) :]
    recent = tuple(s for s in later if s[0] >= at)
    # An investigation that begins at the onset itself still has the minutes in which the rule was pending.
    return baseline, recent if len(recent) >= MIN_RECENT else later[-MIN_RECENT:]


def shift(samples: Samples, onset: datetime) -> Shift | None:
    """How the level changed at the onset; None when there is too little to compare."""
    baseline, recent = split(samples, onset)
    if len(baseline) < MIN_BASELINE or len(recent) < MIN_RECENT:
        return None
    before, after = median(v for _, v in baseline), median(v for _, v in recent)
    spread = median(abs(v - before) for _, v in baseline)
    # A flat baseline has no spread of its own: two hundredths of the level count as noise then.
    spread = max(spread, _FLOOR * abs(before), _FLOOR * abs(after) if before == 0 else 0.0)
    if spread == 0:
        return None
    first = len(baseline)
    tail = samples[first - MIN_BASELINE :]
    at = change_point(tail, centre=before, spread=spread)
    began = recent[0][0] if at is None or at < MIN_BASELINE else tail[at][0]
    return Shift(before=before, after=after, score=0.6745 * (after - before) / spread, at=began)


def change_point(samples: Samples, centre: float | None = None, spread: float | None = None) -> int | None:
    """Where the level changes: the index of the first sample of the new level; None where it never does.

    The cut that explains most of the variance: the largest cumulative sum of distances from the mean, weighted by how much
    lies on either side (E. S. Page, "Continuous Inspection Schemes", Biometrika 1954; D. V. Hinkley, "Inference about the
    change-point in a sequence of random variables", Biometrika 1970). Values are clipped at CLIP spreads of the centre (by
    default the median and its absolute deviation), so that one spike is no new level.
    """
    values = [v for _, v in samples]
    if len(values) < 2 * MIN_RECENT:
        return None
    middle = median(values) if centre is None else centre
    width = spread or median(abs(v - middle) for v in values) or max(abs(v - middle) for v in values)
    if width == 0:
        return None
    scaled = [max(-CLIP, min(CLIP, (v - middle) / width)) for v in values]
    n, total, sum_so_far, best = len(scaled), sum(scaled), 0.0, (0.0, 0)
    for k in range(1, n):
        sum_so_far += scaled[k - 1]
        best = max(best, ((sum_so_far - k * total / n) ** 2 / (k * (n - k)), k))
    return best[1] if best[0] > 0 else None


def aligned(a: Mapping[float, float], b: Mapping[float, float]) -> tuple[tuple[float, float], ...]:
    """The values of two series at the same moments, by time; where one has no sample, what its neighbours say of that moment.

    So a sample that was lost costs no pair, and clocks or scrapes may disagree by a part of a step. Beyond REACH steps from
    its samples a series says nothing.
    """
    times = sorted(a.keys() | b.keys())
    found = ((_at(a, t), _at(b, t)) for t in (times if len(a.keys() & b.keys()) else sorted(a)))
    return tuple((x, y) for x, y in found if x is not None and y is not None)


def shared_moments(each: Sequence[Mapping[float, float]]) -> tuple[Samples, ...]:
    """Several series at the moments at which any has a sample and all say something; lost samples as in `aligned`."""
    rows = [(t, [_at(told, t) for told in each]) for t in sorted(set().union(*each))]
    whole = [(t, [v for v in row if v is not None]) for t, row in rows if None not in row]
    return tuple(tuple((t, row[i]) for t, row in whole) for i in range(len(each)))


def _at(told: Mapping[float, float], t: float) -> float | None:
    """A series' value at a moment: its own, else on the line between its neighbours, else that of the only near one."""
    if t in told:
        return told[t]
    times = sorted(told)
    if len(times) < 2:
        return None
    reach = REACH * median_low(y - x for x, y in pairwise(times))
    i = bisect_left(times, t)
    left, right = (times[i - 1] if i else None), (times[i] if i < len(times) else None)
    if left is not None and right is not None:
        share = (t - left) / (right - left)
        return told[left] + share * (told[right] - told[left]) if min(t - left, right - t) <= reach else None
    near = left if left is not None else right
    return told[near] if near is not None and abs(near - t) <= reach / 2 else None


FRESH_S = 900.0
"""Older than this at the time of the investigation, a sample says nothing of now (CloudWatch is some minutes late)."""


def newest(series: Series, now: datetime, count: int = 3, *, gauge: bool = False) -> tuple[float, ...]:
    """The newest `count` levels up to `now`, oldest first; () when there are fewer or they are stale.

    `gauge`: it is one whatever its name says (pg_stat_activity_count is no counter).
    """
    told = series.finite() if gauge else levels(series)
    samples = tuple(s for s in told if s[0] <= now.timestamp())[-count:]
    return tuple(v for _, v in samples) if len(samples) == count and now.timestamp() - samples[-1][0] <= FRESH_S else ()
