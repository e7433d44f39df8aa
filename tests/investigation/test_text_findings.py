"""What only text says never stands above what was measured, and no proposal rests on it."""

from datetime import UTC, datetime

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.examine import examine

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def evidence(number, kind):
    status = EvidenceStatus.OK
    return Evidence(id=f"e{number}", source="x", kind=kind, query="", status=status, observed_at=NOW, payload={"items": []})


def finding(kind, number, strength=0.9):
    return Finding(kind=kind, object="pod/api-1", namespace="voice", cause="x", strength=strength, evidence=(f"e{number}",))


def examined(*findings):
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"))
    window = Window(start=NOW, end=NOW)
    scope = Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)
    seen = (evidence(1, EvidenceKind.KUBERNETES), evidence(2, EvidenceKind.TEXT), evidence(3, EvidenceKind.LOGS))
    return examine(EvidenceView(scope=scope, evidence=seen), (lambda _: findings,))


def test_what_text_says_is_ranked_below_what_was_measured_however_sure_it_is():
    found = examined(finding(FindingKind.DNS_FAILING, 2, 1.0), finding(FindingKind.POD_CRASH_LOOP, 1, 0.5))
    assert [c.kind for c in found.root_causes] == [FindingKind.POD_CRASH_LOOP, FindingKind.DNS_FAILING]


def test_text_does_not_explain_a_measured_finding_away():
    found = examined(finding(FindingKind.POD_BAD_CONFIG, 2), finding(FindingKind.POD_CRASH_LOOP, 1, 0.5))
    assert [f.kind for f in found.standing] == [FindingKind.POD_CRASH_LOOP]
    assert found.root_causes[0].kind is FindingKind.POD_CRASH_LOOP


def test_no_proposal_rests_on_a_described_pod_alone():
    found = examined(finding(FindingKind.POD_CRASH_LOOP, 2))
    assert found.root_causes[0].kind is FindingKind.POD_CRASH_LOOP
    assert found.standing == ()


def test_a_measured_finding_that_also_cites_text_stands():
    both = finding(FindingKind.POD_CRASH_LOOP, 1).model_copy(update={"evidence": ("e1", "e2")})
    assert [f.kind for f in examined(both).standing] == [FindingKind.POD_CRASH_LOOP]
