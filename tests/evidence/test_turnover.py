from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sre_agent.evidence.ai.quality import ModelUse
from sre_agent.evidence.ai.turnover import Seen, model_turnovers, turnovers

START = datetime(2026, 3, 4, tzinfo=UTC)


def hours(*counts):
    """One dict of version -> calls per hour."""
    return [Seen(v, START + timedelta(hours=h), n) for h, each in enumerate(counts) for v, n in each.items()]


def told(*counts):
    return [((t.at - START) // timedelta(hours=1), t.before, t.after) for t in turnovers(hours(*counts))]


def test_a_version_that_takes_over_is_dated_by_its_first_calls():
    assert told({"1": 100}, {"1": 100}, {"2": 100}) == [(2, "1", "2")]
    assert told({"1": 100}, {"1": 90, "2": 10}, {"1": 40, "2": 60}, {"2": 100}) == [(1, "1", "2")]


def test_a_version_that_comes_back_is_a_change_again():
    assert told({"1": 100}, {"2": 100}, {"1": 100}) == [(1, "1", "2"), (2, "2", "1")]


def test_a_canary_is_a_change_with_its_share():
    (only,) = turnovers(hours({"1": 100}, {"1": 90, "2": 10}))
    assert (only.before, only.after, only.share) == ("1", "2", 0.1)


def test_a_canary_that_was_taken_back_is_none():
    assert told({"1": 100}, {"1": 90, "2": 10}, {"1": 100}) == []


def test_versions_side_by_side_from_the_start_never_take_turns():
    assert told({"1": 60, "2": 40}, {"1": 40, "2": 60}, {"1": 55, "2": 45}) == []


def test_one_version_a_few_calls_and_none_at_all_are_no_change():
    assert told({"1": 100}, {"1": 100}) == []
    assert told({"1": 9}, {"2": 100}) == []
    assert turnovers([]) == ()
    assert turnovers([Seen("1", START, 0)]) == ()


def use(hour, model, count=100, **more):
    return ModelUse(model=model, timestamp=START + timedelta(hours=hour), count=count, **more)


def models(*found, whole=False):
    return [(t.before, t.after) for t in model_turnovers(found, whole_application=whole)]


def test_a_model_that_replaced_another_is_a_change_with_or_without_a_prompt():
    swapped = [use(0, "a"), use(1, "a"), use(2, "b"), use(3, "b")]
    assert models(*swapped) == models(*swapped, whole=True) == [("a", "b")]


def test_a_model_left_because_it_fails_is_a_fallback():
    assert models(use(0, "a"), use(1, "a", errors=50), use(2, "b")) == []


def test_a_batch_with_a_model_of_its_own_beside_the_usual_calls_is_none():
    assert models(use(0, "a"), use(1, "a"), use(2, "a"), use(2, "b", 2000), whole=True) == []


@given(
    st.lists(
        st.builds(
            Seen,
            st.sampled_from("123"),
            st.integers(0, 40).map(lambda m: START + timedelta(minutes=17 * m)),
            st.integers(-1, 300),
        ),
        max_size=40,
    )
)
def test_whatever_was_seen_changes_are_between_two_versions_at_a_time_that_was_seen(seen):
    for turn in turnovers(seen):
        assert turn.before != turn.after
        assert turn.at in {s.at for s in seen if s.version == turn.after}
        assert 0.0 <= turn.share <= 1.0
