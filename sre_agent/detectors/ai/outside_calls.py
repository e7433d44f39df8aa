"""How somebody else's API answered, from request counters and latencies: before and after the onset.

Pure arithmetic that the detectors of tools and of model providers share; it finds nothing itself. Knows no metric names:
what a series counts is read by evidence/answer.py, whom it is about by the caller.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from sre_agent.evidence.ai.answer import BAD, Answer, answer_in_labels, answer_in_name
from sre_agent.evidence.rates import Shift, increases, is_counter, levels, shift
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MIN_BAD = 5.0
MIN_SHARE = 0.05
# One in a hundred fails on most days: of few calls, five can do so by chance.
MIN_BAD_OF_A_SMALL_SHARE = 10.0
SMALL_SHARE = 0.2
MIN_GROWTH = 3.0
MIN_SHARE_GROWTH = 2.0
# Without a baseline nobody can say "rose": only a share that no API has on a normal day counts then.
MIN_SHARE_WITHOUT_BASELINE = 0.2
# An alert starts after its `for:` and its rate window: those minutes are neither before nor after.
_GAP_S = 600.0
_AT_LEAST_S = 120.0
_SCRAPE_S = 60.0
# So long without one bad answer, and so many good ones meanwhile, and it is over.
_OVER_S = 300.0
_OVER_ANSWERS = 20.0
REFUSED = (Answer.LIMITED, Answer.QUOTA)
FAILED = tuple(a for a in BAD if a not in REFUSED)
_REQUEST_NAME = re.compile(
    r"(request|call|invocation|operation|response|completion)s?(_(duration|latency)\w*|_success)?(_metric)?_(total|count)$"
)
_SKIPPED_SUFFIXES = ("_bucket", "_sum", "_created", "_ratio", "_percent", "_seconds", "_milliseconds")
# What is left of a limit, or how long something waits, counts no answers.
_NO_ANSWERS = re.compile(r"remaining|_reset|_limit$|_max|budget|token|cost|spend|in_flight|queue|retry_after")
_LATENCY_NAME = re.compile(r"latency|duration|first_token|first_byte|first_chunk|ttf[bt]|ftl|response_time|elapsed|time_to_first")
_LEVEL_NAME = re.compile(r"p9\d|p50|p75|p99|avg|mean|median")
MIN_SLOWDOWN = 2.0
MIN_SLOW_SCORE = 6.0
# Fifty milliseconds more: less is no trouble, however many times the former.
MIN_SLOWER_S = 0.05

SubjectOf = Callable[[Series], str | None]


@dataclass(frozen=True)
class Trouble:
    """Bad answers from one subject. Rates per second; `share` 0..1 of all answers after the onset.

    `answer` is the most frequent kind. `began` (unix seconds) is when the bad answers reached their new level;
    `rate_before` None: there was no baseline.
    """

    subject: str
    answer: Answer
    rate_before: float | None
    rate_after: float
    share: float
    began: float
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Slowness:
    """One subject's clearest latency: the series' name, and its level before and after in that series' own unit."""

    subject: str
    name: str
    shift: Shift
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Spans:
    """Unix seconds: the baseline ends at `quiet_until`; what counts as now is `since`..`until`."""

    earliest: float
    quiet_until: float
    since: float
    until: float


@dataclass
class _Tally:
    """Counted answers of one kind. `later` holds (time, count) of each sample since the baseline."""

    before: float = 0.0
    after: float = 0.0
    later: list[tuple[float, float]] = field(default_factory=list)


Tallies = dict[Answer, _Tally]


def answer_of(series: Series) -> Answer | None:
    """What the requests that this series counts got; None when its labels and name do not say."""
    told = answer_in_labels(series.labels)
    return told if told is not None else answer_in_name(series.name)


