"""TOKEN_SPIKE and COST_SPIKE: calls carry many times the tokens they did, or the model costs many times what it did.

Pure. Tokens are counted per call, so more traffic is no spike; cost is counted per hour, against the hours before and the
same hour of the day before, so a busy morning is none. Calls per conversation that multiply are the sign of a loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sre_agent.detectors.ai.use import MIN_CALLS, MIN_HOURS, Sides, by_hour, per_call, sides
from sre_agent.detectors.ai.used_metrics import Growth, cost_growth, token_growth
from sre_agent.evidence.ai.quality import ModelUse
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView

TOKENS_TIMES = 2.0
COST_TIMES = 5.0
# USD per hour. Five times almost nothing is nothing.
MIN_COST = 1.0
LOOP_TIMES = 2.0
# Above every hour before, not only above the usual one.
ABOVE_MOST = 1.2
# An alert on the spend of an hour, or of three, fires when they are over.
MOST_LATE = 6
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Spike:
    """`before` and `after` in tokens per call, or USD per hour."""

    name: str
    before: float
    after: float
    at: datetime
    evidence: tuple[str, ...]
    why: str = ""


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding of each kind per prompt or model; a prompt's own spike speaks for its model."""
    found = [_tokens(s) for s in _dearest(view, _token_spike)]
    found += [_cost(s) for s in _dearest(view, _cost_spike)]
    known = {(f.kind, f.object) for f in found}
    measured = [_tokens(_of(g)) for g in token_growth(view, TOKENS_TIMES)]
    measured += [_cost(_of(g)) for g in cost_growth(view, COST_TIMES, MIN_COST)]
    return (*found, *(f for f in measured if (f.kind, f.object) not in known))


def _of(growth: Growth) -> _Spike:
    return _Spike(growth.object, growth.before, growth.after, growth.at, growth.evidence)


def _dearest(view: EvidenceView, judge: Callable[[str, Sides], _Spike | None]) -> list[_Spike]:
    """Spikes per prompt; per model only for those whose calls no spiking prompt explains."""
    prompts = sides(view, lambda u: u.prompt)
    spikes = [s for name, side in prompts.items() if (s := judge(f"prompt/{name.lower()}", side)) is not None]
    blamed = {s.name.removeprefix("prompt/") for s in spikes}
    models = sides(view, lambda u: None if (u.prompt or "").lower() in blamed else u.model)
    return spikes + [s for name, side in models.items() if (s := judge(f"app/{name.lower()}", side)) is not None]


def _token_spike(name: str, side: Sides) -> _Spike | None:
    side = _since_the_rise(side, lambda rows: per_call(rows, _tokens_of), TOKENS_TIMES)
    before, after = per_call(side.before, _tokens_of), per_call(side.after, _tokens_of)
    if len(before) < MIN_HOURS or not after or sum(u.count for u in side.after if u.tokens is not None) < MIN_CALLS:
        return None
    low, newest = median(before.values()), after[max(after)]
    if low <= 0 or newest <= TOKENS_TIMES * low or newest <= ABOVE_MOST * max(before.values()):
        return None
    return _Spike(name, low, newest, _since(after, TOKENS_TIMES * low), side.evidence, _loop(side))


def _cost_spike(name: str, side: Sides) -> _Spike | None:
    side = _since_the_rise(side, lambda rows: by_hour(rows, _cost_of), COST_TIMES)
    before, after = by_hour(side.before, _cost_of), by_hour(side.after, _cost_of)
    if len(before) < MIN_HOURS or not after:
        return None
    # The newest hour is not over; the fuller one of the last two is the honest one.
    last = sorted(after)[-2:]
    hour = max(last, key=lambda h: after[h])
    usual = max(median(before.values()), before.get(hour - _DAY, 0.0))
    high = after[hour]
    if usual <= 0 or high < MIN_COST or high <= COST_TIMES * usual or high <= ABOVE_MOST * max(before.values()):
        return None
    if not _still(after, usual):
        return None
    return _Spike(name, usual, high, _since(after, COST_TIMES * usual), side.evidence, _loop(side) or _busier(side))


