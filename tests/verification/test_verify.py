"""Recovery is claimed only when everything needed was seen to be well, without a break, for the soak."""

from datetime import UTC, datetime, timedelta

from sre_agent.verification.verify import Recovery, Sample, VerificationPlan, shortfall, verify

T0 = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
PLAN = VerificationPlan(started_at=T0, below=0.25, unit="s", level_before=0.6, soak_s=60, within_s=120)


def look(second: float, level: float | None = 0.01, firing: bool | None = False, ok: bool | None = True) -> Sample:
    return Sample(at=T0 + timedelta(seconds=second), level=level, alert_firing=firing, state_ok=ok)


def judged(*samples: Sample, at: float) -> Recovery:
    return verify(PLAN, samples, T0 + timedelta(seconds=at))


def test_a_full_soak_of_good_looks_is_recovered() -> None:
    assert judged(*(look(s) for s in range(0, 61, 10)), at=60) is Recovery.RECOVERED


def test_one_second_short_of_the_soak_is_undecided() -> None:
    assert judged(look(0), look(59), at=59) is Recovery.UNDECIDED


def test_a_single_bad_look_starts_the_soak_again() -> None:
    looks = [look(0), look(30), look(40, level=0.9), look(50), look(100)]
    assert judged(*looks, at=100) is Recovery.UNDECIDED
    assert judged(*looks, look(110), at=110) is Recovery.RECOVERED


def test_a_level_under_the_objective_but_worse_than_before_is_not_good() -> None:
    plan = PLAN.model_copy(update={"level_before": 0.005})
    assert verify(plan, (look(0), look(70)), T0 + timedelta(seconds=121)) is Recovery.NOT_RECOVERED


def test_an_alert_that_still_fires_is_not_recovered() -> None:
    assert judged(*(look(s, firing=True) for s in (0, 60, 119)), at=121) is Recovery.NOT_RECOVERED


def test_never_having_been_able_to_look_is_unknown_and_not_recovered() -> None:
    assert judged(look(0, level=None), look(119, level=None), at=121) is Recovery.UNKNOWN
    assert judged(at=121) is Recovery.UNKNOWN


def test_a_look_that_could_not_tell_never_counts_as_good() -> None:
    for blind in (look(30, level=None), look(30, firing=None), look(30, ok=None)):
        assert judged(look(0), blind, look(61), at=61) is Recovery.UNDECIDED


def test_a_streak_that_began_in_time_may_finish_its_soak() -> None:
    assert judged(look(0, ok=False), look(110), look(160), at=160) is Recovery.UNDECIDED
    assert judged(look(0, ok=False), look(110), look(170), at=170) is Recovery.RECOVERED


def test_without_an_objective_state_and_alert_decide() -> None:
    plan = PLAN.model_copy(update={"below": None, "level_before": None})
    assert verify(plan, (look(0, level=None), look(60, level=None)), T0 + timedelta(seconds=60)) is Recovery.RECOVERED


def test_all_that_keeps_a_look_from_being_good_is_said_and_a_good_one_lacks_nothing() -> None:
    assert shortfall(look(0), PLAN) == ()
    assert shortfall(look(0, firing=True), PLAN) == ("the alert still fires",)
    assert shortfall(look(0, level=None, firing=None, ok=False), PLAN) == (
        "nobody could tell whether the alert still fires",
        "the target is not as it should be",
        "the service level could not be measured",
    )
    assert shortfall(look(0, level=0.3), PLAN) == ("the service level should be below 0.25",)
    assert shortfall(look(0), PLAN.model_copy(update={"level_before": 0.01})) == ("the service level is no better than before",)
    assert shortfall(look(0, level=None), PLAN.model_copy(update={"below": None})) == ()
