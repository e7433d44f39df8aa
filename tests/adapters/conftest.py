"""The tracker against the stand-in, for every test of what it reads and writes."""

from collections.abc import AsyncIterator, Iterator

import pytest

from sre_agent.adapters.pagerduty.gateway import Patience
from sre_agent.adapters.pagerduty.tracker import PagerDuty, connect
from sre_agent.adapters.pagerduty.transport import Credentials
from sre_agent.testing.pagerduty import AGENT_EMAIL, TOKEN, PagerDutyStandIn


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn() as standin:
        yield standin


@pytest.fixture
async def tracker(pagerduty) -> AsyncIterator[PagerDuty]:
    tracker = connect(Credentials(TOKEN, AGENT_EMAIL, pagerduty.url), patience=Patience(deadline_s=5, first_pause_s=0.01))
    yield tracker
    await tracker.aclose()
