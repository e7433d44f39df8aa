"""Every rule and boundary of who is woken, when, and who may act: through the whole walk, with the clock in our hand."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.incident.alert import AlertClass
from sre_agent.response.record import State
from sre_agent.routing.routed import Notify
from tests.path.doors import alert, told
from tests.path.routing_scene import ROUTING, SATURDAY_NOON, WEDNESDAY_3AM, WEDNESDAY_NOON, Scene, nothing_found

MODEL = {"alertname": "IntentAccuracyDrop", "alert_type": "model", "prompt": "intent-router"}
INFRA = {"alertname": "RedisLatencyHigh", "alert_type": "infra", "redis_master": "cache"}
FTL = {"alertname": "FTLp95High", "alert_type": "model", "vertical": "healthcare"}
COST = {"alertname": "LLMCostSpike", "alert_type": "model"}


# classes and owners


async def test_infra_goes_to_the_platform_at_once_and_alone_may_be_acted_on() -> None:
    scene = Scene(WEDNESDAY_3AM, INFRA)
    record = await scene.fires()
    assert (scene.paged, record.routed.owner, record.routed.may_act) == (["pd-platform"], "platform", True)
    assert record.state is State.AWAITING_APPROVAL


async def test_replica_lag_has_no_action_and_is_investigated_and_paged() -> None:
    scene = Scene(WEDNESDAY_3AM, {"alertname": "PostgresReplicaLag", "alert_type": "infra"}, nothing_found)
    record = await scene.fires()
    assert (scene.paged, record.state, record.proposal) == (["pd-platform"], State.HANDED_BACK, None)
    assert record.diagnosis is not None


async def test_a_model_regression_goes_to_who_owns_the_prompt_and_is_never_acted_on() -> None:
    scene = Scene(WEDNESDAY_NOON, MODEL)
    record = await scene.fires()
    assert (record.routed.receiver, record.routed.owner, record.routed.may_act) == ("pd-ai-eng", "ai-eng", False)
    assert (record.state, record.proposal, record.approval_id) == (State.HANDED_BACK, None, None)


async def test_latency_that_its_rule_tags_model_is_a_model_alert_whatever_it_looks_like() -> None:
    scene = Scene(WEDNESDAY_NOON, {"alertname": "LatencyHigh", "alert_type": "model", "redis_master": "cache"})
    record = await scene.fires()
    assert (record.routed.alert_class, record.state, scene.walk.action.effects) == (AlertClass.MODEL, State.HANDED_BACK, 0)


@pytest.mark.parametrize(("tool", "name"), [("crm", "CrmServerErrors"), ("calendar", "CalendarRateLimited"), ("sms", "SmsDown")])
async def test_a_tool_goes_to_its_integrations_owner_by_tool_name_and_is_never_acted_on(tool: str, name: str) -> None:
    scene = Scene(WEDNESDAY_3AM, {"alertname": name, "alert_type": "tool", "tool_name": tool, "vertical": "real_estate"})
    record = await scene.fires()
    assert (scene.paged, record.routed.owner) == (["pd-integration-owners"], tool)
    assert (record.state, record.routed.may_act) == (State.HANDED_BACK, False)


@pytest.mark.parametrize("value", [None, "", "Infra ", "INFRA", "infrastructure", "infra\n", "ınfra"])
async def test_what_is_not_exactly_a_class_goes_to_the_default_receiver_flagged_and_is_never_acted_on(value: str | None) -> None:
    labels = {"alertname": "RedisLatencyHigh", "redis_master": "cache", **({} if value is None else {"alert_type": value})}
    scene = Scene(WEDNESDAY_3AM, labels)
    record = await scene.fires()
    assert (scene.paged, record.routed.alert_class) == (["default"], AlertClass.UNKNOWN)
    assert record.routed.flags
    assert (record.state, record.routed.may_act, scene.walk.action.effects) == (State.HANDED_BACK, False, 0)


async def test_an_empty_tool_name_names_no_owner_and_is_its_own_incident() -> None:
    scene = Scene(WEDNESDAY_NOON, {"alertname": "ToolDown", "alert_type": "tool", "tool_name": ""})
    record = await scene.fires()
    assert (record.routed.receiver, record.routed.owner) == ("pd-integration-owners", "default")


async def test_an_alert_reaches_exactly_one_receiver() -> None:
    scene = Scene(WEDNESDAY_NOON, {**FTL, "tool_name": "crm", "redis_master": "cache", "plan": "1499"})
    await scene.fires()
    await scene.passes(900)
    assert len(set(scene.paged)) == 1


# verticals


@pytest.mark.parametrize(
    ("ms", "after_s", "woken"),
    [("801", 299, []), ("801", 300, ["pd-ai-eng"]), ("800", 300, []), ("800", 3600, []), ("800.5", 300, ["pd-ai-eng"])],
)
async def test_healthcare_first_token_latency_pages_above_800_ms_for_five_minutes(ms: str, after_s: int, woken: list[str]) -> None:
    scene = Scene(WEDNESDAY_NOON, FTL, value=ms, unit="ms")
    await scene.fires()
    await scene.passes(after_s)
    await scene.fires()
    assert scene.paged == woken


async def test_healthcare_first_token_latency_whose_rule_waited_five_minutes_pages_as_it_arrives() -> None:
    scene = Scene(WEDNESDAY_NOON, FTL, value="801", unit="ms", **{"for": "5m"})
    await scene.fires()
    assert scene.paged == ["pd-ai-eng"]


@pytest.mark.parametrize(("severity", "told_too"), [("sev1", ["ceo"]), ("SEV1", ["ceo"]), ("sev2", []), ("", [])])
async def test_a_healthcare_sev1_reaches_the_ceo_too_and_a_sev2_does_not(severity: str, told_too: list[str]) -> None:
    scene = Scene(WEDNESDAY_3AM, {**FTL, "severity": severity}, value="900", unit="ms", **{"for": "5m"})
    await scene.fires()
    assert scene.paged == ["pd-ai-eng", *told_too]


async def test_a_pod_that_crash_loops_in_healthcare_is_the_platforms() -> None:
    labels = {"alertname": "PodCrashLooping", "alert_type": "infra", "vertical": "healthcare", "namespace": "voice", "pod": "p-1"}
    scene = Scene(WEDNESDAY_3AM, labels, nothing_found)
    await scene.fires()
    assert scene.paged == ["pd-platform"]


@pytest.mark.parametrize(
    ("vertical", "name", "alert_type", "receiver"),
    [
        ("sales", "WebSocketBackpressure", "infra", "pd-platform"),
        ("after_hours", "QueueDepthHigh", "infra", "pd-platform"),
        ("after_hours", "JobModelErrors", "model", "pd-ai-eng"),
        ("slot_5", "Anything", "infra", "pd-platform"),
    ],
)
async def test_each_verticals_alerts_go_by_their_class(vertical: str, name: str, alert_type: str, receiver: str) -> None:
    scene = Scene(WEDNESDAY_NOON, {"alertname": name, "alert_type": alert_type, "vertical": vertical}, nothing_found)
    await scene.fires()
    await scene.passes(181)
    assert scene.paged == [receiver]


# who may be woken


@pytest.mark.parametrize("start", [WEDNESDAY_3AM, SATURDAY_NOON, WEDNESDAY_NOON])
async def test_enterprise_customers_have_the_engineers_woken_at_any_hour(start: datetime) -> None:
    scene = Scene(start, {**MODEL, "plan": "1499"})
    await scene.fires()
    await scene.passes(181)
    assert scene.paged == ["pd-ai-eng"]


@pytest.mark.parametrize(
    ("start", "opening"),
    [
        (datetime(2026, 3, 4, 3, 0, tzinfo=UTC), datetime(2026, 3, 4, 9, 0, tzinfo=UTC)),
        (datetime(2026, 3, 4, 8, 50, tzinfo=UTC), datetime(2026, 3, 4, 9, 0, tzinfo=UTC)),
        (datetime(2026, 3, 4, 18, 0, tzinfo=UTC), datetime(2026, 3, 5, 9, 0, tzinfo=UTC)),
        (datetime(2026, 3, 6, 18, 0, tzinfo=UTC), datetime(2026, 3, 9, 9, 0, tzinfo=UTC)),
        (datetime(2026, 3, 7, 12, 0, tzinfo=UTC), datetime(2026, 3, 9, 9, 0, tzinfo=UTC)),
        (datetime(2026, 3, 8, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 9, 9, 0, tzinfo=UTC)),
    ],
)
async def test_business_customers_wait_for_the_next_opening_and_then_page(start: datetime, opening: datetime) -> None:
    scene = Scene(start, {**MODEL, "plan": "499"})
    record = await scene.fires()
    assert record.state is State.HANDED_BACK  # annotated at once
    await scene.until(opening - timedelta(seconds=1))
    assert scene.paged == []
    await scene.until(opening + timedelta(seconds=1))
    assert scene.paged == ["pd-ai-eng"]
    await scene.passes(3600)
    assert scene.paged == ["pd-ai-eng"]


async def test_within_business_hours_business_customers_page_like_others() -> None:
    scene = Scene(WEDNESDAY_NOON, {**MODEL, "plan": "499"})
    await scene.fires()
    await scene.passes(181)
    assert scene.paged == ["pd-ai-eng"]


async def test_what_recovers_before_the_opening_wakes_nobody() -> None:
    scene = Scene(WEDNESDAY_3AM, {**MODEL, "plan": "499"})
    await scene.fires()
    await scene.passes(3600)
    await scene.clears()
    await scene.until(WEDNESDAY_3AM + timedelta(days=1))
    assert (scene.paged, scene.mailed) == ([], [])


@pytest.mark.parametrize("start", [WEDNESDAY_3AM, WEDNESDAY_NOON])
async def test_trial_customers_are_an_email_only(start: datetime) -> None:
    scene = Scene(start, {**MODEL, "plan": "149"})
    await scene.fires()
    await scene.passes(7200)
    assert (scene.paged, scene.mailed) == ([], ["pd-ai-eng"])


@pytest.mark.parametrize("plan", ["1499", "499", "149", "affiliate"])
async def test_a_plan_never_holds_back_the_platform(plan: str) -> None:
    scene = Scene(WEDNESDAY_3AM, {**INFRA, "plan": plan})
    await scene.fires()
    assert scene.paged == ["pd-platform"]


async def test_a_healthcare_page_for_a_business_customer_at_three_at_night_is_sent() -> None:
    scene = Scene(WEDNESDAY_3AM, {**FTL, "plan": "499"}, value="801", unit="ms", **{"for": "5m"})
    record = await scene.fires()
    assert (scene.paged, record.state) == (["pd-ai-eng"], State.HANDED_BACK)


async def test_two_plans_on_one_incident_wake_by_the_one_that_allows_it() -> None:
    scene = Scene(WEDNESDAY_3AM, {**MODEL, "plan": "149"})
    other = alert({**MODEL, "plan": "1499"}, 0, None, scene.start)
    await scene.walk.tell(told([alert({**MODEL, "plan": "149"}, 0, None, scene.start), other], ROUTING))
    await scene.passes(181)
    assert scene.paged == ["pd-ai-eng"]
    assert "several_plans" in (await scene.record()).routed.flags


# noise


@pytest.mark.parametrize(("seconds", "pages"), [(179, 0), (180, 0), (181, 1)])
async def test_a_model_alert_pages_after_three_minutes_and_not_before(seconds: int, pages: int) -> None:
    scene = Scene(WEDNESDAY_NOON, MODEL)
    await scene.fires()
    await scene.passes(seconds)
    await scene.clears()
    await scene.passes(3600)
    assert len(scene.paged) == pages


async def test_a_model_alert_that_flaps_pages_at_most_once_and_says_so() -> None:
    scene = Scene(WEDNESDAY_NOON, MODEL)
    for _ in range(12):
        scene.start = scene.walk.clock.now()
        await scene.fires()
        await scene.passes(120)
        await scene.clears()
        await scene.passes(60)
    assert len(scene.paged) <= 1
    assert any("flapping" in e.text for e in (await scene.record()).timeline)


@pytest.mark.parametrize(
    ("ratio", "pages", "digests"), [("4.9", 0, 1), ("5.0", 0, 1), ("5.01", 1, 0), ("0", 0, 1), ("", 0, 1), ("NaN", 0, 1)]
)
async def test_a_cost_spike_waits_for_the_digest_unless_it_exceeds_five_times_its_baseline(
    ratio: str, pages: int, digests: int
) -> None:
    scene = Scene(WEDNESDAY_NOON, COST, cost_ratio=ratio)
    await scene.fires()
    await scene.passes(3601)
    assert (len(scene.paged), len(scene.mailed)) == (pages, digests)


async def test_a_cost_spike_without_a_baseline_says_so() -> None:
    scene = Scene(WEDNESDAY_NOON, COST, cost_ratio="0")
    record = await scene.fires()
    assert (record.routed.notify, "no_baseline" in record.routed.flags) == (Notify.DIGEST, True)


# odd input


async def test_an_alert_of_the_future_is_taken_as_of_now_and_is_never_acted_on_for_it() -> None:
    scene = Scene(WEDNESDAY_NOON, MODEL)
    scene.start = WEDNESDAY_NOON + timedelta(days=2)
    record = await scene.fires()
    assert (record.routed.notify, record.routed.may_act) == (Notify.HOLD, False)
    await scene.passes(182)
    assert scene.paged == ["pd-ai-eng"]


async def test_infra_of_the_future_wakes_the_platform_and_is_never_acted_on() -> None:
    scene = Scene(WEDNESDAY_NOON, INFRA)
    scene.start = WEDNESDAY_NOON + timedelta(days=2)
    record = await scene.fires()
    assert (scene.paged, record.routed.may_act, record.state) == (["pd-platform"], False, State.HANDED_BACK)
    assert (record.proposal, scene.walk.action.effects) == (None, 0)


async def test_infra_of_two_plans_wakes_the_platform_and_is_never_acted_on() -> None:
    scene = Scene(WEDNESDAY_NOON, INFRA)
    both = [alert({**INFRA, "plan": plan}, 0, None, scene.start) for plan in ("149", "1499")]
    await scene.walk.tell(told(both, ROUTING))
    record = await scene.record()
    assert (scene.paged, record.routed.may_act, record.state) == (["pd-platform"], False, State.HANDED_BACK)


async def test_an_email_for_trial_customers_keeps_no_page_for_enterprise_ones_back() -> None:
    scene = Scene(WEDNESDAY_NOON, {**MODEL, "plan": "149"})
    await scene.fires()
    await scene.passes(200)
    assert (scene.paged, scene.mailed) == ([], ["pd-ai-eng"])
    scene.labels = {**MODEL, "plan": "1499"}
    await scene.fires()
    await scene.passes(200)
    await scene.fires()
    assert (scene.paged, scene.mailed) == (["pd-ai-eng"], ["pd-ai-eng"])


async def test_an_incident_that_becomes_a_sev1_after_its_page_reaches_the_ceo_and_wakes_nobody_twice() -> None:
    scene = Scene(WEDNESDAY_NOON, {**MODEL, "vertical": "healthcare", "severity": "sev2"})
    await scene.fires()
    await scene.passes(200)
    assert scene.paged == ["pd-ai-eng"]
    scene.labels = {**scene.labels, "severity": "sev1"}
    for _ in range(2):
        await scene.fires()
        await scene.passes(60)
    assert scene.paged == ["pd-ai-eng", "ceo"]
    assert (await scene.record()).page.receivers == ("pd-ai-eng", "ceo")


async def test_every_decision_is_on_the_timeline_with_its_rules_and_outlives_a_restart() -> None:
    scene = Scene(WEDNESDAY_3AM, {**MODEL, "plan": "499"})
    record = await scene.fires()
    (told_,) = [e.text for e in record.timeline if e.kind == "incident_routed"]
    assert all(rule in told_ for rule in record.routed.rule_ids)
    assert record.routed.rule_ids
    stored = type(record).model_validate_json(record.model_dump_json())
    assert stored.routed == record.routed
