"""What of a recorded answer was visible at a moment. Pure.

INVARIANT: nothing that is stamped later comes through: no sample, object, event, log line, change, score or prompt version.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.kubernetes.events import event_time
from sre_agent.evidence.kubernetes.state import dig, instant
from sre_agent.replay.case import stamp_of
from sre_agent.replay.case_shapes import JsonObject, utc


def stamp(item: JsonObject) -> datetime | None:
    """When an API object came to be, or an event was last seen."""
    if item.get("kind") == "Event" and (seen := event_time(item)) is not None:
        return seen
    return instant(dig(item, "metadata", "creationTimestamp"))


def seen_by(piece: Evidence, at: datetime) -> Evidence | None:
    """The piece as it was at `at`; None when it was observed later."""
    if piece.observed_at > at:
        return None
    payload = _KEPT[piece.kind](piece.payload, at) if piece.kind in _KEPT and piece.payload else piece.payload
    if payload == piece.payload:
        return piece
    empty = not payload or (isinstance(payload, dict) and not any(v for v in payload.values() if isinstance(v, list)))
    return piece.model_copy(update={"payload": payload, **({"status": EvidenceStatus.NO_DATA} if empty else {})})


def _metrics(payload: Any, at: datetime) -> Any:
    limit = at.timestamp()
    cut = [{**row, "samples": [s for s in row.get("samples", ()) if float(s[0]) <= limit]} for row in payload]
    return [row for row, was in zip(cut, payload, strict=True) if row["samples"] or not was.get("samples")]


def _objects(payload: Any, at: datetime) -> Any:
    return {**payload, "items": [o for o in payload.get("items", ()) if (stamp(o) or at) <= at]}


def _log(payload: Any, at: datetime) -> Any:
    lines = payload.get("lines", ())
    later = (i for i, line in enumerate(lines) if (stamp_of(_text(line)) or at) > at)
    return {**payload, "lines": list(lines[: next(later, len(lines))])}


def _text(line: object) -> str:
    return str(line.get("line", "")) if isinstance(line, dict) else str(line)


def _changes(payload: Any, at: datetime) -> Any:
    return [row for row in payload if _by(row, at, "at")]


def _quality(payload: Any, at: datetime) -> Any:
    return {part: [r for r in rows if _by(r, at, "timestamp", "created_at", "updated_at")] for part, rows in payload.items()}


def _by(row: JsonObject, at: datetime, *names: str) -> bool:
    stamps = (instant(row.get(name)) for name in names)
    return all(utc(known) <= at for known in stamps if known is not None)


_KEPT: dict[EvidenceKind, Callable[[Any, datetime], Any]] = {
    EvidenceKind.METRICS: _metrics,
    EvidenceKind.KUBERNETES: _objects,
    EvidenceKind.LOGS: _log,
    EvidenceKind.CHANGES: _changes,
    EvidenceKind.LANGFUSE: _quality,
}
