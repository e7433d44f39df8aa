"""PagerDuty's history read at the pace its rate limit allows: how much of the limit is used, and how often it is run into.

The stand-in counts as the API does: so many requests in a window that begins with the first of them, told in the headers of every
answer. The window is a quarter of a minute here, at the same pace, so that several of them pass in one run.
"""

import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sre_agent.replay.history.entry import Span
from sre_agent.settings import fixed
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.pagerduty_limit import RateLimit
from sre_agent.wiring.history import Wanted
from sre_agent.wiring.origins import from_pagerduty
from tests.bench.verdict import Row
from tests.replay.history.stage import BEGAN, Clock, environment, quick

INCIDENTS = 120
LIMIT, WINDOW_S = 240, 15.0
A_MINUTE = LIMIT * 60 / WINDOW_S


class Counted(RateLimit):
    """Counts what it lets in and what it turns away."""

    let_in = 0
    turned_away = 0

    def take(self) -> tuple[bool, "dict[str, str]"]:
        """As RateLimit."""
        allowed, told = super().take()
        self.let_in += allowed
        self.turned_away += not allowed
        return allowed, dict(told)


def rows(incidents: int = INCIDENTS) -> list[Row]:
    """Import so many incidents with everything that belongs to each."""
    clock = Clock()
    with PagerDutyStandIn(now=clock) as account, tempfile.TemporaryDirectory(prefix="sre-agent-bench-") as room:
        quick(account, clock, incidents, minutes=5)
        account.limit = limit = Counted(LIMIT, WINDOW_S)
        span = Span(since=BEGAN - timedelta(hours=1), until=BEGAN + timedelta(days=30))
        began = time.perf_counter()
        with from_pagerduty(fixed(environment(account, Path(room))), Wanted(span, 30.0, span.until), Path(room) / "cases") as cases:
            whole = sum(found.folder is not None for found in cases.each)
        took = time.perf_counter() - began
    if whole != incidents:
        raise SystemExit(f"{whole} of {incidents} incidents were imported")
    # The first window's requests wait for nothing; the last window need not be full.
    rate = limit.let_in / took * 60
    seen = f"{incidents} incidents, {limit.let_in} requests in {took:.0f} s at a limit of {A_MINUTE:.0f} a minute"
    return [
        Row("history: requests a minute / PagerDuty's limit", rate / A_MINUTE, "", 0.7, at_least=True, seen=seen),
        Row("history: requests turned away (429)", limit.turned_away, "", 0.0),
    ]
