"""How somebody else's API answered, from request counters: shares of 429 and of failures before and after the onset.

Pure. Knows the usual label names (code, status, outcome, reason, ...), not the metric names.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

from sre_agent.detectors.rates import increases, is_counter
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MIN_BAD = 5.0
MIN_SHARE = 0.05
MIN_GROWTH = 3.0
# Without a baseline nobody can say "rose": only a share that no API has on a normal day counts then.
MIN_SHARE_WITHOUT_BASELINE = 0.2
# An alert starts after its `for:` and its rate window: those minutes are neither before nor after.
_GAP_S = 600.0
_AT_LEAST_S = 120.0
_SCRAPE_S = 60.0
_CODE_LABELS = ("code", "status", "status_code", "http_status", "http_status_code", "http_response_status_code", "response_code")
_RESULT_LABELS = ("outcome", "result", "reason", "error", "error_type")
_LIMITED = re.compile(r"429|rate_?limit(ed)?|ratelimit(ed)?|too_many_requests|throttled|resource_exhausted")
_FAILED = re.compile(r"5(\d\d|xx)|40[138]|error|fail(ed|ure)?|timed?_?out|deadline_exceeded|unavailable|exception|connect\w*|true")
_FINE = re.compile(r"[23](\d\d|xx)|4(\d\d|xx)|ok|success(ful)?|false|none")
_LIMITED_NAME = re.compile(r"rate_?limit|throttl|429")
_FAILED_NAME = re.compile(r"error|fail|timeout|exception")
_REQUEST_NAME = re.compile(r"(request|call|invocation)s?(_duration_\w+)?_(total|count)$")
_SKIPPED_SUFFIXES = ("_bucket", "_sum", "_created", "_ratio", "_percent")


class Answer(StrEnum):
    """What one counted request got. A 401, 403 or 408 counts as FAILED: nothing useful came back."""

    FINE = "fine"
    LIMITED = "limited"
    FAILED = "failed"


@dataclass(frozen=True)
class Trouble:
    """Bad answers of one kind from one subject. Rates per second; `share` 0..1 of all answers after the onset.

    `began` (unix seconds) is when the bad answers reached their new level; `rate_before` None: there was no baseline.
    """

    subject: str
    answer: Answer
    rate_before: float | None
    rate_after: float
    share: float
    began: float
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
    """Counted requests of one subject that got one answer. `later` holds each sample's count since the baseline."""

    before: float = 0.0
    after: float = 0.0
    later: list[tuple[float, float]] = field(default_factory=list)

    @property
    def began(self) -> float:
        """When the new level was first reached: half of the highest count of a sample."""
        highest = max(c for _, c in self.later)
        return min(t for t, c in self.later if c >= highest / 2)


def answer_of(series: Series) -> Answer | None:
    """What the requests that this series counts got; None when its labels and name do not say."""
    for label in (*_CODE_LABELS, *_RESULT_LABELS):
        value = series.labels.get(label, "").lower().replace("-", "_").replace(" ", "_")
        for pattern, answer in ((_LIMITED, Answer.LIMITED), (_FAILED, Answer.FAILED), (_FINE, Answer.FINE)):
            if value and pattern.fullmatch(value):
                return answer
    if _LIMITED_NAME.search(series.name):
        return Answer.LIMITED
    return Answer.FAILED if _FAILED_NAME.search(series.name) else None


def subject_of(series: Series, labels: tuple[str, ...], without: tuple[str, ...] = ()) -> str | None:
    """The value of the first of `labels` that a series carries; None when it carries one of `without`."""
    if any(series.labels.get(n) for n in without):
        return None
    return next((series.labels[n] for n in labels if series.labels.get(n)), None)


def troubles(view: EvidenceView, labels: tuple[str, ...], without: tuple[str, ...] = ()) -> tuple[Trouble, ...]:
    """Every subject (`subject_of` its series) whose bad answers rose at the onset.

    A rise: at least MIN_BAD bad answers, at least MIN_SHARE of all, and MIN_GROWTH times the rate before.
    """
    spans = _spans(view)
    tallies: dict[str, dict[Answer | None, _Tally]] = defaultdict(lambda: defaultdict(_Tally))
    cited: dict[str, set[str]] = defaultdict(set)
    for evidence_id, series in view.series():
        subject = subject_of(series, labels, without)
        answer = answer_of(series)
        if subject is None or series.name.endswith(_SKIPPED_SUFFIXES) or (answer is None and not _REQUEST_NAME.search(series.name)):
            continue
        _count(tallies[subject][answer], series, spans)
        cited[subject].add(evidence_id)
    judged = (
        _judge(subject, bad, by_answer, spans)
        for subject, by_answer in sorted(tallies.items())
        for bad in (Answer.LIMITED, Answer.FAILED)
    )
    return tuple(replace(t, evidence=tuple(sorted(cited[t.subject]))) for t in judged if t is not None)


def _spans(view: EvidenceView) -> _Spans:
    onset, now = view.scope.onset.timestamp(), view.scope.now.timestamp()
    earliest = min((s.samples[0][0] for _, s in view.series() if s.samples), default=now)
    since = min(onset, now - _AT_LEAST_S)
    return _Spans(earliest=earliest, quiet_until=min(onset - _GAP_S, since), since=since, until=now)


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


def _judge(subject: str, bad: Answer, tallies: dict[Answer | None, _Tally], spans: _Spans) -> Trouble | None:
    if bad not in tallies:
        return None
    mine = tallies[bad]
    everything = max(sum(t.after for a, t in tallies.items() if a is not None), tallies[None].after if None in tallies else 0.0)
    share = min(1.0, mine.after / max(everything, 1e-12))
    rate_after = mine.after / (spans.until - spans.since)
    quiet_s = spans.quiet_until - spans.earliest
    rate_before = mine.before / quiet_s if quiet_s >= _AT_LEAST_S else None
    if mine.after < MIN_BAD or share < (MIN_SHARE if rate_before is not None else MIN_SHARE_WITHOUT_BASELINE):
        return None
    if rate_before is not None and rate_after < MIN_GROWTH * rate_before:
        return None
    return Trouble(subject, bad, rate_before, rate_after, share, mine.began, ())
