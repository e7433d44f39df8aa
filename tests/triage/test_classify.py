"""Class and owner from labels: exact, over all alerts, unknown in every doubt."""

from datetime import UTC, datetime

import pytest

from sre_agent.incident.alert import Alert, AlertClass, AlertStatus
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.triage.classify import triage
from sre_agent.triage.ownership import Ownership

OWNERSHIP = Ownership(
    receivers={"pd-platform": "PPLAT01", "pd-ai-eng": "PAIENG1", "default": "PDEFLT1"},
    tool_owners={"crm": "Sales systems"},
    prompt_owners={"intent-router": "dana"},
)


def incident(*alerts: Alert | dict[str, str]) -> Incident:
    return Incident(
        id="QTEST01",
        status=IncidentStatus.TRIGGERED,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        service=Reference(id="PSVC001"),
        title="alert_type = infra",
        alerts=tuple(a if isinstance(a, Alert) else Alert(labels=a) for a in alerts),
    )


@pytest.mark.parametrize(
    ("labels", "alert_class", "owner", "receiver"),
    [
        ({"alert_type": "infra"}, AlertClass.INFRA, "platform", "pd-platform"),
        ({"alert_type": "model", "alertname": "FTLp95High"}, AlertClass.MODEL, "ai-eng", "pd-ai-eng"),
        ({"alert_type": "model", "prompt": "intent-router"}, AlertClass.MODEL, "dana", "pd-ai-eng"),
        ({"alert_type": "model", "prompt": "unowned"}, AlertClass.MODEL, "ai-eng", "pd-ai-eng"),
        ({"alert_type": "tool", "tool_name": "crm"}, AlertClass.TOOL, "crm", "pd-integration-owners"),
        ({"alert_type": "tool", "tool_name": "calendar"}, AlertClass.TOOL, "calendar", "pd-integration-owners"),
        ({"alert_type": "tool"}, AlertClass.TOOL, "default", "pd-integration-owners"),
        ({"alertname": "PodCrashLooping"}, AlertClass.UNKNOWN, "default", "default"),
    ],
)
def test_one_label_decides_class_and_owner(labels, alert_class, owner, receiver):
    result = triage(incident(labels), OWNERSHIP)
    assert (result.labelled, result.alert_class, result.owner, result.receiver) == (alert_class, alert_class, owner, receiver)
    assert result.reasons


@pytest.mark.parametrize(
    "value", ["Infra", "INFRA", "infra ", " infra", "infra\n", "", "mixed", "unknown", "infra,infra", "\uff49nfra", "inf\u200bra"]
)
def test_a_malformed_label_is_unknown_and_flagged(value):
    result = triage(incident({"alert_type": value}), OWNERSHIP)
    assert (result.labelled, result.receiver, result.flags) == (AlertClass.UNKNOWN, "default", ("malformed",))


def test_a_missing_label_is_flagged_untagged():
    assert triage(incident({}), OWNERSHIP).flags == ("untagged",)
    assert triage(incident(), OWNERSHIP).flags == ("untagged",)


@pytest.mark.parametrize("other", [{"alert_type": "model"}, {"alert_type": "tool"}, {"alert_type": "Infra"}, {}])
@pytest.mark.parametrize("status", list(AlertStatus))
def test_any_disagreement_firing_or_resolved_is_mixed(other, status):
    alerts = [Alert(labels={"alert_type": "infra"})] * 40 + [Alert(labels=other, status=status)]
    result = triage(incident(*alerts), OWNERSHIP)
    assert (result.labelled, result.owner, result.receiver) == (AlertClass.MIXED, "default", "default")
    assert "mixed" in result.flags


def test_one_alert_whose_labels_did_not_arrive_makes_the_incident_unknown():
    result = triage(incident({"alert_type": "infra"}, Alert(labels={"alert_type": "infra"}, labels_known=False)), OWNERSHIP)
    assert (result.labelled, result.flags) == (AlertClass.UNKNOWN, ("labels_unknown",))


def test_several_tools_in_one_incident_are_not_given_to_one_of_them():
    result = triage(
        incident({"alert_type": "tool", "tool_name": "crm"}, {"alert_type": "tool", "tool_name": "calendar"}), OWNERSHIP
    )
    assert (result.labelled, result.owner) == (AlertClass.TOOL, "default")


def test_people_behind_a_tool_are_named():
    assert "crm is owned by Sales systems" in triage(incident({"alert_type": "tool", "tool_name": "crm"}), OWNERSHIP).reasons


def test_a_receiver_without_a_policy_falls_back_to_the_default_one():
    assert OWNERSHIP.escalation_policy("pd-platform") == "PPLAT01"
    assert OWNERSHIP.escalation_policy("pd-integration-owners") == "PDEFLT1"
    assert Ownership().escalation_policy("pd-platform") is None


def test_a_receiver_that_nobody_filled_in_has_no_escalation_policy() -> None:
    as_shipped = Ownership(receivers={"pd-platform": "", "default": ""})
    assert as_shipped.escalation_policy("pd-platform") is None
