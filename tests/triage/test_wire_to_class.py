"""From the wire to the class: whatever shape the labels arrive in, infra is only what was exactly infra."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.incident.alert import AlertClass
from sre_agent.intake.alert_details import alerts_from_rest
from sre_agent.intake.incident_rest import incident_from_rest
from sre_agent.testing.pagerduty_alerts import AlertShape, alert_object, custom_details
from sre_agent.triage.classify import triage
from sre_agent.triage.ownership import Ownership

AT = datetime(2026, 11, 23, 3, tzinfo=UTC)
FRAME = {"id": "Q0EXAMPLE00001", "incident_number": 1, "title": "alert_type = infra", "service": {"id": "PSVC001"}}
# "\r" and surrounding line breaks are not told apart by the text shapes; no class name has any.
LABEL_SETS = st.fixed_dictionaries(
    {"alertname": st.just("A")},
    optional={
        "alert_type": st.sampled_from(["infra", "infra", "model", "tool", "Infra", "infra ", ""]),
        "pod": st.text("ab-= ", max_size=6),
    },
)
ALERTS = st.lists(
    st.tuples(st.sampled_from(AlertShape), st.lists(LABEL_SETS, max_size=3), st.lists(LABEL_SETS, max_size=2)), max_size=3
)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(ALERTS)
def test_an_incident_is_infra_only_if_every_label_set_sent_was_exactly_infra(groups):
    sent, raw = [], []
    for number, (shape, firing, resolved) in enumerate(groups):
        if not firing and not resolved:
            continue
        details = custom_details(shape, firing, resolved, AT)
        raw.append(alert_object(f"QALERT{number}", FRAME, details, "A", AT))
        sent += [None] if shape is AlertShape.REMOVED else [s.get("alert_type") for s in [*firing, *resolved]]
        if shape is AlertShape.EXPLICIT:
            sent[-len([*firing, *resolved]) :] = [[*firing, *resolved][0].get("alert_type")]
    alerts = [alert for one in raw for alert in alerts_from_rest(one)]
    result = triage(incident_from_rest(FRAME, alerts, None), Ownership())
    assert (result.alert_class is AlertClass.INFRA) == (bool(sent) and set(sent) == {"infra"})
    if set(sent) <= {"model"} and sent:
        assert result.alert_class is AlertClass.MODEL
