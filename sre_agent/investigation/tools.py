"""The read-only looks a model may ask for: over the sources and what they have already said. Nothing else.

A look takes no query and no address from the model: a source's name from a list, minutes, the id of a piece of evidence,
the name of a series or object that is in the evidence already, or words to find. So text in telemetry that talks a
model into something can at most waste a look. The looks of one reply are made side by side.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.evidence.window import Window
from sre_agent.investigation.chat import ToolSpec
from sre_agent.investigation.digest import BLOCK_CHARS, block
from sre_agent.investigation.fetch import fetch, numbered
from sre_agent.investigation.reasoner import Look, LookAnswer
from sre_agent.investigation.short_forms import flat, plain, series_row, template

LOOK_AGAIN, READ, SEARCH, SERIES, OBJECT = "look_again", "read_evidence", "search_logs", "series", "object"
MOST_LINES = 20
MOST_SAMPLES = 12
LINE_CHARS = 300


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _LookAgain(_Arguments):
    source: str
    minutes_before_onset: int = Field(ge=5, le=1440)


class _Read(_Arguments):
    id: str
    offset: int = Field(default=0, ge=0)


class _Search(_Arguments):
    words: str = Field(min_length=2, max_length=200)


class _Series(_Arguments):
    name: str = Field(min_length=1, max_length=200)


class _Named(_Arguments):
    kind: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=253)


_ASKS: dict[str, type[_Arguments]] = {LOOK_AGAIN: _LookAgain, READ: _Read, SEARCH: _Search, SERIES: _Series, OBJECT: _Named}


def specs(sources: Sequence[str]) -> tuple[ToolSpec, ...]:
    """What the model is told it may ask for: the same bytes for every incident of one installation."""
    text: dict[str, object] = {"type": "string"}
    return (
        ToolSpec(
            name=LOOK_AGAIN,
            description="Ask one source again, from so many minutes before the onset.",
            parameters=_object(
                source={**text, "enum": sorted(set(sources))},
                minutes_before_onset={"type": "integer", "minimum": 5, "maximum": 1440},
            ),
        ),
        ToolSpec(
            name=READ,
            description=f"Raw JSON of one piece of evidence, {BLOCK_CHARS} characters from offset.",
            parameters=_object(id=text, offset={"type": "integer", "minimum": 0}),
        ),
        ToolSpec(name=SEARCH, description="Lines of gathered logs that hold these words.", parameters=_object(words=text)),
        ToolSpec(name=SERIES, description="All gathered series of one metric, with a few samples.", parameters=_object(name=text)),
        ToolSpec(
            name=OBJECT, description="One gathered Kubernetes object, by kind and name.", parameters=_object(kind=text, name=text)
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

    async def answers(
        self, looks: Sequence[Look], scope: Scope, evidence: tuple[Evidence, ...]
    ) -> tuple[tuple[LookAnswer, ...], tuple[Evidence, ...]]:
        """(an answer for each look in their order, the evidence they brought). What makes no sense is answered, never raised.

        All are made at once over `evidence`. Ids are given in the order of the looks, whoever answers first.
        """
        made = await asyncio.gather(*(self._answer(look, scope, evidence) for look in looks))
        taken = len(evidence)
        out: list[LookAnswer] = []
        brought: list[Evidence] = []
        for answer, found in made:
            new = numbered(found, taken + len(brought))
            brought += new
            out.append(answer.model_copy(update={"evidence": tuple(e.id for e in new)}) if new else answer)
        return tuple(out), tuple(brought)

    async def _answer(self, look: Look, scope: Scope, evidence: tuple[Evidence, ...]) -> tuple[LookAnswer, tuple[Evidence, ...]]:
        kind = _ASKS.get(look.tool)
        if kind is None:
            return _invalid(look, f"there is no such tool; known: {', '.join(_ASKS)}"), ()
        try:
            asked = kind.model_validate_json(look.arguments)
        except ValidationError as error:
            return _invalid(look, f"wrong arguments: {error.error_count()} problems; use the tool's schema"), ()
        match asked:
            case _LookAgain():
                return await self._look_again(look, asked, scope)
            case _Read():
                return _read(look, asked, evidence), ()
            case _Search():
                return _search(look, asked, evidence), ()
            case _Series():
                return _series(look, asked, evidence, scope), ()
            case _Named():
                return _one_object(look, asked, evidence), ()
            case _:
                return _invalid(look, "there is no such tool"), ()

    async def _look_again(self, look: Look, asked: _LookAgain, scope: Scope) -> tuple[LookAnswer, tuple[Evidence, ...]]:
        chosen = [s for s in self._sources if s.name == asked.source]
        if not chosen:
            return _invalid(look, f"no such source; known: {', '.join(sorted({s.name for s in self._sources}))}"), ()
        start = scope.onset - timedelta(minutes=asked.minutes_before_onset)
        wider = scope.model_copy(update={"window": Window(start=start, end=scope.now)})
        deadline = self._deadline_s if look.within_s is None else max(0.0, min(self._deadline_s, look.within_s))
        found = await fetch(chosen, wider, deadline)
        text = "" if found else block("look", "this source has nothing to say about the incident")
        return LookAnswer(call_id=look.call_id, text=text), found


def _read(look: Look, asked: _Read, evidence: tuple[Evidence, ...]) -> LookAnswer:
    found = next((e for e in evidence if e.id == asked.id), None)
    if found is None:
        return _invalid(look, "no such evidence id")
    text = plain(found.payload)[asked.offset :]
    return LookAnswer(call_id=look.call_id, text=block(f"id={found.id} offset={asked.offset}", text))


def _search(look: Look, asked: _Search, evidence: tuple[Evidence, ...]) -> LookAnswer:
    """The lines that hold the words: the newest of each shape in a piece of evidence, with how many have that shape."""
    words = asked.words.lower()
    hits = [(e.id, line[:LINE_CHARS]) for e in _ok(evidence, EvidenceKind.LOGS) for line in _lines(e) if words in line.lower()]
    shapes = Counter((i, template(line)) for i, line in hits)
    newest = {(i, template(line)): line for i, line in hits}
    told = [f"{key[0]}: {f'x{shapes[key]} ' if shapes[key] > 1 else ''}{line}" for key, line in newest.items()][-MOST_LINES:]
    text = "\n".join(told) or "no line holds these words"
    return LookAnswer(call_id=look.call_id, text=block(f"search hits={len(hits)}", text))


def _lines(piece: Evidence) -> Iterator[str]:
    lines = piece.payload.get("lines", ()) if isinstance(piece.payload, dict) else ()
    for line in lines if isinstance(lines, list | tuple) else ():
        yield str(line.get("line", line)) if isinstance(line, dict) else str(line)


def _series(look: Look, asked: _Series, evidence: tuple[Evidence, ...], scope: Scope) -> LookAnswer:
    """Every series of that name in the evidence, with a few of its samples: closed, because only gathered names count."""
    rows: list[str] = []
    names: set[str] = set()
    for piece in _ok(evidence, EvidenceKind.METRICS):
        for series in _readable(piece.payload):
            names.add(series.name)
            if series.name == asked.name:
                samples = series.finite()
                few = samples[:: max(1, len(samples) // MOST_SAMPLES)]
                said = " ".join(f"{t - scope.onset.timestamp():+.0f}s:{v:.4g}" for t, v in few)
                rows.append(f"{piece.id}: {series_row(series, scope.onset)[1]}\n  from the onset: {said}")
    if not rows:
        return _invalid(look, f"no such series was gathered; known: {', '.join(sorted(names)[:MOST_LINES]) or 'none'}")
    return LookAnswer(call_id=look.call_id, text=block(f"series found={len(rows)}", "\n".join(rows)))


def _readable(payload: Any) -> Iterator[Series]:
    for raw in payload if isinstance(payload, list | tuple) else ():
        try:
            yield Series.model_validate(raw)
        except ValidationError:
            continue


def _one_object(look: Look, asked: _Named, evidence: tuple[Evidence, ...]) -> LookAnswer:
    """An API object that was gathered, newest reading first; what the server adds for itself is left out."""
    found = [(e.id, item) for e in _ok(evidence, EvidenceKind.KUBERNETES) for item in _items(e) if _is_named(item, asked)]
    if not found:
        return _invalid(look, "no such object was gathered")
    where, item = found[-1]
    meta = {k: v for k, v in item["metadata"].items() if k not in ("managedFields", "selfLink")}
    return LookAnswer(call_id=look.call_id, text=block(f"object in={where}", flat({**item, "metadata": meta})))


def _items(piece: Evidence) -> Iterator[dict[str, Any]]:
    items = piece.payload.get("items", ()) if isinstance(piece.payload, dict) else ()
    for item in items if isinstance(items, list | tuple) else ():
        if isinstance(item, dict) and isinstance(item.get("metadata"), dict):
            yield item


def _is_named(item: dict[str, Any], asked: _Named) -> bool:
    same_kind = str(item.get("kind", "")).lower() == asked.kind.lower()
    return same_kind and str(item["metadata"].get("name", "")).lower() == asked.name.lower()


def _ok(evidence: Sequence[Evidence], kind: EvidenceKind) -> Iterator[Evidence]:
    return (e for e in evidence if e.kind is kind and e.status is EvidenceStatus.OK)


def _invalid(look: Look, why: str) -> LookAnswer:
    return LookAnswer(call_id=look.call_id, text=block("look refused", why), valid=False)
