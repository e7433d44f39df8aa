"""The read-only looks a model may ask for: over the sources and what they have already said. Nothing else.

A look takes no object, no query and no address from the model: a source's name from a list, minutes, an
evidence id, or words to find. So text in telemetry that talks a model into something can at most waste a look.
"""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.evidence.window import Window
from sre_agent.investigation.chat import ToolSpec
from sre_agent.investigation.digest import BLOCK_CHARS, block, evidence_block, plain
from sre_agent.investigation.fetch import fetch
from sre_agent.investigation.reasoner import Look, LookAnswer

LOOK_AGAIN, READ, SEARCH = "look_again", "read_evidence", "search_logs"
MOST_LINES = 40


class _LookAgain(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    source: str
    minutes_before_onset: int = Field(ge=5, le=1440)


class _Read(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    id: str
    offset: int = Field(default=0, ge=0)


class _Search(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    words: str = Field(min_length=2, max_length=200)


def specs(sources: Sequence[str]) -> tuple[ToolSpec, ...]:
    """What the model is told it may ask for."""
    return (
        ToolSpec(
            name=LOOK_AGAIN,
            description="Ask one source again with another lookback, in minutes before the onset.",
            parameters=_object(
                source={"type": "string", "enum": sorted(set(sources))},
                minutes_before_onset={"type": "integer", "minimum": 5, "maximum": 1440},
            ),
        ),
        ToolSpec(
            name=READ,
            description=f"Read the raw JSON of one piece of evidence, {BLOCK_CHARS} characters from offset.",
            parameters=_object(id={"type": "string"}, offset={"type": "integer", "minimum": 0}),
        ),
        ToolSpec(
            name=SEARCH,
            description="Find lines holding these words (case is ignored) in the logs gathered so far.",
            parameters=_object(words={"type": "string"}),
        ),
    )


def _object(**properties: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}


class Looks:
    """Makes looks. Holds the sources and their deadline (seconds); keeps no state between calls."""

    def __init__(self, sources: Sequence[EvidenceSource], deadline_s: float) -> None:
        self._sources = tuple(sources)
        self._deadline_s = deadline_s

    async def everything(self, scope: Scope) -> tuple[Evidence, ...]:
        """Code's own plan: every source, once, side by side."""
        return await fetch(self._sources, scope, self._deadline_s)

    async def answer(self, look: Look, scope: Scope, evidence: tuple[Evidence, ...]) -> tuple[LookAnswer, tuple[Evidence, ...]]:
        """(the answer, evidence it brought). A look that makes no sense is answered, never raised."""
        try:
            match look.tool:
                case "look_again":
                    return await self._look_again(look, _LookAgain.model_validate_json(look.arguments), scope, len(evidence))
                case "read_evidence":
                    return _read(look, _Read.model_validate_json(look.arguments), evidence), ()
                case "search_logs":
                    return _search(look, _Search.model_validate_json(look.arguments), evidence), ()
                case _:
                    return _invalid(look, f"there is no such tool; known: {LOOK_AGAIN}, {READ}, {SEARCH}"), ()
        except ValidationError as error:
            return _invalid(look, f"wrong arguments: {error.error_count()} problems; use the tool's schema"), ()

    async def _look_again(self, look: Look, asked: _LookAgain, scope: Scope, taken: int) -> tuple[LookAnswer, tuple[Evidence, ...]]:
        chosen = [s for s in self._sources if s.name == asked.source]
        if not chosen:
            return _invalid(look, f"no such source; known: {', '.join(sorted({s.name for s in self._sources}))}"), ()
        start = scope.onset - timedelta(minutes=asked.minutes_before_onset)
        wider = scope.model_copy(update={"window": Window(start=start, end=scope.now)})
        found = await fetch(chosen, wider, self._deadline_s, taken)
        text = "\n".join(evidence_block(e) for e in found) or "this source has nothing to say about the incident"
        return LookAnswer(call_id=look.call_id, text=text), found


def _read(look: Look, asked: _Read, evidence: tuple[Evidence, ...]) -> LookAnswer:
    found = next((e for e in evidence if e.id == asked.id), None)
    if found is None:
        return _invalid(look, "no such evidence id")
    text = plain(found.payload)[asked.offset :]
    return LookAnswer(call_id=look.call_id, text=block(f"id={found.id} offset={asked.offset}", text))


def _search(look: Look, asked: _Search, evidence: tuple[Evidence, ...]) -> LookAnswer:
    words = asked.words.lower()
    hits = [
        f"{e.id}: {line}"
        for e in evidence
        if e.kind is EvidenceKind.LOGS and e.status is EvidenceStatus.OK and isinstance(e.payload, dict)
        for line in map(_line, e.payload.get("lines", ()))
        if words in line.lower()
    ]
    text = "\n".join(hits[:MOST_LINES]) or "no line holds these words"
    return LookAnswer(call_id=look.call_id, text=block(f"search hits={len(hits)}", text))


def _line(line: object) -> str:
    return str(line.get("line", line)) if isinstance(line, dict) else str(line)


def _invalid(look: Look, why: str) -> LookAnswer:
    return LookAnswer(call_id=look.call_id, text=why, valid=False)
