"""What makes a person look first, whatever the class says."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.triage.classify import triage_alerts
from sre_agent.triage.odd import doubted, oddities
from sre_agent.triage.ownership import Ownership

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
INFRA = {"alertname": "RedisSlow", "alert_type": "infra"}


def alert(labels: dict[str, str], ahead_s: float = 0) -> Alert:
    return Alert(labels=labels, starts_at=NOW + timedelta(seconds=ahead_s))


@pytest.mark.parametrize(("ahead_s", "odd"), [(-1, ()), (60, ()), (61, ("clock_in_future",)), (1e9, ("clock_in_future",))])
def test_a_beginning_more_than_a_minute_ahead_is_odd(ahead_s: float, odd: tuple[str, ...]) -> None:
    assert oddities([alert(INFRA), alert(INFRA, ahead_s)], NOW) == odd


def test_moments_at_either_end_of_the_calendar_are_compared_without_leaving_it() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert oddities([Alert(labels=INFRA, starts_at=last)], NOW) == ("clock_in_future",)
    assert oddities([Alert(labels=INFRA, starts_at=last)], last) == ()


def test_two_plans_are_odd_and_one_in_two_spellings_is_not() -> None:
    assert oddities([alert({**INFRA, "plan": "499"}), alert({**INFRA, "plan": "1499"})], NOW) == ("several_plans",)
    assert oddities([alert({**INFRA, "plan": "Business"}), alert({**INFRA, "plan": "business "}), alert(INFRA)], NOW) == ()


def test_what_is_odd_loses_its_class_and_keeps_its_owner() -> None:
    alerts = (alert(INFRA, 61),)
    after = doubted(triage_alerts(alerts, Ownership()), alerts, NOW)
    assert (after.labelled, after.alert_class) == (AlertClass.INFRA, AlertClass.UNKNOWN)
    assert (after.receiver, after.owner, after.flags) == ("pd-platform", "platform", ("clock_in_future",))
    assert "some clock is wrong" in after.reasons[-1]


def test_another_class_stays_what_it_is() -> None:
    alerts = (alert({**INFRA, "alert_type": "model"}, 61),)
    before = triage_alerts(alerts, Ownership())
    assert doubted(before, alerts, NOW) == before
