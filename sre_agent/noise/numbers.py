"""What the pages of a rule, or of a service, amount to. Pure; None where a number would rest on nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from sre_agent.noise.page import Page

FLAP = timedelta(hours=1)
"""A rule that fires again for the same group sooner than this after it had ended is flapping."""
STORM, STORM_WITHIN = 5, timedelta(minutes=5)
"""So many pages of one service within this time have one cause, in all likelihood."""
MOST_EXAMPLES = 3


class Numbers(BaseModel):
    """Counts and shares (0..1) of some pages; seconds for times.

    `self_resolved` and `acted_upon` are shares of the pages of which it is known (`known_ends`, `known_acts`). `noise` counts pages
    that nobody acted upon, flapped, or came while the same rule had one open: each once. `wake_ups`: people
    told, over the night pages of high urgency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    service: str
    pages: int
    share: float
    known_ends: int
    self_resolved: float | None
    known_acts: int
    acted_upon: float | None
    acknowledge_s_median: float | None
    acknowledge_s_p90: float | None
    resolve_s_median: float | None
    resolve_s_p90: float | None
    flaps: int
    duplicates: int
    storm: int
    night: int
    wake_ups: int
    wrong_team: int
    cost: int
    noise: int
    missing_labels: tuple[str, ...]
    examples: tuple[str, ...]


def flapped(pages: Sequence[Page]) -> frozenset[str]:
    """Ids of pages whose rule had ended for the same group less than FLAP before. `pages` in the order of their beginnings."""
    ended: dict[tuple[str, str, str], Page] = {}
    found: set[str] = set()
    for page in pages:
        key = (*page.key, page.group)
        before = ended.get(key)
        if before is not None and before.resolved_at is not None and timedelta(0) <= page.created_at - before.resolved_at <= FLAP:
            found.add(page.id)
        ended[key] = page
    return frozenset(found)


def duplicated(pages: Sequence[Page]) -> frozenset[str]:
    """Ids of pages that came while an earlier one of the same rule and service was open."""
    open_: dict[tuple[str, str], list[Page]] = defaultdict(list)
    found: set[str] = set()
    for page in pages:
        held = [p for p in open_[page.key] if p.resolved_at is None or p.resolved_at > page.created_at]
        if held:
            found.add(page.id)
        open_[page.key] = [*held, page]
    return frozenset(found)


def stormed(pages: Sequence[Page]) -> frozenset[str]:
    """Ids of pages, but the first, of a storm: STORM pages or more of one service within STORM_WITHIN, whatever their rules."""
    recent: dict[str, list[Page]] = defaultdict(list)
    found: set[str] = set()
    for page in pages:
        near = [p for p in recent[page.service] if page.created_at - p.created_at <= STORM_WITHIN]
        recent[page.service] = [*near[-STORM:], page]
        if len(near) + 1 >= STORM:
            # Of a storm that goes on, every later page has STORM - 1 others just before it.
            found |= {p.id for p in recent[page.service][1:]}
    return frozenset(found)


def by_rule(pages: Sequence[Page]) -> tuple[Numbers, ...]:
    """One row per (rule, service), the noisiest first."""
    groups: dict[tuple[str, str], list[Page]] = defaultdict(list)
    for page in pages:
        groups[page.key].append(page)
    return _rows(groups, pages)


def by_service(pages: Sequence[Page]) -> tuple[Numbers, ...]:
    """One row per service (`rule` ""), the noisiest first."""
    groups: dict[tuple[str, str], list[Page]] = defaultdict(list)
    for page in pages:
        groups["", page.service].append(page)
    return _rows(groups, pages)


def _rows(groups: dict[tuple[str, str], list[Page]], every: Sequence[Page]) -> tuple[Numbers, ...]:
    marked = _Marked(len(every), flapped(every), duplicated(every), stormed(every))
    rows = [_numbers(key, mine, marked) for key, mine in groups.items()]
    return tuple(sorted(rows, key=lambda r: (-r.noise, -r.pages, r.rule, r.service)))


@dataclass(frozen=True)
class _Marked:
    """What is known only by looking at all pages."""

    every: int
    flaps: frozenset[str]
    doubles: frozenset[str]
    storm: frozenset[str]


def _numbers(key: tuple[str, str], mine: list[Page], marked: _Marked) -> Numbers:
    ends = [p.by_itself for p in mine if p.by_itself is not None]
    acts = [p.acted for p in mine if p.acted is not None]
    acknowledged = [(p.acknowledged_at - p.created_at).total_seconds() for p in mine if p.acknowledged_at is not None]
    resolved = [lasted.total_seconds() for p in mine if (lasted := p.lasted()) is not None]
    noisy = [p for p in mine if p.acted is False or p.id in marked.flaps or p.id in marked.doubles]
    waits = [max(0.0, a) for a in acknowledged]
    return Numbers(
        rule=key[0],
        service=key[1],
        pages=len(mine),
        share=len(mine) / marked.every,
        known_ends=len(ends),
        self_resolved=_share(ends),
        known_acts=len(acts),
        acted_upon=_share(acts),
        acknowledge_s_median=quantile(waits, 0.5),
        acknowledge_s_p90=quantile(waits, 0.9),
        resolve_s_median=quantile(resolved, 0.5),
        resolve_s_p90=quantile(resolved, 0.9),
        flaps=sum(p.id in marked.flaps for p in mine),
        duplicates=sum(p.id in marked.doubles for p in mine),
        storm=sum(p.id in marked.storm for p in mine),
        night=sum(p.night for p in mine),
        wake_ups=sum(max(1, p.notified) for p in mine if p.night and p.urgency == "high"),
        wrong_team=sum(p.wrong_team is True for p in mine),
        cost=sum(p.cost for p in mine),
        noise=len(noisy),
        missing_labels=missing_labels(mine),
        examples=tuple(p.id for p in (noisy or mine)[:MOST_EXAMPLES]),
    )


def missing_labels(mine: Iterable[Page]) -> tuple[str, ...]:
    """Labels that some page of the rule lacks, or has a class that is none: alert_type, team, severity; tool_name for tools.

    A page whose labels did not arrive, or could not be read, says nothing about its rule.
    """
    found: set[str] = set()
    for page in (p for p in mine if p.labels_known):
        found |= {name for name in ("alert_type", "team", "severity") if not page.labels.get(name, "").strip()}
        if page.labels.get("alert_type") not in ("infra", "model", "tool"):
            found.add("alert_type")
        if page.labels.get("alert_type") == "tool" and not page.labels.get("tool_name", "").strip():
            found.add("tool_name")
    return tuple(sorted(found))


def _share(known: list[bool]) -> float | None:
    return sum(known) / len(known) if known else None


def quantile(values: Sequence[float], q: float) -> float | None:
    """The smallest value that at least the share `q` of all do not exceed (nearest rank); None of none."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(q * 1000) * len(ordered) // 1000) - 1)] if ordered else None
