"""What is configured is asked, and what is not is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sre_agent.adapters.pagerduty.tracker import PagerDuty, connect
from sre_agent.adapters.pagerduty.transport import Credentials
from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.incident.errors import ConfigurationError
from sre_agent.settings import fixed
from sre_agent.wiring.readers import eyes


@pytest.fixture
async def pagerduty(monkeypatch: pytest.MonkeyPatch) -> Iterator[PagerDuty]:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    tracker = connect(Credentials("token", "a@b.test", "http://127.0.0.1:1"))
    yield tracker
    await tracker.aclose()


def names(pagerduty: PagerDuty, **values: str) -> list[str]:
    return [s.name for s in eyes(fixed(values), pagerduty).sources]


def test_without_any_address_only_pagerduty_is_asked(pagerduty):
    assert names(pagerduty) == ["changes", "pagerduty", "own_alerts"]


def test_each_address_adds_its_source(pagerduty, tmp_path: Path):
    (tmp_path / "calls.yaml").write_text("calls: [[a, b]]")
    assert names(pagerduty, ALERTMANAGER_URL="http://am:9093")[2:-1] == ["alertmanager"]
    assert names(pagerduty, LOKI_URL="http://loki:3100")[2:-1] == ["loki"]
    assert names(pagerduty, SRE_AGENT_TOPOLOGY=str(tmp_path / "calls.yaml"))[2:-1] == ["topology"]
    assert names(pagerduty, PROMETHEUS_URL="http://prometheus:9090")[2:-1] == ["prometheus", "topology"]


def test_alerts_text_and_the_call_graph_are_kinds_of_their_own(pagerduty, tmp_path: Path):
    (tmp_path / "calls.yaml").write_text("calls: [[a, b]]")
    values = {"ALERTMANAGER_URL": "http://am:9093", "SRE_AGENT_TOPOLOGY": str(tmp_path / "calls.yaml")}
    kinds = {s.name: s.kind for s in eyes(fixed(values), pagerduty).sources}
    assert (kinds["alertmanager"], kinds["pagerduty"], kinds["topology"]) == (
        EvidenceKind.ALERT,
        EvidenceKind.TEXT,
        EvidenceKind.TOPOLOGY,
    )


def test_a_call_graph_that_cannot_be_read_stops_the_start(pagerduty, tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"SRE_AGENT_TOPOLOGY: .* cannot be read"):
        names(pagerduty, SRE_AGENT_TOPOLOGY=str(tmp_path / "none.yaml"))
