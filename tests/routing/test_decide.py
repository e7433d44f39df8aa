"""The decision itself: what the walk's scripts do not reach. The boundaries through the whole walk are in tests/path."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.policy.load import load_bundle
from sre_agent.routing.decide import decide
from sre_agent.routing.file import Escalation, Route, Routing
from sre_agent.routing.memory import Memory
from sre_agent.routing.remember import remembered
from sre_agent.routing.routed import Notify, Routed
from sre_agent.routing.rule import RULES
from sre_agent.routing.signals import severity_of, signals_of, usable_ratio

ROUTING = load_bundle(Path(__file__).parents[2] / "policies").declared.ownership
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
INFRA = {"alertname": "RedisSlow", "alert_type": "infra"}
MODEL = {"alertname": "Worse", "alert_type": "model"}


def alert(labels: dict[str, str], start_s: float = 0, end_s: float | None = None, **annotations: str) -> Alert:
    return Alert(
        labels=labels,
        annotations=annotations,
        status=AlertStatus.FIRING if end_s is None else AlertStatus.RESOLVED,
        starts_at=NOON + timedelta(seconds=start_s),
        ends_at=None if end_s is None else NOON + timedelta(seconds=end_s),
    )


def decided(*alerts: Alert, routing: Routing = ROUTING, memory: Memory | None = None, after: float = 0) -> Routed:
    now = NOON + timedelta(seconds=after)
    known = remembered(memory or Memory(), alerts, routing, now)
    return decide(alerts, signals_of(alerts, routing), routing, known, now)


LABELS = st.dictionaries(
    st.sampled_from(["alert_type", "alertname", "plan", "severity", "vertical", "tool_name", "signal", "cost_ratio"]),
    st.one_of(
        st.sampled_from(["infra", "model", "tool", "Infra ", "INFRA", "", "1499", "499", "149", "sev1", "healthcare", "cost"]),
        st.text(max_size=12),
    ),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(LABELS, st.booleans(), st.integers(-5000, 5000)), max_size=4), st.integers(0, 10_000))
def test_may_act_is_never_said_unless_every_alert_is_exactly_infra(told, after: int) -> None:
    alerts = [alert(labels, start, None if firing else start + 60) for labels, firing, start in told]
    found = decided(*alerts, after=after)
    if found.may_act:
        assert alerts
        assert {a.labels.get("alert_type") for a in alerts} == {"infra"}
    assert found.receiver in ROUTING.receivers
    assert (found.until is None) == (found.notify not in (Notify.HOLD, Notify.DIGEST))
    assert all(rule.partition(":")[0] in RULES for rule in found.rule_ids)
    assert found.rule_ids
    assert found.reasons


def test_infra_is_never_held_whatever_the_file_is_made_to_say_by_hand() -> None:
    held = ROUTING.model_copy(update={"holds": {**ROUTING.holds, "infra": 600.0}})
    assert decided(alert(INFRA), routing=held).notify is Notify.PAGE


def test_no_alerts_at_all_are_nobodys_and_go_to_the_default_receiver() -> None:
    found = decided()
    assert (found.receiver, found.notify, found.may_act) == ("default", Notify.PAGE, False)


def test_a_route_may_choose_a_receiver_and_an_owner_and_the_first_one_wins() -> None:
    routes = (
        Route(id="db", matchers=('alertname=~"Postgres.*"',), receiver="pd-platform", owner="dba"),
        Route(id="all", matchers=('alert_type="infra"',), receiver="pd-platform", owner="sre"),
    )
    routing = ROUTING.model_copy(update={"routes": routes})
    assert decided(alert({"alertname": "PostgresDown", "alert_type": "infra"}), routing=routing).owner == "dba"
    assert decided(alert(INFRA), routing=routing).owner == "sre"
    assert "route:all" in decided(alert(INFRA), routing=routing).rule_ids


def test_a_route_to_another_class_receiver_is_ignored_and_said() -> None:
    routing = ROUTING.model_copy(update={"routes": (Route(id="x", matchers=('alertname="Worse"',), receiver="pd-platform"),)})
    found = decided(alert(MODEL), routing=routing)
    assert (found.receiver, "route_refused" in found.flags) == ("pd-ai-eng", True)
    assert "route-refused:x" in found.rule_ids


def test_a_route_says_nothing_about_alerts_without_a_class() -> None:
    routing = ROUTING.model_copy(update={"routes": (Route(id="x", matchers=('alertname="Odd"',), receiver="pd-platform"),)})
    assert decided(alert({"alertname": "Odd"}), routing=routing).receiver == "default"


def test_escalations_that_lead_in_a_ring_end() -> None:
    ring = (Escalation(id="a", severities=("sev1",), to=("b", "ceo")), Escalation(id="b", severities=("sev5",), to=("a", "cto")))
    found = decided(alert({**INFRA, "severity": "sev1"}), routing=ROUTING.model_copy(update={"escalations": ring}))
    assert found.escalate_to == ("cto", "ceo")


def test_the_file_refuses_escalations_in_a_ring() -> None:
    ring = (Escalation(id="a", to=("b",)), Escalation(id="b", to=("a",)))
    wrong = [message for _, message, _ in ROUTING.model_copy(update={"escalations": ring}).problems(None)]
    assert wrong == ["the escalation 'a' leads back to itself", "the escalation 'b' leads back to itself"]


def test_the_file_refuses_a_hold_for_infra_two_receivers_of_one_service_and_more_than_six_verticals() -> None:
    odd = ROUTING.model_copy(update={"holds": {"infra": 60.0}, "services": {"pd-platform": "P1", "pd-ai-eng": "P1"}})
    wrong = " ".join(message for _, message, _ in odd.problems(None))
    assert "infra alerts are not held" in wrong
    assert wrong.count("one service per team") == 2
    with pytest.raises(ValueError, match="verticals"):
        Routing(verticals={f"v{n}": None for n in range(7)})


def test_an_unknown_plan_holds_nothing_back_and_is_said() -> None:
    found = decided(alert({**MODEL, "plan": "gold"}), after=181)
    assert (found.notify, "unknown_plan" in found.flags) == (Notify.PAGE, True)


@pytest.mark.parametrize("name", ["499", "business", "Business"])
def test_a_plan_is_known_by_its_price_and_by_its_name(name: str) -> None:
    late = NOON + timedelta(hours=12)
    told = (alert({**MODEL, "plan": name}),)
    found = decide(told, signals_of(told, ROUTING), ROUTING, remembered(Memory(), told, ROUTING, late), late)
    assert (found.notify, found.until) == (Notify.HOLD, datetime(2026, 3, 5, 9, 0, tzinfo=UTC))


def test_a_hold_that_ends_after_closing_time_waits_for_the_next_opening() -> None:
    start = datetime(2026, 3, 4, 17, 58, tzinfo=UTC)
    told = (Alert(labels={**MODEL, "plan": "499"}, starts_at=start),)
    found = decide(told, signals_of(told, ROUTING), ROUTING, remembered(Memory(), told, ROUTING, start), start)
    assert (found.notify, found.until) == (Notify.HOLD, datetime(2026, 3, 5, 9, 0, tzinfo=UTC))


def test_hours_that_never_begin_make_an_email() -> None:
    closed = ROUTING.model_copy(update={"business_hours": ROUTING.business_hours.model_copy(update={"days": ()})})
    assert decided(alert({**MODEL, "plan": "499"}), routing=closed).notify is Notify.EMAIL


def test_a_cost_alert_above_its_limit_is_still_an_email_for_trial_customers() -> None:
    assert decided(alert({**MODEL, "signal": "cost", "plan": "149"}, cost_ratio="9")).notify is Notify.EMAIL


@pytest.mark.parametrize("told", ["0", "-1", "", "NaN", "inf", "many", None])
def test_no_usable_ratio_is_no_baseline(told: object) -> None:
    assert usable_ratio(told) is None


@pytest.mark.parametrize(
    ("told", "is_"),
    [("SEV1", "sev1"), ("sev-2", "sev2"), ("P3", "sev3"), (1, "sev1"), ("page", ""), ("critical", ""), (True, "")],
)
def test_a_severity_is_read_however_it_is_written_and_never_guessed(told: object, is_: str) -> None:
    assert severity_of(told) == is_


def test_what_begins_again_and_again_flaps_until_it_was_quiet_for_the_window() -> None:
    memory, at = Memory(), 0
    for _ in range(3):
        memory = remembered(memory, [alert(MODEL, at)], ROUTING, NOON + timedelta(seconds=at))
        memory = remembered(memory, [alert(MODEL, at, at + 120)], ROUTING, NOON + timedelta(seconds=at + 120))
        at += 180
    assert memory.flapping
    assert remembered(memory, [alert(MODEL, 360, 480)], ROUTING, NOON + timedelta(seconds=480 + 899)).flapping
    assert not remembered(memory, [alert(MODEL, 360, 480)], ROUTING, NOON + timedelta(seconds=480 + 901)).flapping


HEALTHCARE = {**MODEL, "vertical": "healthcare"}


def test_what_ended_says_nothing_about_who_is_woken_for_what_still_fires() -> None:
    over = alert({**HEALTHCARE, "severity": "sev1", "plan": "1499"}, 0, 60)
    found = decided(over, alert({**HEALTHCARE, "severity": "sev2", "plan": "149"}), after=181)
    assert (found.notify, found.escalate_to) == (Notify.EMAIL, ())


def test_after_an_email_a_page_is_still_due_for_whom_people_may_be_woken() -> None:
    mailed = Memory().mailed(NOON)
    assert decided(alert({**MODEL, "plan": "149"}), memory=mailed, after=181).notify is Notify.NONE
    both = (alert({**MODEL, "plan": "149"}), alert({**MODEL, "plan": "1499"}))
    assert decided(*both, memory=mailed, after=181).notify is Notify.PAGE


def test_an_incident_that_becomes_worse_after_its_page_tells_only_who_was_not_told() -> None:
    memory = Memory().paged(("pd-ai-eng",), NOON)
    worse = decided(alert({**HEALTHCARE, "severity": "sev1"}), memory=memory, after=600)
    assert (worse.notify, worse.escalate_to, "escalation-raised" in worse.rule_ids) == (Notify.PAGE, ("ceo",), True)
    assert decided(alert({**HEALTHCARE, "severity": "sev1"}), memory=memory.paged(("ceo",), NOON), after=600).notify is Notify.NONE
    assert decided(alert({**HEALTHCARE, "severity": "sev2"}), memory=memory, after=600).notify is Notify.NONE
    elsewhere = Memory(paged_at=NOON)
    assert decided(alert({**HEALTHCARE, "severity": "sev1"}), memory=elsewhere, after=600).notify is Notify.NONE


def test_an_escalation_holds_for_the_alert_that_it_names_and_not_for_another_ones_severity() -> None:
    crm = {"alertname": "CrmErrors", "alert_type": "tool", "tool_name": "crm"}
    sales, care = {**crm, "vertical": "sales"}, {**crm, "vertical": "healthcare"}
    assert decided(alert({**sales, "severity": "sev1"}), alert({**care, "severity": "sev2"})).escalate_to == ()
    assert decided(alert({**sales, "severity": "sev2"}), alert({**care, "severity": "sev1"})).escalate_to == ("ceo",)


def test_one_alert_about_an_objective_is_enough_beside_others_of_its_incident() -> None:
    ftl = {"alertname": "FTLp95High", "alert_type": "model", "vertical": "healthcare"}
    found = decided(alert(ftl), alert({**ftl, "vertical": "sales"}))
    assert (found.notify, found.rule_ids) == (Notify.PAGE, ("class-model", "vertical-objective:healthcare-ftl"))


@pytest.mark.parametrize(
    ("labels", "start"),
    [((INFRA,), 61), (({**INFRA, "plan": "499"}, {**INFRA, "plan": "149"}), 0), (({**INFRA, "signal": "cost"},), 0)],
)
def test_infra_with_something_odd_about_it_may_not_be_acted_on(labels: tuple[dict[str, str], ...], start: int) -> None:
    found = decided(*(alert(one, start) for one in labels))
    assert (found.receiver, found.may_act) == ("pd-platform", False)
    assert found.flags


def test_a_pod_of_the_cost_service_that_crashes_is_no_cost_alert() -> None:
    assert decided(alert({"alertname": "CostServicePodCrashLooping", "alert_type": "infra"})).notify is Notify.PAGE
    assert decided(alert({"alertname": "CostSpike", "alert_type": "model"})).notify is Notify.DIGEST


def test_a_rule_that_asks_for_a_ticket_wakes_nobody_unless_another_of_the_incident_pages() -> None:
    ticket, page = alert({**INFRA, "severity": "ticket"}), alert({**INFRA, "severity": "page"})
    assert decided(ticket).notify is Notify.EMAIL
    assert decided(ticket, page).notify is Notify.PAGE
    assert decided(alert({"alertname": "Odd", "severity": "ticket"})).notify is Notify.PAGE  # nobody's: somebody must look
