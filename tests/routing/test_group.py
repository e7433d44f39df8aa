"""Which alerts are one incident."""

from sre_agent.routing.file import Routing
from sre_agent.routing.group import LONGEST, group_of

ROUTING = Routing()


def test_a_tools_alerts_are_one_group_for_each_tool() -> None:
    crm = {"alert_type": "tool", "tool_name": "crm"}
    assert group_of({**crm, "alertname": "A"}, ROUTING) == group_of({**crm, "alertname": "B"}, ROUTING) == 'tool:tool_name="crm"'
    assert group_of({**crm, "tool_name": "calendar"}, ROUTING) != group_of(crm, ROUTING)


def test_tools_without_a_name_have_nothing_in_common() -> None:
    groups = {group_of({"alert_type": "tool", "alertname": name, "tool_name": ""}, ROUTING) for name in "AB"}
    assert groups == {'tool:alertname="A"', 'tool:alertname="B"'}


def test_a_class_is_part_of_the_group_and_only_an_exact_one_counts() -> None:
    groups = {group_of({"alertname": "A", "alert_type": t}, ROUTING) for t in ("infra", "model", "Infra ", "INFRA", "")}
    assert groups == {'infra:alertname="A"', 'model:alertname="A"', 'unknown:alertname="A"'}


def test_no_value_can_look_like_another_label() -> None:
    forged = group_of({"alert_type": "infra", "alertname": 'A",namespace="voice'}, ROUTING)
    assert forged != group_of({"alert_type": "infra", "alertname": "A", "namespace": "voice"}, ROUTING)


def test_a_long_group_is_bounded_and_still_tells_apart() -> None:
    groups = {group_of({"alert_type": "infra", "alertname": "x" * 5000 + end}, ROUTING) for end in "ab"}
    assert len(groups) == 2
    assert all(len(g) <= LONGEST for g in groups)


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert group_of({"alert_type": "infra", "alertname": "\ud800" * 1000}, ROUTING)


def test_the_page_and_the_ticket_of_one_objective_are_one_group() -> None:
    burn = {"alert_type": "infra", "namespace": "voice", "slo": "voice-gateway"}
    groups = {group_of({**burn, "alertname": name}, ROUTING) for name in ("VoiceGatewayBurnRatePage", "VoiceGatewayBurnRateTicket")}
    assert groups == {'infra:slo="voice-gateway",namespace="voice"'}
