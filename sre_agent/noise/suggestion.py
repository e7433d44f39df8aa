"""Which changes are worth suggesting, each with what it would have spared and what it would have cost. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from sre_agent.noise.change import Change, Kind, Sent
from sre_agent.noise.numbers import MOST_EXAMPLES, duplicated, flapped, missing_labels
from sre_agent.noise.page import Page
from sre_agent.noise.snippet import snippet

FEWEST = 5
"""Pages of a rule below which nothing is suggested about how often it pages: too few to tell a habit."""
FEWEST_TO_DELETE = 10
HOLDS = tuple(timedelta(minutes=m) for m in (1, 2, 3, 5, 10, 15))
ENOUGH = 0.7
"""A shorter hold is preferred when it spares this share of what the longest would."""
WORTH = 0.2
"""A change must spare this share of the rule's pages."""
WINDOWS = tuple(timedelta(minutes=m) for m in (5, 15, 60))


class Effect(BaseModel):
    """Pages before and after; `acted_later` acted-upon pages come later, by `latest_s` seconds at most; `acted_lost` would not have
    come by themselves at all (merged into an earlier one, or over before), and nor would `unknown_lost`, of which nobody can say
    whether somebody acted upon them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: int
    after: int
    night_before: int
    night_after: int
    acted_later: int
    latest_s: float
    acted_lost: int
    unknown_lost: int


class Suggestion(BaseModel):
    """One change to one rule. `why` for people; `change` is what to write, where it belongs; `examples` are incident ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    rule: str
    service: str
    span_s: float
    why: str
    change: str
    effect: Effect
    examples: tuple[str, ...]

    @property
    def as_change(self) -> Change:
        """The change, to be applied to pages."""
        return Change(self.kind, self.rule, self.service, timedelta(seconds=self.span_s))


def sent_as_they_came(pages: Sequence[Page]) -> tuple[Sent, ...]:
    """The pages as people got them."""
    return tuple(Sent(p, p.created_at) for p in pages)


def effect(pages: Sequence[Page], changes: Sequence[Change]) -> Effect:
    """What the changes together would have done to the pages: one after another over the same list, so that no page is spared
    twice."""
    sent = sent_as_they_came(pages)
    for change in changes:
        sent = change.applied(sent)
    kept = {one.page.id: one for one in sent}
    acted = [p for p in pages if p.acted]
    later = [kept[p.id].later.total_seconds() for p in acted if p.id in kept and kept[p.id].later > timedelta(0)]
    return Effect(
        before=len(pages),
        after=len(kept),
        night_before=sum(p.night for p in pages),
        night_after=sum(p.night for p in pages if p.id in kept),
        acted_later=len(later),
        latest_s=max(later, default=0.0),
        acted_lost=sum(p.id not in kept for p in acted),
        unknown_lost=sum(p.acted is None and p.id not in kept for p in pages),
    )


def suggestions(pages: Sequence[Page]) -> tuple[Suggestion, ...]:
    """At most one change of how often, and one of the labels, per rule and service; the one that spares most first."""
    groups: dict[tuple[str, str], list[Page]] = defaultdict(list)
    for page in pages:
        groups[page.key].append(page)
    found = [s for mine in groups.values() for s in _about(mine)]
    order = list(Kind)
    return tuple(sorted(found, key=lambda s: (s.effect.after - s.effect.before, order.index(s.kind), s.rule, s.service)))


def _about(mine: list[Page]) -> Iterator[Suggestion]:
    quieter = next((s for s in (_digest(mine), _hold(mine), _delete(mine), _burn(mine), _merge(mine)) if s is not None), None)
    if quieter is not None:
        yield quieter
    absent = missing_labels(mine)
    if absent:
        wrong = sum(p.wrong_team is True for p in mine)
        led = f"; {wrong} were acknowledged by a team that does not own them" if wrong else ""
        yield _made(mine, Kind.LABEL, timedelta(0), f"without {', '.join(absent)} nobody can tell whose page it is{led}")


def _delete(mine: list[Page]) -> Suggestion | None:
    useless = all(p.acted is False and p.by_itself is True for p in mine)
    if len(mine) < FEWEST_TO_DELETE or not useless:
        return None
    return _made(mine, Kind.DELETE, timedelta(0), f"all {len(mine)} pages ended by themselves, and nobody acted upon one")


