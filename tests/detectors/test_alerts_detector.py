from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sre_agent.detectors.signals.alerts import MAX_RELATED, detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert, AlertClass, AlertStatus
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=5)
OWN = {"alertname": "ApiSlow", "namespace": "voice", "service": "api", "severity": "page"}
WATCHDOG = {"alertname": "Watchdog", "severity": "none"}


def said(number: int, kind: EvidenceKind, payload: Any) -> Evidence:
    return Evidence(id=f"e{number}", source="x", kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, payload=payload)


def view(own: dict[str, str], *payloads: Any, calls: Any = None, status: AlertStatus = AlertStatus.FIRING) -> EvidenceView:
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1", name="voice-platform"),
        alerts=(Alert(labels=own, starts_at=ONSET, status=status),),
    )
    scope = Scope(
        incident=incident,
        now=NOW,
        onset=ONSET,
        window=Window.before(NOW, timedelta(minutes=30)),
        change_window=Window.before(ONSET, timedelta(hours=24)),
    )
    evidence = [said(n, EvidenceKind.ALERT, p) for n, p in enumerate(payloads, start=1)]
    evidence += [said(9, EvidenceKind.TOPOLOGY, {"calls": calls})] if calls else []
    return EvidenceView(scope=scope, evidence=tuple(evidence))


def fires(labels: dict[str, str], minutes_before: float = 10, state: str = "active", **more: object) -> dict[str, Any]:
    return {"labels": labels, "startsAt": (ONSET - timedelta(minutes=minutes_before)).isoformat(), "state": state, **more}


def only(found: tuple[Finding, ...]) -> Finding:
    (finding,) = found
    return finding


def test_an_alert_of_the_same_service_that_began_before_is_related():
    found = only(detect(view(OWN, [fires(OWN, 0), fires({"alertname": "ApiOom", "namespace": "voice", "service": "api"})])))
    assert (found.kind, found.object, found.namespace, found.evidence) == (
        FindingKind.RELATED_ALERT,
        "service/api",
        "voice",
        ("e1",),
    )
    assert found.onset == ONSET - timedelta(minutes=10)
    assert "ApiOom" in found.cause
    assert found.alert_class is AlertClass.UNKNOWN


def test_an_alert_of_a_service_that_is_called_is_nearer_than_one_of_the_namespace():
    alerts = [
        fires({"alertname": "DbDown", "namespace": "data", "service": "db"}),
        fires({"alertname": "PodRestarts", "namespace": "voice", "pod": "mail-1"}),
    ]
    found = detect(view(OWN, alerts, calls=[["api", "cart"], ["cart", "db"]]))
    assert [f.object for f in found] == ["service/db", "pod/mail-1"]
    assert found[0].evidence == ("e1", "e9")
    assert found[1].evidence == ("e1",)
    assert "which an alerted service calls" in found[0].cause


def test_every_one_of_them_is_context_and_stays_below_half():
    labels = [{"alertname": "A", "service": s, "namespace": "voice"} for s in ("api", "db", "x")]
    found = detect(view(OWN, [fires(each) for each in labels], calls=[["api", "db"]]))
    assert len(found) == 3
    assert all(f.strength < 0.5 and f.alert_class is AlertClass.UNKNOWN for f in found)


@pytest.mark.parametrize(
    "alert",
    [
        fires({"alertname": "Later", "namespace": "voice"}, minutes_before=-1),
        fires({"alertname": "Elsewhere", "namespace": "mail", "service": "smtp"}),
        fires({"alertname": "Pending", "namespace": "voice"}, state="pending"),
        fires({"alertname": "Watchdog", "namespace": "voice", "severity": "none"}),
        fires({"alertname": "InfoInhibitor", "namespace": "voice"}),
        fires({"alertname": "Over", "namespace": "voice"}, endsAt=(NOW - timedelta(minutes=1)).isoformat()),
        fires(OWN),
        fires({**OWN, "replica": "b"}),
        fires({"alertname": "OtherCluster", "namespace": "voice", "cluster": "us"}),
        {"labels": {"alertname": "NoTime", "namespace": "voice"}, "state": "active"},
    ],
)
def test_what_only_looks_related_is_silent(alert):
    assert detect(view({**OWN, "cluster": "eu"} if "cluster" in alert["labels"] else OWN, [alert])) == ()


def test_once_the_incidents_own_alerts_have_resolved_nothing_is_said():
    alerts = [fires({"alertname": "ApiOom", "namespace": "voice", "service": "api"})]
    assert detect(view(OWN, alerts, status=AlertStatus.RESOLVED)) == ()
    assert detect(view({**WATCHDOG}, [fires(WATCHDOG)], status=AlertStatus.RESOLVED)) == ()


