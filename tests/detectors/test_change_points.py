"""Where a level changes: within a step, with few rows, and unmoved by spikes, constants, bad numbers and clocks that disagree."""

import math
import random
from datetime import UTC, datetime

import pytest

from sre_agent.evidence.rates import aligned, change_point, is_counter, levels, shift
from sre_agent.evidence.series import Series

ONSET = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def samples(values, step=60.0, begin=None):
    at = ONSET.timestamp() - 60 * 20 if begin is None else begin
    return tuple((at + step * i, float(v)) for i, v in enumerate(values))


@pytest.mark.parametrize("at", [5, 17, 29])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_new_level_is_found_within_a_step(at, noise):
    rng = random.Random(at)
    values = [10 + rng.gauss(0, noise) + (12 if i >= at else 0) for i in range(36)]
    found = change_point(samples(values))
    assert found is not None
    assert abs(found - at) <= 1


def test_six_rows_are_enough_and_five_are_not():
    assert change_point(samples([1, 1, 1, 9, 9, 9])) == 3
    assert change_point(samples([1, 1, 9, 9, 9])) is None


def test_a_constant_series_has_no_change_and_a_spike_is_no_new_level():
    assert change_point(samples([5] * 20)) is None
    values = [1.0, 1.1] * 5 + [900.0] + [1.0, 1.1] * 3 + [4.0, 4.1] * 6
    assert change_point(samples(values)) == 17


def test_the_shift_begins_where_the_level_changed_although_it_later_dips():
    values = [10, 11] * 10 + [10, 30, 31, 12, 30, 31, 30, 31]
    found = shift(samples(values), ONSET)
    assert found is not None
    assert abs(found.at - (ONSET.timestamp() + 60)) <= 60


def test_bad_numbers_duplicates_and_disorder_are_read_as_one_series_in_order():
    rows = [(3.0, 1.0), (1.0, 2.0), (2.0, math.nan), (2.0, math.inf), (3.0, 5.0), (math.nan, 1.0)]
    assert Series(labels={}, samples=tuple(rows)).finite() == ((1.0, 2.0), (3.0, 5.0))


def test_a_counter_that_restarts_is_a_rate_without_a_fall():
    told = Series(labels={"__name__": "requests_total"}, samples=samples([0, 60, 120, 5, 65, 125]))
    assert all(v >= 0 for _, v in levels(told))


def test_memory_that_only_grows_is_a_level_and_an_offset_that_only_grows_is_a_counter():
    grows = samples(range(30))
    assert not is_counter(Series(labels={"__name__": "container_memory_working_set"}, samples=grows))
    assert is_counter(Series(labels={"__name__": "consumer_offset"}, samples=grows))


def test_two_series_meet_by_time_also_where_their_clocks_disagree_by_less_than_half_a_step():
    a, b = dict(samples(range(10))), dict(samples(range(10)))
    assert aligned(a, b) == tuple((float(i), float(i)) for i in range(10))
    late = aligned(a, {t + 20: v for t, v in b.items()})
    assert len(late) >= 9
    assert all(abs(x - y) < 0.5 for x, y in late)
    assert aligned(a, {t + 6000: v for t, v in b.items()}) == ()
    assert aligned(a, {}) == ()


def test_a_sample_that_was_lost_is_told_by_its_neighbours_and_a_long_gap_is_not():
    whole = dict(samples(range(10)))
    lost = {t: v for t, v in whole.items() if v not in (3.0, 4.0, 7.0)}
    assert aligned(whole, lost) == tuple((float(i), float(i)) for i in range(10))
    gap = {t: v for t, v in whole.items() if v < 2 or v > 8}
    assert len(aligned(whole, gap)) < 8
