"""The rules' paragraph: every ranked cause with its words, what was not seen, and a bound whatever arrives."""

from datetime import UTC, datetime

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.examine import examine
from sre_agent.investigation.nodes.propose import rules_summary
from sre_agent.investigation.rules import LONGEST
from sre_agent.triage.triage import Triage

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NOBODY = Triage(labelled=AlertClass.UNKNOWN, alert_class=AlertClass.UNKNOWN, owner="", receiver="")
K = FindingKind


def evidence(number, kind=EvidenceKind.KUBERNETES, error=""):
    status = EvidenceStatus.ERROR if error else EvidenceStatus.OK
    return Evidence(
        id=f"e{number}",
        source="kubernetes",
        kind=kind,
        query="",
        status=status,
        observed_at=NOW,
        payload={"items": []},
        error=error,
    )


def told(*findings, seen=()):
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"))
    window = Window(start=NOW, end=NOW)
    scope = Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)
    view = EvidenceView(scope=scope, evidence=(evidence(1), *seen))
    return rules_summary(view, NOBODY, examine(view, (lambda _: findings,)))


def finding(kind, name, cause, namespace="shop", strength=0.9):
    return Finding(
        kind=kind, object=name, namespace=namespace, cause=cause, strength=strength, evidence=("e1",), refuted_by="it runs"
    )


def test_the_other_causes_are_told_with_their_words_and_not_only_their_kind():
    text = told(
        finding(K.POD_OOM_KILLED, "pod/a-1", "killed at 64Mi"),
        finding(K.CLAIM_UNBOUND, "claim/b", 'class "fast" not found', strength=0.8),
    )
    assert 'claim/b in namespace shop: class "fast" not found (e1)' in text
    assert "pod/a-1 pod oom killed (e1): killed at 64Mi." in text


def test_the_namespace_is_not_told_twice():
    assert "in namespace shop in" not in told(finding(K.JOB_FAILED, "job/j", "the job j in the namespace shop has failed"))


def test_causes_that_differ_only_in_the_name_are_told_once():
    text = told(
        finding(K.JOB_FAILED, "job/x", "no more tries"),
        *(finding(K.POD_OOM_KILLED, f"pod/{n}", f"{n} was killed", strength=0.7) for n in ("alpha-1", "beta-2")),
    )
    assert "pod/alpha-1, pod/beta-2 pod oom killed (e1): alpha-1 was killed" in text
    assert "beta-2 was killed" not in text


def test_however_long_the_causes_and_the_errors_are_the_paragraph_is_not():
    errors = tuple(evidence(n, error=f"{n} " + "x" * 900) for n in range(2, 20))
    causes = [finding(K.POD_OOM_KILLED, f"pod/{i}-{'n' * 40}", f"{i} " + "y" * 2000, strength=0.9 - i / 100) for i in range(5)]
    text = told(*causes, seen=errors)
    assert len(text) <= LONGEST
    assert "Could not ask: kubernetes" in text
    assert "and 14 more" in text


def test_text_in_which_nothing_was_found_is_told_and_proves_nothing():
    text = told(seen=(evidence(2, EvidenceKind.TEXT),))
    assert text.startswith("Not enough was seen to say what is wrong, or that nothing is.")
    assert text.endswith(" No fault was recognised in what was handed over as text (e2).")
