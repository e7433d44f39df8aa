"""When questions become too many: the decision at its boundaries, and what a digest remembers."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.response.fatigue import AskedIn, Digest, Way, way

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("before", "expected"), [(0, Way.SEPARATE), (5, Way.SEPARATE), (6, Way.DIGEST), (60, Way.DIGEST)])
def test_the_seventh_of_six_an_hour_goes_into_the_digest(before: int, expected: Way) -> None:
    asked = [NOW - timedelta(minutes=1)] * before + [NOW]
    assert way(asked, NOW, 6) is expected


@pytest.mark.parametrize(
    ("first", "expected"), [(NOW - HOUR + TICK, Way.DIGEST), (NOW - HOUR, Way.SEPARATE), (NOW - HOUR - TICK, Way.SEPARATE)]
)
def test_an_hour_ends_to_the_microsecond(first: datetime, expected: Way) -> None:
    assert way([first, NOW], NOW, 1) is expected


def test_questions_asked_later_do_not_change_how_an_earlier_one_is_put() -> None:
    assert way([NOW, NOW + TICK, NOW + HOUR], NOW, 1) is Way.SEPARATE


def test_two_asked_in_the_same_instant_are_both_too_many_for_one() -> None:
    assert way([NOW, NOW], NOW, 1) is Way.DIGEST


def test_a_digest_takes_questions_for_an_hour() -> None:
    digest = Digest(id="dig_1", opened_at=NOW)
    assert digest.takes(NOW + HOUR - TICK)
    assert not digest.takes(NOW + HOUR)


def test_a_digest_knows_how_far_asking_in_each_policy_has_come() -> None:
    digest = Digest(id="dig_1", opened_at=NOW).having(AskedIn(policy="P1", incident_id="Q1"))
    done = digest.having(AskedIn(policy="P1", incident_id="Q1", done=True)).having(AskedIn(policy="P2", incident_id="Q2"))
    assert [(a.policy, a.done) for a in done.asked_in] == [("P1", True), ("P2", False)]
    assert done.without("P1").asked("P1") is None
