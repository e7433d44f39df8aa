"""The rate limit, in virtual time."""

import pytest

from sre_agent.adapters.pagerduty.pace import Pace
from sre_agent.incident.errors import ConfigurationError


def test_no_more_than_the_rate_and_one_burst_goes_through():
    pace, now, sent = Pace(per_minute=960, burst=20), 100.0, []
    while now < 160.0:
        pause = pace.wait(now)
        if pause > 0:
            now += pause
            continue
        pace.take(now)
        sent.append(now)
    assert 960 <= len(sent) <= 960 + 20
    assert sum(1 for at in sent if at == 100.0) == 20


def test_an_idle_minute_saves_up_no_more_than_a_burst():
    pace = Pace(per_minute=60, burst=3)
    for _ in range(3):
        assert pace.wait(1000.0) == 0
        pace.take(1000.0)
    assert pace.wait(1000.0) == pytest.approx(1.0)


def test_nothing_goes_before_the_limit_is_reset():
    pace = Pace()
    pace.close_until(50.0)
    pace.close_until(40.0)
    assert pace.wait(20.0) == 30.0
    assert pace.wait(50.0) == 0.0


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (10, 0)])
def test_a_rate_that_lets_nothing_through_is_refused(rate, burst):
    with pytest.raises(ConfigurationError):
        Pace(rate, burst)
