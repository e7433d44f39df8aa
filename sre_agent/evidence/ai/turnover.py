"""When one version gave way to another in traffic: prompt versions behind a prompt, models behind an application. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.evidence.ai.quality import ModelUse

# A version rules from so large a share of an hour's calls. Two that run side by side as an experiment never take turns.
RULES = 0.7
# From so many calls something can be said at all.
MIN_CALLS = 10
# A model of which so many calls fail was left for another one: a fallback, not a change.
FALLBACK_SHARE = 0.2
# What has no more than this of the newest hour's calls, and of its own usual ones, is gone.
GONE = 0.1
GONE_OF_ITS_OWN = 0.3
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Seen:
    """`count` calls made with `version` at `at`, or in the period that begins there."""

    version: str
    at: datetime
    count: int


@dataclass(frozen=True)
class Turnover:
    """`after` took over from `before` at `at`; `share` 0..1 is what it has of the newest hour's calls."""

    at: datetime
    before: str
    after: str
    share: float


def turnovers(seen: Iterable[Seen]) -> tuple[Turnover, ...]:
    """Every change of the ruling version, oldest first, and newcomers that take a part of the calls (a canary).

    A version that comes back (its label was moved back) is a change like any other. Versions that are there from the first
    hour on, side by side, are an experiment and no change.
    """
    ordered = sorted((s for s in seen if s.count > 0), key=lambda s: (s.at, s.version))
    if not ordered:
        return ()
    hours: dict[datetime, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for s in ordered:
        hours[_hour(s.at)][s.version] += s.count
    newest = hours[max(hours)]
    shares = {v: n / sum(newest.values()) for v, n in newest.items()}
    found: list[Turnover] = []
    ruler: str | None = None
    ruled = 0
    for hour, versions in sorted(hours.items()):
        top, calls = max(sorted(versions.items()), key=lambda item: item[1])
        if calls < RULES * sum(versions.values()):
            ruled += versions.get(ruler, 0) if ruler is not None else 0
            continue
        if ruler is not None and top != ruler and ruled >= MIN_CALLS:
            found.append(Turnover(_first(ordered, top, ruler, hour), ruler, top, shares.get(top, 0.0)))
            ruled = 0
        ruled = calls + (ruled if top == ruler else 0)
        ruler = top
    known = {t.after for t in found}
    found += [t for t in _newcomers(ordered, shares) if t.after not in known]
    return tuple(sorted(found, key=lambda t: (t.at, t.after)))


def _first(ordered: list[Seen], version: str, before: str, hour: datetime) -> datetime:
    """When `version` came (back): after the last hour in which `before` had all but nothing beside it."""
    came = hour
    counts: dict[datetime, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for s in ordered:
        counts[_hour(s.at)][s.version] += s.count
    while counts.get(came - _HOUR, {}).get(version, 0) > 0 and counts[came - _HOUR].get(before, 0) > 0:
        came -= _HOUR
    return min(s.at for s in ordered if s.version == version and s.at >= came)


def _newcomers(ordered: list[Seen], shares: dict[str, float]) -> list[Turnover]:
    """Versions first seen after another had been in use for a while, and still in use."""
    found = []
    first: dict[str, datetime] = {}
    for s in ordered:
        first.setdefault(s.version, s.at)
    for version, at in first.items():
        earlier: dict[str, int] = defaultdict(int)
        for s in ordered:
            if s.at < at:
                earlier[s.version] += s.count
        if earlier and sum(earlier.values()) >= MIN_CALLS and shares.get(version, 0.0) > 0:
            before = max(sorted(earlier.items()), key=lambda item: item[1])[0]
            found.append(Turnover(at, before, version, shares[version]))
    return found


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def model_turnovers(found: Sequence[ModelUse], *, whole_application: bool) -> tuple[Turnover, ...]:
    """Changes of the model that answers one prompt, or (`whole_application`) calls of which no prompt is known.

    The latter mix several uses: there only a model that is new and has replaced the other counts, because a nightly batch with
    a model of its own is no change of model.
    """
    newest = max((u.timestamp for u in found), default=None)
    last = sum(u.count for u in found if u.timestamp == newest)
    kept = []
    for turn in turnovers(Seen(u.model, u.timestamp, u.count) for u in found):
        around = [u for u in found if u.model == turn.before and abs(u.timestamp - turn.at) <= _HOUR]
        failed, calls = sum(u.errors for u in around), sum(u.count for u in around)
        left = sum(u.count for u in found if u.model == turn.before and u.timestamp == newest)
        usual = _usual(found, turn)
        new = not any(u.model == turn.after and u.timestamp < turn.at for u in found)
        fallback = calls > 0 and failed >= FALLBACK_SHARE * calls
        if not fallback and (not whole_application or (new and left <= min(GONE * last, GONE_OF_ITS_OWN * usual))):
            kept.append(turn)
    return tuple(kept)


def _usual(found: Sequence[ModelUse], turn: Turnover) -> float:
    """What the former model was called per hour until then."""
    hours: dict[datetime, int] = defaultdict(int)
    for use in found:
        if use.model == turn.before and use.timestamp < turn.at:
            hours[_hour(use.timestamp)] += use.count
    return sum(hours.values()) / max(1, len(hours))