def test_the_same_alert_told_by_two_systems_is_one_and_a_storm_is_cut():
    same = fires({"alertname": "ApiOom", "namespace": "voice", "service": "api"})
    assert only(detect(view(OWN, [same], [same]))).evidence == ("e1",)
    storm = [fires({"alertname": "A", "namespace": "voice", "pod": f"p{i}"}) for i in range(40)]
    assert len(detect(view(OWN, storm))) == MAX_RELATED


def test_alerts_of_one_subject_are_one_finding_and_an_old_one_weighs_less_than_a_recent_one():
    pod = {"namespace": "voice", "pod": "db-1"}
    found = only(detect(view(OWN, [fires({"alertname": "A", **pod}, 600), fires({"alertname": "B", **pod}, 5)])))
    assert "B, A" in found.cause
    old = only(detect(view(OWN, [fires({"alertname": "A", **pod}, 600)])))
    assert old.strength < found.strength


def test_times_without_an_offset_and_the_year_one_are_read_as_what_they_mean():
    alert = fires({"alertname": "ApiOom", "namespace": "voice", "service": "api"}, endsAt="0001-01-01T00:00:00Z")
    assert only(detect(view(OWN, [{**alert, "startsAt": "2026-03-04T03:00:00"}]))).onset == ONSET - timedelta(minutes=10)


def test_a_suppressed_alert_is_told_with_that_word():
    alert = fires({"alertname": "ApiOom", "namespace": "voice", "service": "api"}, state="suppressed", silencedBy=["s1"])
    assert "(suppressed)" in only(detect(view(OWN, [alert]))).cause


def test_a_rule_that_is_a_constant_proves_that_it_always_fires():
    rules = {"rules": [{"name": "Heartbeat", "query": " vector(1)\n"}]}
    found = only(detect(view({"alertname": "Heartbeat"}, rules)))
    assert (found.kind, found.object, found.evidence) == (FindingKind.ALERT_ALWAYS_FIRES, "app/heartbeat", ("e1",))
    assert found.strength > 0.6
    assert "constant" in found.cause


@pytest.mark.parametrize(
    "name",
    ["Watchdog", "DeadMansSwitch", "DeadManSwitch", "PrometheusAlertmanagerE2eDeadManSwitch", "Dead Man's Snitch", "InfoInhibitor"],
)
def test_the_usual_names_suggest_it_and_prove_nothing(name):
    labels = {"alertname": name.replace("'", ""), "severity": "none"}
    found = only(detect(view(labels, [fires(labels)])))
    assert (found.kind, found.evidence) == (FindingKind.ALERT_ALWAYS_FIRES, ("e1",))
    assert found.strength <= 0.6


@pytest.mark.parametrize(
    ("labels", "payloads"),
    [
        ({"alertname": "Watchdog"}, []),
        ({"alertname": "WatchdogTimeout"}, [[fires({"alertname": "WatchdogTimeout"})]]),
        ({"alertname": "KernelWatchdogFired"}, [[fires({"alertname": "KernelWatchdogFired"})]]),
        (WATCHDOG, [[fires(WATCHDOG)], {"rules": [{"name": "Watchdog", "query": "node_watchdog_resets > 0"}]}]),
        ({"alertname": "Custom", "severity": "none"}, [[fires({"alertname": "Custom", "severity": "none"})]]),
        ({"alertname": "Up"}, [{"rules": [{"name": "Up", "query": "vector(1) > on() up"}]}]),
        ({"alertname": "Up"}, [{"rules": [{"name": "Other", "query": "vector(1)"}]}]),
    ],
)
def test_what_only_sounds_like_it_is_silent(labels, payloads):
    assert detect(view(labels, *payloads)) == ()


def test_an_inhibitor_is_known_by_its_name_though_its_rule_compares_something():
    labels = {"alertname": "InfoInhibitor", "severity": "none"}
    rules = {"rules": [{"name": "InfoInhibitor", "query": 'ALERTS{severity="info"} == 1'}]}
    assert only(detect(view(labels, [fires(labels)], rules))).kind is FindingKind.ALERT_ALWAYS_FIRES


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {},
        "x",
        [None, 3, "x", {}, {"labels": None}, {"labels": {"namespace": 3}}, {"labels": {}, "startsAt": "soon"}],
        {"rules": [None, {"name": 3}, {"name": "ApiSlow"}, {"name": "ApiSlow", "query": None}]},
        {"rules": "x"},
        {"silences": [1]},
        [{"labels": {"namespace": "voice"}, "startsAt": "2026-03-04T03:00:00Z", "state": "dreaming"}],
        [{"labels": {"namespace": "voice"}, "startsAt": 7, "endsAt": {}, "state": "active"}],
    ],
)
def test_malformed_payloads_are_skipped(payload):
    good = [fires({"alertname": "ApiOom", "namespace": "voice", "service": "api"})]
    assert only(detect(view(OWN, payload, good))).evidence == ("e2",)
