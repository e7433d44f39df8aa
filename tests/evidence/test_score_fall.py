import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent.evidence.ai.quality import Score
from sre_agent.evidence.ai.score_fall import direction, fall

START = datetime(2026, 3, 4, tzinfo=UTC)


def single(level, start, n, spread=0.05, minutes=5, seed=0):
    rng = random.Random(f"{seed}{level}")
    at = START + timedelta(hours=start)
    return [
        Score(name="q", timestamp=at + timedelta(minutes=minutes * i), value=level + rng.uniform(-spread, spread)) for i in range(n)
    ]


def hourly(values, start, count):
    return [Score(name="q", timestamp=START + timedelta(hours=start + i), value=v, count=count) for i, v in enumerate(values)]


@pytest.mark.parametrize("scale", [1.0, 5.0, 10.0, 100.0, 1000.0])
def test_a_fall_is_one_on_every_scale(scale):
    old = [s.model_copy(update={"value": s.value * scale}) for s in single(0.9, 0, 40)]
    new = [s.model_copy(update={"value": s.value * scale}) for s in single(0.8, 4, 40)]
    found = fall("q", old, new)
    assert found is not None
    assert found.old == pytest.approx(0.9 * scale, rel=0.02)
    assert fall("q", new, old) is None


def test_one_hourly_mean_of_few_scores_is_judged_by_what_the_scale_allows():
    old = hourly([4.5] * 6, 0, 12)
    assert fall("q", old, hourly([4.1], 6, 12)) is None
    assert fall("q", old, hourly([4.1], 6, 1200)) is not None
    assert fall("q", hourly([45.0] * 2, 0, 12), hourly([41.0], 6, 12)) is None


def test_means_on_no_known_scale_that_are_too_few_prove_nothing():
    assert fall("q", hourly([900.0] * 2, 0, 50), hourly([100.0] * 2, 2, 50)) is None
    assert fall("q", hourly([900.0, 901.0, 899.0, 900.5], 0, 50), hourly([100.0] * 2, 4, 50)) is not None


def test_a_fall_before_the_change_or_only_later_is_not_its_own():
    assert fall("q", single(0.9, 0, 30) + single(0.8, 2.5, 15), single(0.8, 4, 40)) is None
    assert fall("q", single(0.9, 0, 40), single(0.9, 4, 20) + single(0.7, 6, 20)) is None


def test_the_old_version_still_in_use_is_the_better_comparison():
    old, new = single(0.9, 0, 40), single(0.8, 4, 30)
    assert fall("q", old + single(0.9, 4, 20, seed=1), new) is not None
    assert fall("q", old + single(0.8, 4, 20, seed=1), new) is None


def test_the_same_hours_of_the_day_before_tell_a_low_hour_from_a_fall():
    quiet, low = single(0.9, 3, 200), single(0.8, 0, 30)
    assert fall("q", quiet, single(0.8, 24, 30, seed=1)) is not None
    assert fall("q", low + quiet, single(0.8, 24, 30, seed=1)) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("intent_accuracy", 1.0),
        ("answer_relevance", 1.0),
        ("error_rate", -1.0),
        ("hallucinationRate", -1.0),
        ("hallucination_free", 1.0),
        ("no_errors", 1.0),
        ("cost-efficiency", 1.0),
        ("WER", -1.0),
        ("escalation_rate", -1.0),
        ("power", 1.0),
    ],
)
def test_the_name_says_which_way_is_worse(name, expected):
    assert direction(name) == expected


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 50)), max_size=30),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 50)), max_size=30),
)
def test_any_two_sets_are_compared_without_an_error_and_a_rise_is_never_a_fall(a, b):
    old = [Score(name="q", timestamp=START + timedelta(minutes=i), value=v, count=n) for i, (v, n) in enumerate(a)]
    new = [Score(name="q", timestamp=START + timedelta(hours=2, minutes=i), value=v, count=n) for i, (v, n) in enumerate(b)]
    found = fall("q", old, new)
    assert found is None or found.new < found.old
