"""An account whose time is moved by hand."""

import pytest

from sre_agent.testing.pagerduty import PagerDutyStandIn
from tests.replay.history.stage import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pagerduty(clock):
    with PagerDutyStandIn(now=clock) as standin:
        yield standin
