"""Shared by the tests of stand-ins: a PagerDuty, and somebody who receives what it sends."""

from collections.abc import Iterator

import pytest

from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.pagerduty_webhooks import Pauses
from tests.testing.pagerduty_peer import Receiver


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn(pauses=Pauses(first_s=0.01, most_s=0.02, timeout_s=0.5)) as standin:
        yield standin


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    r = Receiver()
    yield r
    r.close()
