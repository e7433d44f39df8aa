"""Consumer lag that grows, and lag that is only high."""

import pytest

from sre_agent.detectors.stores.consumer_lag import detect
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.series import Series
from tests.detectors.neighbourhood import ONSET, only, view


def lag(*values, name="kafka_consumergroup_lag_sum", **labels):
    start = ONSET.timestamp() - 300
    made = {"__name__": name, "consumergroup": "billing", "topic": "orders", **labels}
    return Series(labels=made, samples=tuple((start + 60 * i, v) for i, v in enumerate(values))).model_dump(mode="json")


def test_lag_that_grows_since_the_onset_names_group_and_topic():
    found = only(detect(view(series=[lag(10, 12, 9, 11, 10, 200, 900, 2000)])))
    assert (found.kind, found.object) == (K.CONSUMER_LAGGING, "queue/orders")
    assert "billing falls behind on topic orders: lag 2000" in found.cause
    assert found.strength <= 0.6


def test_a_group_that_several_series_tell_of_is_told_once():
    twice = [
        lag(10, 12, 9, 11, 10, 200, 900, 2000),
        lag(1, 1, 1, 1, 1, 20, 400, 500, name="kafka_consumergroup_lag", partition="0"),
    ]
    assert "lag 2000" in only(detect(view(series=twice))).cause


@pytest.mark.parametrize(
    "values",
    [
        (5000, 5100, 4900, 5000, 5000, 5100, 5000, 5050),  # high and level
        (10, 12, 9, 11, 10, 900, 2000, 100),  # it caught up
        (1, 1, 1, 1, 1, 5, 10, 50),  # nothing to speak of
        (10, 900),
        (),
    ],
)
def test_lag_that_is_level_or_was_worked_off_is_silent(values):
    assert detect(view(series=[lag(*values)])) == ()