def troubles(view: EvidenceView, subject_of: SubjectOf) -> tuple[Trouble, ...]:
    """Every subject whose refusals, or else failures, rose at the onset; at most one of each.

    A rise: at least MIN_BAD bad answers, MIN_SHARE of all, MIN_GROWTH times the rate and MIN_SHARE_GROWTH times the share
    before, and not over by now.
    """
    spans = _spans(view)
    by_subject: dict[str, dict[str, list[tuple[str, Series]]]] = defaultdict(lambda: defaultdict(list))
    for evidence_id, series in view.series():
        subject = None if series.name.endswith(_SKIPPED_SUFFIXES) or _NO_ANSWERS.search(series.name) else subject_of(series)
        if subject is not None:
            by_subject[subject][series.name].append((evidence_id, series))
    found = []
    for subject, names in sorted(by_subject.items()):
        counted = {name: tallies for name, each in names.items() if (tallies := _tallied(each, spans))}
        cited = tuple(sorted({e for name in counted for e, _ in names[name]}))
        found += [_judge(subject, kinds, counted, spans, cited) for kinds in (REFUSED, FAILED)]
    return tuple(t for t in found if t is not None)


def slowness(view: EvidenceView, subject_of: SubjectOf) -> tuple[Slowness, ...]:
    """Every subject with a latency that at least doubled at the onset: quantiles and means, also from sum and count."""
    found: dict[str, list[tuple[str, str, Shift]]] = defaultdict(list)
    for evidence_id, subject, name, samples in _latencies(view, subject_of):
        moved = shift(samples, view.scope.onset)
        if moved is None or moved.score < MIN_SLOW_SCORE or moved.ratio < MIN_SLOWDOWN:
            continue
        if (moved.after - moved.before) * _seconds(name, moved.after) >= MIN_SLOWER_S:
            found[subject].append((evidence_id, name, moved))
    return tuple(_slowest(subject, each) for subject, each in sorted(found.items()))


def _slowest(subject: str, each: list[tuple[str, str, Shift]]) -> Slowness:
    _, name, worst = max(each, key=lambda s: (s[2].ratio, s[1]))
    return Slowness(subject, name, worst, tuple(sorted({e for e, _, _ in each})))


def _latencies(view: EvidenceView, subject_of: SubjectOf) -> Iterable[tuple[str, str, str, tuple[tuple[float, float], ...]]]:
    """(evidence id, subject, name, samples): gauges as they are, histograms and summaries as the mean of each step."""
    counts: dict[tuple[str, tuple[tuple[str, str], ...]], Series] = {}
    sums: list[tuple[str, str, Series]] = []
    for evidence_id, series in view.series():
        if not _LATENCY_NAME.search(series.name) or (subject := subject_of(series)) is None:
            continue
        if series.name.endswith("_count"):
            counts[_key(series, "_count")] = series
        elif series.name.endswith("_sum"):
            sums.append((evidence_id, subject, series))
        elif not is_counter(series) and ("quantile" in series.labels or _LEVEL_NAME.search(series.name)):
            yield evidence_id, subject, series.name, levels(series)
    for evidence_id, subject, series in sums:
        count = counts.get(_key(series, "_sum"))
        if count is not None:
            yield evidence_id, subject, f"mean of {series.name.removesuffix('_sum')}", means(series, count)


def means(total: Series, count: Series) -> tuple[tuple[float, float], ...]:
    """Mean per step of two counters; steps in which nothing was counted are left out."""
    counted = dict(increases(count.finite()))
    return tuple((t, grown / counted[t]) for t, grown in increases(total.finite()) if counted.get(t, 0.0) > 0)


