"""A view reads its series once, and a copy with other evidence reads its own."""

from datetime import UTC, datetime, timedelta

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def metrics(number, name):
    payload = [{"labels": {"__name__": name}, "samples": [[1.0, 2.0]]}]
    kind, status = EvidenceKind.METRICS, EvidenceStatus.OK
    return Evidence(id=f"e{number}", source="x", kind=kind, query="", status=status, observed_at=NOW, payload=payload)


def view(*evidence):
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"))
    window = Window(start=NOW, end=NOW)
    scope = Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)
    return EvidenceView(scope=scope, evidence=evidence)


def test_a_copy_with_less_evidence_does_not_remember_what_the_first_view_read():
    both = view(metrics(1, "a"), metrics(2, "b"))
    assert [s.name for _, s in both.series()] == ["a", "b"]
    assert [s.name for _, s in both.model_copy(update={"evidence": both.evidence[:1]}).series()] == ["a"]
    assert [s.name for _, s in both.series("b")] == ["b"]


def test_the_call_graph_comes_with_the_evidence_it_is_from():
    graph = metrics(1, "a").model_copy(update={"kind": EvidenceKind.TOPOLOGY, "payload": {"calls": [["shop", "cart"]]}})
    assert list(view(graph).calls()) == [("e1", "shop", "cart")]


def test_what_is_read_once_is_read_again_for_another_time():
    asked = []

    def read(view):
        asked.append(view.scope.now)
        return len(asked)

    first = view(metrics(1, "a"))
    assert (first.once(read), first.once(read)) == (1, 1)
    later = first.model_copy(update={"scope": first.scope.model_copy(update={"now": NOW + timedelta(minutes=1)})})
    assert later.once(read) == 2
    assert first.once(read) == 1
