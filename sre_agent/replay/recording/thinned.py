"""Evidence that is too much for one recording, made less: the largest pieces first, and each says so. Pure."""

from collections.abc import Sequence
from typing import Any

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.replay.recording.shelves import written

LEAST = 20_000
"""Bytes below which a piece is no longer halved but left out."""
LEFT_OUT = "left out of the recording: too much to be kept"


def thinned(evidence: Sequence[Evidence], most_bytes: int) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """(the evidence with at most `most_bytes` of JSON in its payloads, the ids of what was cut for that)."""
    pieces = list(evidence)
    sizes = [len(written(e.model_dump(mode="json")["payload"])) for e in pieces]
    cut: set[int] = set()
    while sum(sizes) > most_bytes and max(sizes) > len("null"):
        largest = max(range(len(sizes)), key=sizes.__getitem__)
        pieces[largest], sizes[largest] = _less(pieces[largest], sizes[largest])
        cut.add(largest)
    return tuple(pieces), tuple(pieces[i].id for i in sorted(cut))


def _less(piece: Evidence, size: int) -> tuple[Evidence, int]:
    half = _half(piece) if size > LEAST else None
    if half is not None and (smaller := len(written(half))) < size:
        return piece.model_copy(update={"payload": half, "truncated": True}), smaller
    # SAFETY: what is not there must not look like a source that had nothing to say.
    gone = {"payload": None, "truncated": True, "status": EvidenceStatus.ERROR, "error": LEFT_OUT}
    return piece.model_copy(update=gone), len("null")


def _half(piece: Evidence) -> Any:
    """The newest half of a log, every second sample of each series; None where nothing can be halved."""
    payload = piece.payload
    if piece.kind is EvidenceKind.LOGS and isinstance(payload, dict) and len(payload.get("lines", ())) > 1:
        lines = list(payload["lines"])
        return {**payload, "lines": lines[len(lines) // 2 :]}
    if piece.kind is EvidenceKind.METRICS and isinstance(payload, list):
        # From the newest back: that one is always kept.
        return [{**row, "samples": list(row.get("samples", ()))[::-1][::2][::-1]} for row in payload]
    return None
