"""The benchmark still runs and judges rightly. How fast anything is, is not a test's business: see `make bench`."""

import pytest

from tests.bench import (
    footprint,
    gathering,
    history,
    incidents,
    ingest,
    pages,
    presses,
    replays,
    reservations,
    routing,
    storm,
    verdicts,
)
from tests.bench.verdict import Row, percentile, table


def test_a_ratio_must_reach_its_target_and_a_cost_must_stay_below():
    assert Row("throughput", 0.6, "x", 0.6, at_least=True).held
    assert not Row("throughput", 0.59, "x", 0.6, at_least=True).held
    assert Row("cpu", 2.0, " ms", 2.0).held
    assert not Row("cpu", 2.01, " ms", 2.0).held
    assert Row("for information", 1e9, " ms").held


def test_the_table_says_in_words_what_was_missed():
    missed, held, told = table([Row("a", 3.0, " ms", 2.0), Row("b", 1.0, " ms", 2.0), Row("c", 1.0, " ms")]).splitlines()[2:]
    assert "| NO " in missed
    assert "| yes " in held
    assert "NO" not in told
    assert "yes" not in told


def test_a_percentile_lies_among_the_values():
    assert percentile([float(n) for n in range(101)], 99) == 99.0


@pytest.mark.bench
def test_every_part_in_this_process_measures_something():
    rows = [*verdicts.rows(rounds=1, replayed=20), *incidents.rows(rounds=1), *gathering.rows(rounds=1), *routing.rows(rounds=1)]
    assert [row.what for row in rows if not row.measured > 0] == []


@pytest.mark.bench
def test_both_servers_answer_and_keep_every_delivery():
    assert [row.what for row in ingest.rows(pairs=1, requests=48) if not row.measured > 0] == []


@pytest.mark.bench
def test_every_delivery_of_a_storm_is_answered_and_kept():
    assert [row.what for row in storm.rows(alerts=300, groups=7, seconds=1.0) if not row.measured > 0] == []


@pytest.mark.bench
def test_every_press_is_answered_and_stored():
    assert [row.what for row in presses.rows(presses=10) if not row.measured > 0] == []


@pytest.mark.bench
def test_reservations_never_overspend_and_are_counted():
    rows = reservations.rows(workers=4, tries=40)
    rate, overspent = rows
    assert rate.measured > 0
    assert (overspent.target, overspent.held, "5 of 40 granted" in overspent.seen) == (0, True, True)


@pytest.mark.bench
def test_the_start_of_the_program_and_the_size_of_its_environment_are_measured():
    rows = [*footprint.rows(repeats=1), *footprint.installed()]
    assert [row.what for row in rows if not row.measured > 0] == []


@pytest.mark.bench
def test_a_page_with_everything_on_it_is_served_and_stays_small():
    took, size, _ = pages.rows(rounds=2)
    assert took.measured > 0
    assert size.held


@pytest.mark.bench
def test_a_replay_of_many_cases_is_timed_and_weighed():
    assert [row.what for row in replays.rows(cases=40, few=10, starts=1) if not row.measured > 0] == []


@pytest.mark.bench
def test_past_incidents_are_imported_and_every_request_is_counted():
    used, turned_away = history.rows(incidents=5)
    assert used.measured > 0
    assert turned_away.held
