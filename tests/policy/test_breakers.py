"""Each breaker trips at its limit and not before it, and none of them can be talked out of it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_agent.incident.target import Target
from sre_agent.policy import breakers as rule
from sre_agent.policy.breakers import Attempt, Breaker, Ending, Onset
from sre_agent.policy.decision import Verdict
from sre_agent.policy.syntax import Constant, Operation, policies
from sre_agent.policy.syntax import Path as Read
from sre_agent.runbook.proposal import Proposal

NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)
POD = Target(kind="Pod", namespace="voice", name="gateway-7d4b9c6f5-x2x4z", uid="u")
PLACE = "deployment/voice/gateway"
POLICIES = Path(__file__).parents[2] / "policies"


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def plan(action: str = "restart_pod", target: Target = POD, cause: str = "pod_crash_loop") -> Proposal:
    return Proposal(incident_id="Q1", runbook="r", action=action, target=target, cause=cause)


def attempt(at: datetime, ending: Ending = Ending.HELPED, **changes: str) -> Attempt:
    action = changes.get("action", "restart_pod")
    fields = {"action": action, "place": PLACE, "service": "voice", "pre_state": rule.pre_state(plan(action))}
    return Attempt(**{**fields, **changes}, ending=ending, at=at)


# --- where and what ---


def test_the_pods_of_a_workload_are_one_place_and_so_is_the_workload_itself() -> None:
    other = POD.model_copy(update={"name": "gateway-7d4b9c6f5-bbbbb"})
    workload = Target(kind="Deployment", namespace="voice", name="gateway")
    assert {rule.place_of(t) for t in (POD, other, workload)} == {PLACE}
    assert rule.place_of_key(POD.key) == PLACE
    assert rule.place_of(Target(kind="Pod", namespace="voice", name="lonely")) == "pod/voice/lonely"
    assert (
        rule.place_of(Target(kind="RedisMaster", name="cache")) == rule.place_of_key("RedisMaster/-/cache") == "redismaster/-/cache"
    )


def test_what_was_acted_on_has_a_hash_that_a_new_name_does_not_change_and_without_a_cause_none() -> None:
    renamed = plan(target=POD.model_copy(update={"name": "gateway-7d4b9c6f5-bbbbb", "uid": "v"}))
    assert rule.pre_state(plan()) == rule.pre_state(renamed) != ""
    different = [plan("scale_up"), plan(cause="pod_oom_killed"), plan(target=Target(kind="Node", name="n"))]
    assert len({rule.pre_state(p) for p in (plan(), *different)}) == 4
    assert rule.pre_state(plan(cause="")) == ""


# --- G37 storm ---


def test_three_services_within_five_minutes_are_a_storm_for_ten_minutes_more() -> None:
    def tripped(first: float, last: float) -> bool:
        return rule.many_services(
            [Onset(ago(seconds=first), "a"), Onset(ago(seconds=last), "b"), Onset(ago(seconds=last), "c")], NOW
        )

    assert tripped(299, 0)
    assert not tripped(300, 0)  # not within one window
    assert tripped(15 * 60 - 1, 15 * 60 - 300)
    assert not tripped(15 * 60, 15 * 60 - 1)


def test_two_services_are_no_storm_however_often_they_alert() -> None:
    assert not rule.many_services([Onset(ago(seconds=n), "ab"[n % 2]) for n in range(100)], NOW)


def test_labels_tell_services_apart_that_the_tracker_lumps_together_but_do_not_count_one_twice() -> None:
    def onsets(*named: tuple[str, str]) -> list[Onset]:
        return [Onset(NOW, service, part) for service, part in named]

    assert rule.many_services(onsets(("p", "api"), ("p", "web"), ("p", "db")), NOW)
    assert not rule.many_services(onsets(("p", ""), ("p", "api"), ("q", ""), ("q", "api")), NOW)


def test_a_clock_that_is_ahead_does_not_hide_a_storm() -> None:
    assert rule.many_services([Onset(NOW + timedelta(minutes=n), s) for n, s in enumerate("abc")], NOW)


@pytest.mark.parametrize(
    ("alerting", "existing", "storm"),
    [(1, 1, False), (2, 7, False), (2, 6, True), (3, 10, False), (4, 10, True), (2, 0, True), (6, 20, False), (7, 20, True)],
)
def test_over_thirty_percent_of_a_workloads_pods_are_a_storm_but_one_pod_never_is(alerting, existing, storm) -> None:
    assert rule.many_pods({"x": 0, PLACE: alerting}, {PLACE: existing, "x": 1}) is storm


# --- G43 cooldown ---


def test_five_minutes_after_a_success() -> None:
    for ending in (Ending.HELPED, Ending.UNVERIFIED):
        assert rule.cooling([attempt(ago(seconds=299), ending)], plan(), NOW)
        assert not rule.cooling([attempt(ago(seconds=300), ending)], plan(), NOW)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 60), (2, 120), (3, 240), (4, 480), (5, 600), (50, 600)])
@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.NOTHING])
def test_twice_as_long_after_each_further_failure_up_to_ten_minutes(failures, seconds, ending) -> None:
    def done(last: float) -> list[Attempt]:
        return [attempt(ago(hours=5), Ending.HELPED), *(attempt(ago(seconds=last + n), ending) for n in range(failures))]

    assert rule.cooling(done(seconds - 1), plan(), NOW)
    assert not rule.cooling(done(seconds), plan(), NOW)


def test_another_place_another_action_and_one_in_flight_do_not_cool() -> None:
    others = [attempt(NOW, place="node/-/n"), attempt(NOW, action="scale_up"), attempt(NOW, Ending.OPEN)]
    assert not rule.cooling(others, plan(), NOW)


# --- G44 failures in a row ---


def test_three_failures_in_a_row_for_a_service_block_the_action_there_for_an_hour() -> None:
    def tripped(last: float, *, service: str = "voice", action: str = "restart_pod", between: Ending | None = None) -> bool:
        done = [attempt(ago(seconds=last + n), Ending.FAILED, place=f"pod/voice/{n}") for n in (0, 200, 400)]
        done += [attempt(ago(seconds=last + 100), between)] if between else []
        return rule.failing(done, plan(action), service, NOW)

    assert tripped(3599)
    assert not tripped(3600)
    assert not tripped(60, service="other")
    assert not tripped(60, action="scale_up")
    assert not tripped(60, between=Ending.HELPED)
    assert tripped(60, between=Ending.NOTHING)  # what was not done ends no row
    assert not rule.failing([attempt(NOW, Ending.FAILED)] * 2, plan(), "voice", NOW)


# --- G45 ineffective, G46 ratchet ---


def test_the_same_for_the_same_cause_three_times_within_a_day_is_a_loop() -> None:
    def tripped(*ages: float) -> bool:
        return rule.ineffective([attempt(ago(seconds=s)) for s in ages], plan(), NOW)

    day = 24 * 3600
    assert tripped(3600, 7200, day - 1)
    assert not tripped(3600, 7200, day)
    assert not tripped(3600, 7200)


def test_a_loop_is_counted_by_what_led_to_it_and_what_is_known_not_to_have_been_done_is_none() -> None:
    three = [attempt(ago(hours=n), pre_state="something else") for n in (1, 2, 3)]
    assert not rule.ineffective(three, plan(), NOW)
    assert not rule.ineffective([attempt(ago(hours=n), Ending.NOTHING) for n in (1, 2, 3)], plan(), NOW)
    # Rows from before the hash was written count as the same.
    assert rule.ineffective([attempt(ago(hours=n), pre_state="") for n in (1, 2, 3)], plan(), NOW)


def test_without_a_cause_there_is_nothing_to_count_by_and_that_trips() -> None:
    assert rule.ineffective([], plan(cause=""), NOW)
    assert not rule.ineffective([], plan(), NOW)


def test_a_number_raised_twice_within_a_day_is_a_ratchet() -> None:
    def tripped(*ages: float, action: str = "scale_up", ending: Ending = Ending.HELPED) -> bool:
        return rule.ratcheting([attempt(ago(seconds=s), ending, action=action) for s in ages], plan(action), NOW)

    day = 24 * 3600
    assert tripped(3600, day - 1)
    assert not tripped(3600, day)
    assert not tripped(3600)
    assert not tripped(3600, 7200, ending=Ending.NOTHING)
    assert not tripped(3600, 7200, action="restart_pod")


# --- G47 verifying, G48 flapping ---


def test_nothing_is_done_for_a_service_while_an_earlier_action_for_it_is_watched() -> None:
    watched = [attempt(ago(minutes=4), Ending.UNVERIFIED, action="redis_failover", place="redismaster/-/cache")]
    assert rule.verifying(watched, "voice")
    assert not rule.verifying(watched, "other")
    assert not rule.verifying([attempt(NOW, Ending.HELPED), attempt(NOW, Ending.FAILED)], "voice")


def test_an_alert_that_began_three_times_within_an_hour_flaps() -> None:
    def tripped(*ages: float, identity: str = "key voice RedisSlow") -> bool:
        began = [Onset(ago(seconds=s), "voice", identities=frozenset({identity, f"incident {s}"})) for s in ages]
        return rule.flapping(began, {"key voice RedisSlow", "incident Q1"}, NOW)

    assert tripped(0, 1800, 3599)
    assert not tripped(0, 1800, 3600)
    assert not tripped(0, 1800)
    assert not tripped(0, 0, 0)  # one moment, told three times
    assert not tripped(0, 1800, 3599, identity="key voice Other")


# --- the policies ---


def test_every_breaker_has_a_policy_and_every_policy_about_breakers_knows_its_own() -> None:
    asked = [
        operand.value
        for policy in policies((POLICIES / "deny_breakers.cedar").read_text())
        for node in policy.nodes
        if isinstance(node, Operation) and node.name == "contains" and Read(("context", "facts", "breakers")) in node.operands
        for operand in node.operands
        if isinstance(operand, Constant)
    ]
    assert sorted(asked) == sorted(Breaker)


def test_the_numbers_in_the_reasons_are_those_of_the_code(bundle) -> None:
    def numbers(rule_id: str) -> list[int]:
        return [int(n) for n in re.findall(r"\d+", bundle.rules[rule_id].reason)]

    assert numbers("deny-storm") == [
        rule.STORM_SERVICES,
        rule.STORM_WINDOW.seconds // 60,
        rule.STORM_PODS_PCT,
        rule.STORM_CALM.seconds // 60,
    ]
    minutes = (rule.COOLDOWN_AFTER_SUCCESS, rule.COOLDOWN_FIRST, rule.COOLDOWN_MOST)
    assert numbers("deny-cooldown") == [m.seconds // 60 for m in minutes]
    assert (numbers("deny-block-after-failures"), rule.BLOCKED_FOR) == ([rule.FAILURES_IN_A_ROW], timedelta(hours=1))
    assert (numbers("deny-ineffective"), rule.LOOP_WINDOW) == ([rule.SAME_STATE_TIMES], timedelta(days=1))
    assert (numbers("deny-flapping"), rule.FLAP_WINDOW) == ([rule.FLAPS], timedelta(hours=1))
    assert ("twice" in bundle.rules["deny-ratchet"].reason, rule.RAISES) == (True, 2)


def test_the_page_about_policies_explains_every_breaker() -> None:
    page = (POLICIES.parent / "docs" / "policies.md").read_text()
    assert [b for b in Breaker if f"\n| `{b}` | " not in page] == []


@settings(deadline=None, derandomize=True, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.sampled_from(["good-restart", "good-failover", "good-scale-up", "good-rollback", "good-cordon"]),
    some=st.sets(st.sampled_from(Breaker)),
    more=st.sets(st.sampled_from([*(b.value for b in Breaker), "one-nobody-knows"])),
)
def test_one_more_breaker_never_gives_more_room(base, some, more, guard, make) -> None:
    def cost(tripped: set[str]) -> int:
        decision = guard.decide(make(base, **{"facts.breakers": sorted(tripped)}))
        return {Verdict.ALLOW: 0, Verdict.NEEDS_APPROVAL: decision.approvals_required or 9}.get(decision.verdict, 9)

    assert cost({*some, *more}) >= cost(set(some))
    assert (cost(set(some)) == 9) is bool(some - {Breaker.HUMAN_ACTIVITY})