def _since_the_rise(side: Sides, hourly: Callable[[Sequence[ModelUse]], dict[datetime, float]], times: float) -> Sides:
    """The same rows; of the hours right before the onset those that were as dear already count as now, MOST_LATE at most."""
    amounts = hourly(side.before)
    hours = sorted(amounts)
    cut = len(hours)
    while cut > MIN_HOURS and len(hours) - cut < MOST_LATE:
        usual = median(amounts[h] for h in hours[: cut - 1])
        if usual <= 0 or amounts[hours[cut - 1]] <= times * usual:
            break
        cut -= 1
    if cut == len(hours):
        return side
    rows = (*side.before, *side.after)
    start = hours[cut]
    return Sides(tuple(u for u in rows if u.timestamp < start), tuple(u for u in rows if u.timestamp >= start), side.evidence)


def _still(after: dict[datetime, float], usual: float) -> bool:
    """Whether the newest hours are dear: a spike two hours ago that is over is history."""
    return max(after[h] for h in sorted(after)[-2:]) > COST_TIMES * usual


def _since(hours: dict[datetime, float], level: float) -> datetime:
    """The first hour above the level."""
    return min((h for h, v in hours.items() if v > level), default=min(hours))


def _loop(side: Sides) -> str:
    """What to say when each conversation makes many times the calls it made."""
    rates = []
    for part in (side.before, side.after):
        told = [u for u in part if u.traces]
        traces = sum(u.traces or 0 for u in told)
        rates.append(sum(u.count for u in told) / traces if traces else 0.0)
    if rates[0] > 0 and rates[1] >= LOOP_TIMES * rates[0]:
        return f"; each conversation makes {rates[1]:.3g} calls, {rates[0]:.3g} before, as in a loop"
    return ""


def _busier(side: Sides) -> str:
    """What to say when more calls alone explain the cost."""
    calls = [median(by_hour(part, lambda u: u.count).values()) for part in (side.before, side.after)]
    dearer = [_mean_cost(part) for part in (side.before, side.after)]
    if calls[0] > 0 and dearer[0] > 0:
        return f"; {calls[1] / calls[0]:.3g} times the calls, each {dearer[1] / dearer[0]:.3g} times as dear"
    return ""


def _mean_cost(part: tuple[ModelUse, ...]) -> float:
    told = [u for u in part if u.cost_usd is not None]
    return sum(u.cost_usd or 0.0 for u in told) / max(1, sum(u.count for u in told))


def _tokens_of(use: ModelUse) -> float | None:
    return use.tokens


def _cost_of(use: ModelUse) -> float | None:
    return use.cost_usd


def _tokens(spike: _Spike) -> Finding:
    times = spike.after / spike.before
    return Finding(
        kind=FindingKind.TOKEN_SPIKE,
        object=spike.name,
        cause=(
            f"calls of {spike.name.partition('/')[2]} carry {spike.after:.4g} tokens each, {spike.before:.4g} before"
            f" ({times:.3g} times){spike.why}"
        ),
        onset=spike.at,
        strength=round(min(0.75, 0.5 + 0.03 * times), 3),
        evidence=spike.evidence,
        refuted_by="the same calls carried as many tokens on other days, or what users ask got longer by itself",
    )


def _cost(spike: _Spike) -> Finding:
    times = spike.after / spike.before
    return Finding(
        kind=FindingKind.COST_SPIKE,
        object=spike.name,
        cause=(
            f"{spike.name.partition('/')[2]} costs {spike.after:.3g} USD an hour, {spike.before:.3g} before"
            f" ({times:.3g} times){spike.why}"
        ),
        onset=spike.at,
        strength=round(min(0.75, 0.5 + 0.02 * times), 3),
        evidence=spike.evidence,
        refuted_by="the same hours of other days cost as much, or a planned batch runs",
    )
