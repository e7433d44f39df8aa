"""OpenTelemetry spans of the agent's own work: one per investigation, per source and per model call.

The only import of opentelemetry, made when a tracer is built. A span says which incident, how long, how much, how many
tokens at what price, and how it ended. SAFETY: it never holds what was read, asked or answered: no prompt, no telemetry,
no message of an exception. Attributes are named as in OpenTelemetry's semantic conventions for generative AI.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sre_agent.evidence.budget import Price, Spend
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceStatus
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.incident.errors import ConfigurationError
from sre_agent.investigation.chat import ChatModel, ChatReply, ChatRequest
from sre_agent.response.ports import NOTHING, Investigator
from sre_agent.runbook.proposal import Investigated
from sre_agent.triage.triage import Triage

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from opentelemetry.trace import Tracer as Tracer

NAME = "sre-agent"
PATH = "/v1/traces"
MISSING = "SRE_AGENT_TRACE_URL is set, and the packages that send traces are not installed: pip install 'sre-agent[tracing]'"


def tracer(url: str | None = None, headers: Mapping[str, str] | None = None) -> "Tracer":
    """A tracer that sends to the OTLP/HTTP endpoint at `url`; without one, that of the process, which does nothing by default.

    Raises ConfigurationError when there is a `url` and the packages of the extra `tracing` are not installed.
    """
    if url is None:
        from opentelemetry import trace

        return trace.get_tracer(NAME)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError(MISSING) from None
    endpoint = url if url.endswith(PATH) else url.rstrip("/") + PATH
    # A provider of its own: libraries that trace themselves do not send anything there.
    provider = TracerProvider(resource=Resource.create({"service.name": NAME}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, headers=dict(headers or {}))))
    sending: Tracer = provider.get_tracer(NAME)
    return sending


@contextmanager
def _span(tracer: "Tracer", name: str, attributes: dict[str, str | int | float]) -> "Iterator[Span]":
    """A span around the block. An exception leaves its class there, never its words."""
    with tracer.start_as_current_span(name, attributes=attributes, record_exception=False, set_status_on_exception=False) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            raise


class TracedChat:
    """A ChatModel that leaves a span for each call. `model` is its name, `price` what it costs."""

    def __init__(self, chat: ChatModel, tracer: "Tracer", model: str, price: Price) -> None:
        self.name = chat.name
        self._chat = chat
        self._tracer = tracer
        self._model = model
        self._price = price

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The reply of the chat behind it, or what it raises."""
        asked: dict[str, str | int | float] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self.name,
            "gen_ai.request.model": self._model,
            "gen_ai.request.max_tokens": request.max_output_tokens,
            "sre_agent.request.messages": len(request.messages),
            "sre_agent.request.characters": sum(len(m.text) for m in request.messages),
        }
        with _span(self._tracer, f"chat {self._model}", asked) as span:
            reply = await self._chat.complete(request)
            span.set_attribute("gen_ai.usage.input_tokens", reply.input_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", reply.output_tokens)
            span.set_attribute("gen_ai.usage.cost", self._price.usd(reply.input_tokens, reply.output_tokens))
            span.set_attribute("gen_ai.response.finish_reasons", (reply.finish or "unknown",))
            span.set_attribute("sre_agent.response.looks", len(reply.calls))
            span.set_attribute("sre_agent.request.attempts", reply.attempts)
            return reply


class TracedSource:
    """An EvidenceSource that leaves a span each time it is asked."""

    def __init__(self, source: EvidenceSource, tracer: "Tracer") -> None:
        self.name = source.name
        self.kind = source.kind
        self._source = source
        self._tracer = tracer

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """What the source behind it answers, or raises."""
        asked: dict[str, str | int | float] = {
            "sre_agent.source": self.name,
            "sre_agent.kind": self.kind.value,
            "sre_agent.incident.id": scope.incident.id,
        }
        with _span(self._tracer, f"gather {self.name}", asked) as span:
            found = await self._source.gather(scope)
            span.set_attribute("sre_agent.evidence.pieces", len(found))
            span.set_attribute("sre_agent.evidence.errors", sum(e.status is EvidenceStatus.ERROR for e in found))
            span.set_attribute("sre_agent.evidence.bytes", sum(e.size_bytes for e in found))
            return found


class TracedInvestigator:
    """An Investigator that leaves a span for each investigation, around those of its sources and calls."""

    def __init__(self, investigator: Investigator, tracer: "Tracer") -> None:
        self._investigator = investigator
        self._tracer = tracer

    async def investigate(self, scope: Scope, triage: Triage, thread: str, spent: Spend = NOTHING) -> Investigated:
        """What the investigator behind it finds."""
        asked: dict[str, str | int | float] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": NAME,
            "sre_agent.incident.id": scope.incident.id,
            "sre_agent.thread": thread,
            "sre_agent.labelled_class": triage.labelled.value,
        }
        with _span(self._tracer, f"invoke_agent {NAME}", asked) as span:
            found = await self._investigator.investigate(scope, triage, thread, spent)
            _tell(span, found)
            return found

    async def reexamine(self, scope: Scope, before: Diagnosis) -> Diagnosis:
        """The second look of the investigator behind it."""
        with _span(self._tracer, "reexamine", {"sre_agent.incident.id": scope.incident.id}) as span:
            after = await self._investigator.reexamine(scope, before)
            span.set_attribute("sre_agent.evidence.pieces", len(after.evidence))
            return after

    async def spent(self, thread: str) -> Spend:
        """What the investigator behind it says."""
        return await self._investigator.spent(thread)


def _tell(span: "Span", found: Investigated) -> None:
    usage, diagnosis = found.diagnosis.usage, found.diagnosis
    span.set_attribute("sre_agent.evidence.pieces", len(diagnosis.evidence))
    span.set_attribute("sre_agent.findings", len(diagnosis.findings))
    if diagnosis.root_causes:
        span.set_attribute("sre_agent.cause", diagnosis.root_causes[0].kind.value)
    span.set_attribute("sre_agent.outcome", found.proposal.runbook if found.proposal else found.reason or "none")
    span.set_attribute("gen_ai.usage.input_tokens", usage.input_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", usage.output_tokens)
    span.set_attribute("gen_ai.usage.cost", usage.usd)
    span.set_attribute("sre_agent.model.calls", usage.calls)
    span.set_attribute("sre_agent.model.claims_dropped", usage.dropped)
    if usage.fallback:
        span.set_attribute("sre_agent.model.fallback", usage.fallback)


def traced_sources(sources: Sequence[EvidenceSource], tracer: "Tracer") -> tuple[EvidenceSource, ...]:
    """The sources, each leaving spans."""
    return tuple(TracedSource(source, tracer) for source in sources)