def _digest(mine: list[Page]) -> Suggestion | None:
    if not all(p.cost for p in mine) or len(mine) < FEWEST:
        return None
    without = sum(p.cost_ratio is None for p in mine)
    flag = f" ({without} of them do not tell their baseline)" if without else ""
    return _worth(_made(mine, Kind.DIGEST, timedelta(0), f"{len(mine)} cost alerts{flag}; money can wait for the hourly digest"))


def _hold(mine: list[Page]) -> Suggestion | None:
    """The shortest hold that spares nearly as much as the longest harmless one: none may swallow a page somebody acted upon."""
    if len(mine) < FEWEST:
        return None
    tried = [(span, effect(mine, [_change(mine, Kind.HOLD, span)])) for span in HOLDS]
    harmless = [(span, e) for span, e in tried if not e.acted_lost]
    most = max((e.before - e.after for _, e in harmless), default=0)
    if not most:
        return None
    span, told = next((s, e) for s, e in harmless if e.before - e.after >= ENOUGH * most)
    minutes = span.total_seconds() / 60
    return _worth(
        _made(
            mine, Kind.HOLD, span, f"{told.before - told.after} of {told.before} pages ended by themselves within {minutes:.0f} min"
        )
    )


def _burn(mine: list[Page]) -> Suggestion | None:
    flaps = len(flapped(mine))
    if len(mine) < FEWEST or flaps < len(mine) * WORTH:
        return None
    made = _made(mine, Kind.BURN, timedelta(0), f"{flaps} of {len(mine)} pages were the same alert again within the hour")
    return _worth(made) if not made.effect.acted_lost else None


def _merge(mine: list[Page]) -> Suggestion | None:
    doubles = len(duplicated(mine) | flapped(mine))
    if len(mine) < FEWEST or not doubles:
        return None
    tried = [
        _made(mine, Kind.MERGE, span, f"{doubles} of {len(mine)} pages came on top of one of the same rule") for span in WINDOWS
    ]
    most = max(s.effect.before - s.effect.after for s in tried)
    return _worth(next(s for s in tried if s.effect.before - s.effect.after >= ENOUGH * most))


def _worth(made: Suggestion) -> Suggestion | None:
    spared = made.effect.before - made.effect.after
    return made if spared and spared >= WORTH * made.effect.before else None


def _change(mine: list[Page], kind: Kind, span: timedelta) -> Change:
    return Change(kind, *mine[0].key, span)


def _made(mine: list[Page], kind: Kind, span: timedelta, why: str) -> Suggestion:
    change = _change(mine, kind, span)
    told = effect(mine, [change])
    kept = {one.page.id for one in change.applied(sent_as_they_came(mine))}
    spared = [p.id for p in mine if p.id not in kept] or [p.id for p in mine]
    return Suggestion(
        kind=kind,
        rule=change.rule,
        service=change.service,
        span_s=span.total_seconds(),
        why=why + _infra(mine, kind) + _warning(told),
        change=snippet(change, missing_labels(mine)),
        effect=told,
        examples=tuple(spared[:MOST_EXAMPLES]),
    )


def _infra(mine: list[Page], kind: Kind) -> str:
    """Infrastructure pages are never held back by the agent: whoever owns the rule decides, and is told that it is one."""
    count = sum(p.labels.get("alert_type") == "infra" for p in mine)
    return f"; {count} of them are infra, so its owners decide" if count and kind is not Kind.LABEL else ""


def _warning(told: Effect) -> str:
    """INVARIANT: what somebody acted upon is never made quieter without saying so."""
    parts = []
    if told.acted_lost:
        parts.append(f"{told.acted_lost} acted-upon pages would not have come as pages of their own")
    if told.acted_later:
        parts.append(f"{told.acted_later} acted-upon pages would have come up to {told.latest_s / 60:.0f} min later")
    if told.unknown_lost:
        parts.append(f"of {told.unknown_lost} spared pages nobody can say whether somebody acted upon them")
    return f"; BUT {' and '.join(parts)}" if parts else ""
