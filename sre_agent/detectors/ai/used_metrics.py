"""Tokens per call and cost per hour from Prometheus counters, before and since the onset.

Pure arithmetic for usage.py; it finds nothing itself. Reads OpenTelemetry's gen_ai_client_token_usage, LiteLLM's and vLLM's
counters and whatever else says "tokens" or "cost" in its name and carries a model, a provider or a prompt.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sre_agent.evidence.ai.answer import plain
from sre_agent.evidence.ai.outside import provider_of
from sre_agent.evidence.rates import increases, is_counter
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

GAP_S = 600.0
MIN_REQUESTS = 20.0
MIN_PARTS = 4
PARTS = 6
_TOKENS = re.compile(r"token")
# Limits and what is left of them, and durations per token, are no tokens used.
_NOT_USED = re.compile(r"remaining|limit|per_|time_|latency|second|budget|max_|cache_hit|_bucket$|_created$|refresh|auth")
_TOTAL = re.compile(r"total_tokens|tokens_used|token_usage|^llm_tokens|all_tokens")
_COST = re.compile(r"(^|_)(cost|spend|usd|dollars)(_|$)")
_REQUESTS = re.compile(r"(request|call|completion|operation|generation)s?(_duration\w*|_success)?(_metric)?(_total|_count)$")


@dataclass(frozen=True)
class Growth:
    """Tokens per call, or USD per hour, of one object before and since the onset."""

    object: str
    before: float
    after: float
    at: datetime
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Counted:
    """Increases of one or several counters, as (time, amount), and what they rest on."""

    steps: tuple[tuple[float, float], ...]
    evidence: tuple[str, ...]

    def between(self, start: float, end: float) -> float:
        """What was counted in (start, end]."""
        return sum(v for t, v in self.steps if start < t <= end)


def token_growth(view: EvidenceView, times: float) -> tuple[Growth, ...]:
    """Every object whose calls carry more than `times` the tokens, and more than in any part of the time before."""
    tokens, requests = _grouped(view, _is_tokens), _grouped(view, _is_requests)
    found = []
    for name, used in sorted(tokens.items()):
        calls = requests.get(name)
        if calls is None:
            continue
        start, quiet, since, now = _span(view, used)
        after_calls = calls.between(since, now)
        parts = _parts(used, calls, start, quiet)
        if after_calls < MIN_REQUESTS or len(parts) < MIN_PARTS:
            continue
        before = used.between(start, quiet) / calls.between(start, quiet)
        after = used.between(since, now) / after_calls
        if before > 0 and after > times * before and after > 1.2 * max(parts):
            evidence = tuple(sorted({*used.evidence, *calls.evidence}))
            found.append(Growth(name, before, after, datetime.fromtimestamp(since, UTC), evidence))
    return tuple(found)


def cost_growth(view: EvidenceView, times: float, least: float) -> tuple[Growth, ...]:
    """Every object that costs more than `times` per hour what it cost, and at least `least` USD an hour."""
    found = []
    for name, spent in sorted(_grouped(view, _is_cost).items()):
        start, quiet, since, now = _span(view, spent)
        if quiet - start < GAP_S or now - since < 60:
            continue
        before = spent.between(start, quiet) / (quiet - start) * 3600
        after = spent.between(since, now) / (now - since) * 3600
        width = (quiet - start) / PARTS
        parts = [spent.between(start + i * width, start + (i + 1) * width) / width * 3600 for i in range(PARTS)]
        if before > 0 and after >= least and after > times * before and after > 1.2 * max(parts):
            found.append(Growth(name, before, after, datetime.fromtimestamp(since, UTC), spent.evidence))
    return tuple(found)


def _parts(used: _Counted, calls: _Counted, start: float, quiet: float) -> list[float]:
    """Tokens per call in each part of the quiet time that had calls."""
    width = (quiet - start) / PARTS
    spans = [(start + i * width, start + (i + 1) * width) for i in range(PARTS)]
    return [used.between(a, b) / n for a, b in spans if (n := calls.between(a, b)) >= MIN_REQUESTS / PARTS]


def _span(view: EvidenceView, counted: _Counted) -> tuple[float, float, float, float]:
    """(start, end of the quiet time, start of now, now) in unix seconds."""
    onset, now = view.scope.onset.timestamp(), view.scope.now.timestamp()
    start = min((t for t, _ in counted.steps), default=now)
    return start - 1.0, onset - GAP_S, min(onset, now - 120.0), now


def _grouped(view: EvidenceView, wanted: Callable[[Series], bool]) -> dict[str, _Counted]:
    """Increases per object. Of several metrics that count the same, the one that says "total" counts, else the largest."""
    names: dict[str, dict[str, list[tuple[str, Series]]]] = defaultdict(lambda: defaultdict(list))
    for evidence_id, series in view.series():
        if wanted(series) and (name := _object(series)) is not None:
            names[name][series.name].append((evidence_id, series))
    return {name: _chosen(metrics) for name, metrics in names.items()}


def _chosen(metrics: dict[str, list[tuple[str, Series]]]) -> _Counted:
    totals = {n: each for n, each in metrics.items() if _TOTAL.search(n)}
    if totals or not all(_TOKENS.search(n) for n in metrics):
        # One metric: the fullest. Two gateways that count the same call must not make it two.
        return max((_summed(e) for e in (totals or metrics).values()), key=lambda c: sum(v for _, v in c.steps))
    return _summed([pair for e in metrics.values() for pair in e])


def _summed(each: Iterable[tuple[str, Series]]) -> _Counted:
    steps: dict[float, float] = defaultdict(float)
    cited = set()
    for evidence_id, series in each:
        cited.add(evidence_id)
        for t, v in increases(series.finite()):
            steps[t] += v
    return _Counted(tuple(sorted(steps.items())), tuple(sorted(cited)))


def _object(series: Series) -> str | None:
    labels = {plain(k): v for k, v in series.labels.items() if v}
    prompt = next((labels[n] for n in ("prompt", "prompt_name") if n in labels), None)
    if prompt is not None:
        return f"prompt/{prompt.lower()}"
    side = provider_of(series)
    return None if side is None else f"app/{(side.model or side.name).lower()}"


def _is_tokens(series: Series) -> bool:
    name = series.name.replace("token_usage_sum", "token_usage")
    if series.name.endswith("_count") or not _TOKENS.search(name) or _NOT_USED.search(name.replace("tokens_per", "per_")):
        return False
    return is_counter(series)


def _is_requests(series: Series) -> bool:
    return bool(_REQUESTS.search(series.name)) and not _TOKENS.search(series.name) and is_counter(series)


def _is_cost(series: Series) -> bool:
    return bool(_COST.search(series.name)) and not _NOT_USED.search(series.name) and is_counter(series)
