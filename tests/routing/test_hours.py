"""Business hours: boundaries, shifts over midnight, and the two nights a year on which the clock is changed."""

from datetime import UTC, datetime, time

import pytest

from sre_agent.routing.file import BusinessHours
from sre_agent.routing.hours import is_open, next_opening

OFFICE = BusinessHours()
NIGHT = BusinessHours(days=("fri",), start=time(22), end=time(6))
BERLIN = BusinessHours(tz="Europe/Berlin")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "is_"),
    [
        (at(2026, 3, 4, 8, 59, 59), False),
        (at(2026, 3, 4, 9), True),
        (at(2026, 3, 4, 17, 59, 59), True),
        (at(2026, 3, 4, 18), False),
        (at(2026, 3, 7, 12), False),
        (at(2026, 3, 8, 12), False),
    ],
)
def test_the_start_is_open_and_the_end_is_not(moment: datetime, is_: bool) -> None:
    assert is_open(OFFICE, moment) is is_


@pytest.mark.parametrize(
    ("moment", "is_"),
    [
        (at(2026, 3, 6, 22), True),
        (at(2026, 3, 7, 5, 59), True),
        (at(2026, 3, 7, 6), False),
        (at(2026, 3, 7, 22), False),
        (at(2026, 3, 6, 5), False),
    ],
)
def test_a_shift_over_midnight_belongs_to_the_day_it_began(moment: datetime, is_: bool) -> None:
    assert is_open(NIGHT, moment) is is_


def test_the_next_opening_is_now_where_it_is_open_and_never_where_there_is_none() -> None:
    assert next_opening(OFFICE, at(2026, 3, 4, 12)) == at(2026, 3, 4, 12)
    assert next_opening(OFFICE, at(2026, 3, 6, 18)) == at(2026, 3, 9, 9)
    assert next_opening(BusinessHours(days=()), at(2026, 3, 4, 12)) is None
    assert next_opening(BusinessHours(days=("wed",)), at(2026, 3, 4, 18)) == at(2026, 3, 11, 9)


def test_summer_time_moves_the_opening_with_the_clock_on_the_wall() -> None:
    assert next_opening(BERLIN, at(2026, 3, 27, 20)) == at(2026, 3, 30, 7)  # Monday after the change: 09:00 is 07:00 UTC
    assert next_opening(BERLIN, at(2026, 3, 26, 20)) == at(2026, 3, 27, 8)
    assert next_opening(BERLIN, at(2026, 10, 23, 20)) == at(2026, 10, 26, 8)


def test_an_opening_in_the_hour_that_is_left_out_is_when_that_hour_would_end() -> None:
    early = BusinessHours(days=("sun",), start=time(2, 30), end=time(12), tz="Europe/Berlin")
    assert next_opening(early, at(2026, 3, 28, 12)) == at(2026, 3, 29, 1)


def test_an_opening_in_the_hour_that_comes_twice_is_its_first_time() -> None:
    early = BusinessHours(days=("sun",), start=time(2, 30), end=time(12), tz="Europe/Berlin")
    assert next_opening(early, at(2026, 10, 24, 12)) == at(2026, 10, 25, 0, 30)
    assert is_open(early, at(2026, 10, 25, 1, 45))