def _key(series: Series, suffix: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    labels = tuple(sorted((k, v) for k, v in series.labels.items() if k != "__name__"))
    return series.name.removesuffix(suffix), labels


def _seconds(name: str, level: float) -> float:
    """What one of the series' units is in seconds, by its name; a bare number above 100 can only be milliseconds."""
    if re.search(r"_ms|milli", name):
        return 0.001
    return 1.0 if "second" in name or level < 100 else 0.001


def _spans(view: EvidenceView) -> _Spans:
    onset, now = view.scope.onset.timestamp(), view.scope.now.timestamp()
    earliest = min((s.samples[0][0] for _, s in view.series() if s.samples), default=now)
    since = min(onset, now - _AT_LEAST_S)
    return _Spans(earliest=earliest, quiet_until=min(onset - _GAP_S, since), since=since, until=now)


def _tallied(each: list[tuple[str, Series]], spans: _Spans) -> Tallies:
    """One metric's answers. Series without a mark are the good ones beside marked ones, or of a metric of requests."""
    told = [(answer_of(series), series) for _, series in each]
    marked = any(a is not None for a, _ in told)
    tallies: Tallies = {}
    for answer, series in told:
        if answer is None and (marked or _REQUEST_NAME.search(series.name)):
            answer = Answer.FINE
        if answer is not None:
            _count(tallies.setdefault(answer, _Tally()), series, spans)
    return tallies


def _count(tally: _Tally, series: Series, spans: _Spans) -> None:
    samples = series.finite()
    if not is_counter(series):
        counts = tuple((t, v * (t - before)) for (before, _), (t, v) in pairwise(samples))
    elif samples and samples[0][0] > spans.earliest + _SCRAPE_S:
        # A label value that appears late is a counter that began at zero: its first value is an increase, too.
        counts = (samples[0], *increases(samples))
    else:
        counts = increases(samples)
    for t, counted in counts:
        if t <= spans.quiet_until:
            tally.before += counted
        elif t <= spans.until:
            tally.later.append((t, counted))
            tally.after += counted if t >= spans.since else 0.0


def _judge(
    subject: str, kinds: tuple[Answer, ...], counted: dict[str, Tallies], spans: _Spans, cited: tuple[str, ...]
) -> Trouble | None:
    """The trouble of one group of answers. Two metrics may count the same calls, so the larger counts, not the sum."""
    bad = max(counted.values(), key=lambda t: sum(t[k].after for k in kinds if k in t), default={})
    mine = [bad[k] for k in kinds if k in bad]
    after, before = sum(t.after for t in mine), sum(t.before for t in mine)
    if after < MIN_BAD:
        return None
    share = after / _everything(counted, after, lambda t: t.after)
    quiet_s = spans.quiet_until - spans.earliest
    rate_after = after / (spans.until - spans.since)
    rate_before = before / quiet_s if quiet_s >= _AT_LEAST_S else None
    if share < (MIN_SHARE if rate_before is not None else MIN_SHARE_WITHOUT_BASELINE):
        return None
    if share < SMALL_SHARE and after < MIN_BAD_OF_A_SMALL_SHARE:
        return None
    if rate_before is not None and before > 0:
        share_before = before / _everything(counted, before, lambda t: t.before)
        if rate_after < MIN_GROWTH * rate_before or share < min(MIN_SHARE_GROWTH * share_before, 0.9):
            return None
    if _over(mine, counted, spans):
        return None
    dominant = max((k for k in kinds if k in bad), key=lambda k: bad[k].after)
    return Trouble(subject, dominant, rate_before, rate_after, min(1.0, share), _began(mine), cited)


def _everything(counted: dict[str, Tallies], bad: float, of: Callable[[_Tally], float]) -> float:
    """All answers: what the fullest metric counts, or the bad ones beside a metric of good ones alone."""
    whole = max(sum(of(t) for t in tallies.values()) for tallies in counted.values())
    fine = max((of(t[Answer.FINE]) for t in counted.values() if set(t) == {Answer.FINE}), default=0.0)
    successes = any("success" in name and set(t) == {Answer.FINE} for name, t in counted.items())
    return max(whole, bad, bad + fine if successes else 0.0, 1e-12)


def _over(mine: list[_Tally], counted: dict[str, Tallies], spans: _Spans) -> bool:
    """True when the last minutes saw good answers and not one bad one."""
    if spans.until - spans.since < 2 * _OVER_S:
        return False
    recent = spans.until - _OVER_S
    if any(c > 0 for t in mine for at, c in t.later if at > recent):
        return False
    return any(
        sum(c for at, c in t[Answer.FINE].later if at > recent) >= _OVER_ANSWERS for t in counted.values() if Answer.FINE in t
    )


def _began(mine: list[_Tally]) -> float:
    """When the new level was first reached: half of the highest count of a sample."""
    later: dict[float, float] = defaultdict(float)
    for tally in mine:
        for t, c in tally.later:
            later[t] += c
    highest = max(later.values())
    return min(t for t, c in later.items() if c >= highest / 2)
