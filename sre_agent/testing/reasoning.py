"""In-memory sources and a scripted chat model: an investigation without a network."""

import asyncio
import json
from collections.abc import Callable, Sequence

from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import SreAgentError
from sre_agent.investigation.chat import ChatReply, ChatRequest, ToolCall


class StaticSource:
    """An EvidenceSource that answers the same evidence each time, or raises `error`; counts its calls in `scopes`."""

    def __init__(self, name: str, kind: EvidenceKind, evidence: Sequence[Evidence] = (), error: Exception | None = None) -> None:
        self.name = name
        self.kind = kind
        self.scopes: list[Scope] = []
        self._evidence = tuple(evidence)
        self._error = error

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """The evidence given, or the error given."""
        self.scopes.append(scope)
        if self._error is not None:
            raise self._error
        return self._evidence


class SilentSource:
    """An EvidenceSource that never answers."""

    def __init__(self, name: str, kind: EvidenceKind) -> None:
        self.name = name
        self.kind = kind

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:  # noqa: ARG002
        """Waits until it is cancelled."""
        await asyncio.Event().wait()
        return ()


class ScriptedChat:
    """A ChatModel that gives `replies` in order, the last one for ever; an exception in the list is raised."""

    name = "scripted"

    def __init__(self, replies: Sequence[ChatReply | SreAgentError | Callable[[ChatRequest], ChatReply]]) -> None:
        self._replies = tuple(replies)
        self.requests: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The next reply."""
        self.requests.append(request)
        reply = self._replies[min(len(self.requests), len(self._replies)) - 1]
        if isinstance(reply, SreAgentError):
            raise reply
        return reply(request) if callable(reply) else reply


def looking_twice(source: str) -> tuple[ChatReply, ...]:
    """Replies of a model that makes four looks in two rounds and then answers: what a typical incident takes."""
    rounds = (
        (("look_again", {"source": source, "minutes_before_onset": 240}), ("search_logs", {"words": "error"})),
        (("read_evidence", {"id": "e1", "offset": 0}), ("search_logs", {"words": "timeout"})),
    )
    asked = [tuple(ToolCall(id=f"c{i}", name=n, arguments=json.dumps(a)) for i, (n, a) in enumerate(looks)) for looks in rounds]
    answer = {"statements": [], "alert_class": "unknown", "confidence_percent": 50, "veto": None, "runbook": None}
    looks = (ChatReply(calls=calls, finish="tool_calls", output_tokens=60) for calls in asked)
    return (*looks, ChatReply(text=json.dumps(answer), finish="stop", output_tokens=200))
