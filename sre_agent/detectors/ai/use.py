"""How the use of a model changed at the onset, from hourly rows of calls, errors, latency, tokens and cost.

Pure arithmetic over evidence/quality.py's ModelUse that several detectors share; it finds nothing itself. The hour in which
the onset lies is the first of "now": its quiet minutes only make a change look smaller than it is.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from sre_agent.evidence.ai.answer import Answer, answer_in_text
from sre_agent.evidence.ai.quality import ModelError, ModelUse, rows
from sre_agent.evidence.view import EvidenceView

HOUR = timedelta(hours=1)
MIN_BAD = 5
MIN_SHARE = 0.05
# One in a hundred fails on most days: of few calls, five can do so by chance.
MIN_BAD_OF_A_SMALL_SHARE = 10
SMALL_SHARE = 0.2
MIN_GROWTH = 3.0
MIN_CALLS = 20
MIN_HOURS = 3
MIN_SLOWDOWN = 2.0
MIN_SLOWER_S = 0.1
# Answers that are half as long again take longer: that is no slowness of the provider.
LONGER = 1.5

Use = tuple[str, ModelUse]


@dataclass(frozen=True)
class ErrorsRose:
    """Shares 0..1 of `calls`; `share_before` None: hardly used before.

    `answer` is what most of the messages say (`named` of `looked_at`), None when none does.
    """

    model: str
    calls: int
    share: float
    share_before: float | None
    answer: Answer | None
    named: int
    looked_at: int
    at: datetime
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class LatencyRose:
    """Medians of an hour's `what` in seconds."""

    model: str
    what: str
    before: float
    after: float
    at: datetime
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Sides:
    """Rows before the hour of the onset, and since."""

    before: tuple[ModelUse, ...]
    after: tuple[ModelUse, ...]
    evidence: tuple[str, ...]

    @property
    def at(self) -> datetime:
        """When the first row of "now" begins."""
        return min(u.timestamp for u in self.after)


def uses(view: EvidenceView) -> tuple[Use, ...]:
    """(evidence id, row) of every hour told, oldest first, none after the clock of the investigation."""
    found = [(e, u) for e, payload in view.langfuse() for u in rows(payload, "models", ModelUse)]
    return tuple(sorted((p for p in found if p[1].timestamp <= view.scope.now), key=lambda p: (p[1].timestamp, p[1].model)))


def sides(view: EvidenceView, key: Callable[[ModelUse], str | None], *, new_too: bool = False) -> dict[str, Sides]:
    """The rows per key, before and since the hour of the onset; keys without rows since are left out.

    So are those without rows before, unless `new_too`.
    """
    start = view.scope.onset.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    grouped: dict[str, list[Use]] = defaultdict(list)
    for evidence_id, use in uses(view):
        if (name := key(use)) is not None:
            grouped[name].append((evidence_id, use))
    split = {
        name: Sides(
            tuple(u for _, u in each if u.timestamp < start),
            tuple(u for _, u in each if u.timestamp >= start),
            tuple(sorted({e for e, _ in each})),
        )
        for name, each in sorted(grouped.items())
    }
    return {name: s for name, s in split.items() if s.after and (s.before or new_too)}


def by_hour(found: Iterable[ModelUse], of: Callable[[ModelUse], float | None]) -> dict[datetime, float]:
    """The sum per hour over the rows that say; an hour in which none says is missing."""
    sums: dict[datetime, float] = defaultdict(float)
    for use in found:
        if (value := of(use)) is not None:
            sums[use.timestamp.replace(minute=0, second=0, microsecond=0)] += value
    return dict(sums)


def per_call(found: Sequence[ModelUse], of: Callable[[ModelUse], float | None]) -> dict[datetime, float]:
    """`of` per call in each hour with at least MIN_CALLS / 2 calls that say."""
    told = [u for u in found if of(u) is not None]
    calls, amounts = by_hour(told, lambda u: u.count), by_hour(told, of)
    return {h: amounts[h] / n for h, n in calls.items() if n >= MIN_CALLS / 2}


def errors_rose(view: EvidenceView) -> tuple[ErrorsRose, ...]:
    """Every model whose share of failed calls rose: MIN_BAD failures, MIN_SHARE of all, MIN_GROWTH times the share before.

    Of a model that was hardly used before only SMALL_SHARE counts, which no model has on a normal day.
    """
    found = []
    for model, side in sides(view, lambda u: u.model, new_too=True).items():
        calls, bad = sum(u.count for u in side.after), sum(u.errors for u in side.after)
        earlier, bad_earlier = sum(u.count for u in side.before), sum(u.errors for u in side.before)
        least = MIN_BAD if bad >= SMALL_SHARE * calls else MIN_BAD_OF_A_SMALL_SHARE
        if bad < least or bad < (MIN_SHARE if earlier >= MIN_CALLS else SMALL_SHARE) * calls:
            continue
        share, share_before = min(1.0, bad / max(calls, 1)), min(1.0, bad_earlier / earlier) if earlier >= MIN_CALLS else None
        newest = [u for u in side.after if u.timestamp == max(v.timestamp for v in side.after)]
        over = sum(u.count for u in newest) >= MIN_CALLS and not any(u.errors for u in newest)
        if share < min(MIN_GROWTH * (share_before or 0.0), 0.9) or over:
            continue
        answer, named, looked_at, cited = _said(view, model, side.at)
        evidence = tuple(sorted({*side.evidence, *cited}))
        at = next((u.timestamp for u in side.after if u.errors), side.at)
        found.append(ErrorsRose(model, calls, share, share_before, answer, named, looked_at, max(at, side.at), evidence))
    return tuple(found)


def _said(view: EvidenceView, model: str, since: datetime) -> tuple[Answer | None, int, int, set[str]]:
    """(what most messages mean, how many do, of how many, evidence ids)."""
    meant: Counter[Answer] = Counter()
    cited: set[str] = set()
    for evidence_id, payload in view.langfuse():
        for error in rows(payload, "errors", ModelError):
            if error.model in (None, model) and error.timestamp >= since:
                meant[answer_in_text(error.message)] += error.count
                cited.add(evidence_id)
    if not meant:
        return None, 0, 0, cited
    answer, named = meant.most_common(1)[0]
    return answer, named, meant.total(), cited


def latency_rose(view: EvidenceView) -> tuple[LatencyRose, ...]:
    """Every model whose first token or answer takes at least twice as long, though its calls carry no more tokens."""
    found = []
    for model, side in sides(view, lambda u: u.model).items():
        tokens = [median(t.values()) if (t := per_call(part, lambda u: u.tokens)) else None for part in (side.before, side.after)]
        longer = tokens[0] and tokens[1] and tokens[1] > LONGER * tokens[0]
        for what, of in _LATENCIES:
            before = [v for u in side.before if u.count >= MIN_CALLS / 2 and (v := of(u)) is not None]
            newest = max(u.timestamp for u in side.after)
            after = [v for u in side.after if u.timestamp == newest and u.count >= MIN_CALLS / 2 and (v := of(u)) is not None]
            if len(before) < MIN_HOURS or not after or longer:
                continue
            low, high = median(before), median(after)
            if high >= MIN_SLOWDOWN * low and high - low >= MIN_SLOWER_S and high > max(before):
                found.append(LatencyRose(model, what, low, high, side.at, side.evidence))
                break
    return tuple(found)


_LATENCIES: tuple[tuple[str, Callable[[ModelUse], float | None]], ...] = (
    ("first token p95", lambda u: u.first_token_p95_s),
    ("latency p95", lambda u: u.latency_p95_s),
    ("latency p50", lambda u: u.latency_p50_s),
)
