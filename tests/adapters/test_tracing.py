"""Spans of the agent's own work: what they say, what they never say, and that nothing is sent by default."""

import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sre_agent.adapters.tracing import MISSING, TracedChat, TracedInvestigator, traced_sources, tracer
from sre_agent.evidence.budget import Price, Spend
from sre_agent.evidence.diagnosis import Diagnosis, ModelUsage
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.errors import ConfigurationError, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.chat import ChatReply, ChatRequest, Message
from sre_agent.runbook.proposal import Investigated
from sre_agent.settings.load import fixed
from sre_agent.testing.reasoning import ScriptedChat, StaticSource
from sre_agent.testing.rooms import ScriptedInvestigator
from sre_agent.triage.triage import Triage
from sre_agent.wiring import brain

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
WORD = "confidential-words"


class Span:
    def __init__(self, name, attributes):
        self.name, self.attributes = name, dict(attributes)

    def set_attribute(self, key, value):
        self.attributes[key] = value


class Recording:
    """What a tracer is to the adapter, kept in a list."""

    def __init__(self):
        self.spans = []

    @contextmanager
    def start_as_current_span(self, name, attributes, record_exception, set_status_on_exception):
        assert not record_exception
        assert not set_status_on_exception
        self.spans.append(Span(name, attributes))
        yield self.spans[-1]


def scope():
    alerts = (Alert(labels={"summary": WORD}),)
    incident = Incident(
        id="Q1", title=WORD, status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P"), alerts=alerts
    )
    window = Window.before(NOW, timedelta(hours=1))
    return Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)


def request():
    return ChatRequest(messages=(Message(role="user", text=WORD),), answer_schema={}, max_output_tokens=50, timeout_s=1.0)


def evidence(status):
    return Evidence(
        id="",
        source="loki",
        kind=EvidenceKind.LOGS,
        query=WORD,
        status=status,
        observed_at=NOW,
        payload={"lines": [WORD]},
        size_bytes=7,
    )


async def test_a_call_leaves_its_model_tokens_cost_and_end_and_none_of_its_words():
    recording = Recording()
    reply = ChatReply(text=WORD, finish="stop", input_tokens=1_000, output_tokens=100, attempts=2)
    chat = TracedChat(ScriptedChat([reply]), recording, "m-1", Price(input_usd_per_mtok=5.0, output_usd_per_mtok=20.0))
    assert (await chat.complete(request()), chat.name) == (reply, "scripted")
    (span,) = recording.spans
    assert span.name == "chat m-1"
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "m-1",
        "gen_ai.request.max_tokens": 50,
        "sre_agent.request.messages": 1,
        "sre_agent.request.characters": len(WORD),
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.usage.cost": pytest.approx(0.007),
        "gen_ai.response.finish_reasons": ("stop",),
        "sre_agent.response.looks": 0,
        "sre_agent.request.attempts": 2,
    }


async def test_what_fails_leaves_its_class_and_not_its_words_and_still_fails():
    recording = Recording()
    chat = TracedChat(ScriptedChat([Transient(WORD)]), recording, "m-1", Price())
    (source,) = traced_sources([StaticSource("loki", EvidenceKind.LOGS, error=Transient(WORD))], recording)
    with pytest.raises(Transient):
        await chat.complete(request())
    with pytest.raises(Transient):
        await source.gather(scope())
    assert [s.attributes["error.type"] for s in recording.spans] == ["Transient", "Transient"]
    assert WORD not in str([s.attributes for s in recording.spans])


async def test_a_source_leaves_how_much_it_said_and_an_investigation_how_it_ended():
    recording = Recording()
    pieces = [evidence(EvidenceStatus.OK), evidence(EvidenceStatus.ERROR)]
    (source,) = traced_sources([StaticSource("loki", EvidenceKind.LOGS, pieces)], recording)
    assert (source.name, source.kind, len(await source.gather(scope()))) == ("loki", EvidenceKind.LOGS, 2)
    usage = ModelUsage(reasoner="openai", calls=2, input_tokens=9, output_tokens=3, usd=0.5, fallback="model-slow", dropped=1)
    found = Investigated(diagnosis=Diagnosis(summary=WORD, usage=usage), reason="not-enough-data")
    thinker = ScriptedInvestigator(lambda scope, triage: found, left={"Q1:1": Spend(calls=4)})
    traced = TracedInvestigator(thinker, recording)
    triage = Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="o", receiver="r")
    assert await traced.investigate(scope(), triage, "Q1:2", Spend(calls=1)) == found
    assert thinker.told == [Spend(calls=1)]
    assert (await traced.spent("Q1:1")).calls == 4
    assert await traced.reexamine(scope(), found.diagnosis) == found.diagnosis
    asked, ended, again = (s.attributes for s in recording.spans)
    assert (asked["sre_agent.evidence.pieces"], asked["sre_agent.evidence.errors"], asked["sre_agent.evidence.bytes"]) == (2, 1, 14)
    assert (ended["sre_agent.incident.id"], ended["sre_agent.outcome"]) == ("Q1", "not-enough-data")
    assert (ended["gen_ai.usage.cost"], ended["sre_agent.model.fallback"]) == (0.5, "model-slow")
    assert again["sre_agent.incident.id"] == "Q1"
    assert WORD not in str([s.attributes for s in recording.spans])


async def test_without_an_address_the_tracer_of_the_process_is_used_which_does_nothing():
    silent = tracer()
    with silent.start_as_current_span("x") as span:
        assert not span.is_recording()
    assert (await TracedChat(ScriptedChat([ChatReply(text="x")]), silent, "m", Price()).complete(request())).text == "x"


PROGRAM = """
import sys
from importlib.abc import MetaPathFinder
class Gone(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ImportError(name)
sys.meta_path.insert(0, Gone())
from sre_agent.settings.load import fixed
from sre_agent.wiring import brain
assert "opentelemetry" not in sys.modules
try:
    brain.tracer(fixed({"SRE_AGENT_TRACE_URL": "https://langfuse.example/api/public/otel"}))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_an_address_without_the_packages_that_send_is_a_configuration_error_that_says_what_to_install():
    root = Path(__file__).parent.parent.parent
    ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"{ConfigurationError.__name__} {MISSING}"
    assert "pip install 'sre-agent[tracing]'" in MISSING


def test_by_default_nothing_is_configured():
    settings = fixed({})
    assert (settings.trace_url, settings.trace_headers) == (None, {})
    assert not brain.tracer(settings).start_span("x").is_recording()
