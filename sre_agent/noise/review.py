"""The review of a time: numbers, suggestions, and what all of them together would have spared. Pure."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from sre_agent.noise.numbers import Numbers, by_rule, by_service
from sre_agent.noise.page import Page
from sre_agent.noise.suggestion import Effect, Suggestion, effect, sent_as_they_came, suggestions


class Day(BaseModel):
    """Pages of one day (where the people on call live), and how many would have been left."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: str
    pages: int
    after: int


class Review(BaseModel):
    """What a noise review says. `problems` are things that could not be read, counted; `unknown_acts` pages of which nobody can say
    whether anybody acted upon them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: datetime
    until: datetime
    zone: str
    pages: int
    night: int
    unknown_acts: int
    problems: dict[str, int]
    rules: tuple[Numbers, ...]
    services: tuple[Numbers, ...]
    suggestions: tuple[Suggestion, ...]
    together: Effect
    days: tuple[Day, ...]


def review(
    found: Iterable[Page], between: tuple[datetime, datetime], zone: ZoneInfo, problems: dict[str, int] | None = None
) -> Review:
    """The review of the pages that began in [since, until) of `between`; a page told twice counts once."""
    since, until = between
    seen = {p.id: p for p in found if since <= p.created_at < until}
    pages = sorted(seen.values(), key=lambda p: (p.created_at, p.id))
    told = suggestions(pages)
    changes = [s.as_change for s in told]
    return Review(
        since=since,
        until=until,
        zone=zone.key,
        pages=len(pages),
        night=sum(p.night for p in pages),
        unknown_acts=sum(p.acted is None for p in pages),
        problems=dict(sorted((problems or {}).items())),
        rules=by_rule(pages),
        services=by_service(pages),
        suggestions=told,
        together=effect(pages, changes),
        days=_days(pages, told, zone),
    )


def _days(pages: list[Page], told: tuple[Suggestion, ...], zone: ZoneInfo) -> tuple[Day, ...]:
    days: dict[str, list[Page]] = {}
    for page in pages:
        days.setdefault(page.created_at.astimezone(zone).date().isoformat(), []).append(page)
    kept = _kept(pages, told)
    return tuple(Day(day=day, pages=len(mine), after=sum(p.id in kept for p in mine)) for day, mine in days.items())


def _kept(pages: list[Page], told: tuple[Suggestion, ...]) -> frozenset[str]:
    sent = sent_as_they_came(pages)
    for one in told:
        sent = one.as_change.applied(sent)
    return frozenset(one.page.id for one in sent)
