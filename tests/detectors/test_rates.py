from datetime import UTC, datetime

import pytest

from sre_agent.evidence.rates import increases, is_counter, levels, shared_moments, shift, split
from sre_agent.evidence.series import Series


def series(name, *values, step=15.0):
    return Series(labels={"__name__": name}, samples=tuple((i * step, float(v)) for i, v in enumerate(values)))


def test_a_fall_of_a_counter_is_a_restart_from_zero():
    assert increases(series("x_total", 10, 25, 4, 9).samples) == ((15.0, 15.0), (30.0, 4.0), (45.0, 5.0))
    assert levels(series("x_total", 10, 25, 4, 9)) == ((15.0, 1.0), (30.0, 4 / 15), (45.0, 1 / 3))


def test_a_series_is_a_counter_by_its_name_or_because_it_only_grows():
    assert is_counter(series("x_total", 5, 5))
    assert is_counter(series("repl_offset", *range(20)))
    assert not is_counter(series("repl_offset", *range(5)))
    assert not is_counter(series("temperature", *range(19), 5))
    assert not is_counter(series("replicas", *[1] * 15, 2, 3))


def test_repeated_stamps_do_not_divide_by_zero():
    doubled = Series(labels={"__name__": "x_total"}, samples=((0.0, 1.0), (0.0, 2.0), (15.0, 17.0)))
    assert levels(doubled) == ((15.0, 1.0),)


def test_the_baseline_ends_ten_minutes_before_the_onset_when_it_can_and_later_when_it_must():
    onset = datetime.fromtimestamp(1200, UTC)
    baseline, recent = split(series("x", *range(100)).samples, onset)
    assert baseline[-1][0] == 585.0
    assert recent[0][0] == 1200.0
    short, _ = split(series("x", *range(40), step=2.0).samples, datetime.fromtimestamp(70, UTC))
    assert short[-1][0] == 8.0
    assert split(series("x", 1, 2, 3).samples, onset) == ((), ())


def test_the_score_is_the_modified_z_of_the_medians_and_tells_when_the_level_began():
    values = [10.0, 12.0, 11.0, 9.0, 8.0] * 12 + [30.0] * 40
    found = shift(series("x", *values).samples, datetime.fromtimestamp(1200, UTC))
    assert found is not None
    assert found.before == 10.0
    assert found.after == 30.0
    assert found.score == pytest.approx(0.6745 * 20 / 1.0)
    assert found.at == 900.0
    assert found.ratio == 3.0


def test_series_are_brought_to_the_same_moments_and_what_one_lost_is_told_by_its_neighbours():
    whole, gappy = {0.0: 0.0, 10.0: 10.0, 20.0: 20.0, 30.0: 30.0}, {0.0: 0.0, 10.0: 5.0, 30.0: 15.0}
    assert shared_moments([whole, gappy]) == (tuple(whole.items()), ((0.0, 0.0), (10.0, 5.0), (20.0, 10.0), (30.0, 15.0)))


def test_a_moment_of_which_one_series_says_nothing_is_left_out():
    long, short = {float(t): 1.0 for t in range(0, 100, 10)}, {0.0: 1.0, 10.0: 1.0, 20.0: 1.0}
    assert [t for t, _ in shared_moments([long, short])[0]] == [0.0, 10.0, 20.0]
    assert shared_moments([long, {}]) == ((), ())
