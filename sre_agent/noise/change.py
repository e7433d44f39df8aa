"""Changes that would make a rule quieter, and what each would have done to the very pages that came. Pure.

hold      a page that ends by itself within the hold wakes nobody; any other comes that much later: what a person ended, they ended
          because they were paged, and of what nobody can tell it is not assumed
merge     pages of the rule within a window after one that was sent are part of that one; never across classes or tools
digest    cost alerts go to the hourly digest, unless one exceeds five times its baseline
burn      a rule on the error budget instead of a threshold: estimated as a hold of its short window, a merge over its long
delete    no page at all
label     the same pages, to the people who own them
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sre_agent.noise.page import Page

DIGEST_ABOVE = 5.0
"""A cost alert pages above (not at) this many times its baseline."""
BURN_SHORT, BURN_LONG = timedelta(minutes=5), timedelta(hours=1)
"""The fast pair of windows of a multi-window burn rate (Google SRE Workbook, chapter 5)."""


class Kind(StrEnum):
    """The closed set of suggestions, in the order in which they are tried for a rule."""

    DIGEST = "digest"
    HOLD = "hold"
    DELETE = "delete"
    BURN = "burn_rate"
    MERGE = "merge"
    LABEL = "label"


@dataclass(frozen=True)
class Sent:
    """A page, and when it would have reached somebody."""

    page: Page
    at: datetime

    @property
    def later(self) -> timedelta:
        """By how much it would have come later than it did."""
        return self.at - self.page.created_at


@dataclass(frozen=True)
class Change:
    """One change to one rule on one service. `span`: the hold or the window; zero where there is none."""

    kind: Kind
    rule: str
    service: str
    span: timedelta = timedelta(0)

    def applied(self, sent: Iterable[Sent]) -> tuple[Sent, ...]:
        """What would still have been sent, in the order of the beginnings. Never more than before, never earlier."""
        return tuple(self._kept(sent))

    def _kept(self, sent: Iterable[Sent]) -> Iterator[Sent]:
        last: dict[tuple[str, str], datetime] = {}
        for one in sent:
            if one.page.key != (self.rule, self.service):
                yield one
                continue
            held = self._held(one)
            if held is None or self._merged(held, last):
                continue
            yield held

    def _held(self, one: Sent) -> Sent | None:
        """After a hold; None for what would not have been sent by itself."""
        match self.kind:
            case Kind.DELETE:
                return None
            case Kind.DIGEST:
                ratio = one.page.cost_ratio
                return one if ratio is not None and ratio > DIGEST_ABOVE else None
            case Kind.HOLD | Kind.BURN:
                wait = self.span if self.kind is Kind.HOLD else BURN_SHORT
                lasted = one.page.lasted()
                # SAFETY: only what is known to have ended without a person would have ended without a page.
                if one.page.by_itself is True and lasted is not None and lasted <= wait:
                    return None
                return Sent(one.page, max(one.at, one.page.created_at + wait))
            case Kind.MERGE | Kind.LABEL:
                return one

    def _merged(self, one: Sent, last: dict[tuple[str, str], datetime]) -> bool:
        """Whether it would have been part of a page that was sent shortly before."""
        window = {Kind.MERGE: self.span, Kind.BURN: BURN_LONG}.get(self.kind)
        if window is None:
            return False
        # Alerts of two tools are two groups, and so are those of two classes: each has an owner of its own.
        apart = one.page.labels.get("alert_type", ""), one.page.labels.get("tool_name", "")
        before = last.get(apart)
        if before is not None and one.page.created_at - before <= window:
            return True
        last[apart] = one.page.created_at
        return False
