"""One piece of evidence as a page shows it: where it is from, and a bounded excerpt. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.response.record import IncidentRecord
from sre_agent.web.pages.charting import series_charts
from sre_agent.web.pages.drawing import Drawn
from sre_agent.web.pages.moments import marks_of
from sre_agent.web.pages.words import Sign

MOST_LINES = 200
MOST_CHARS = 24_000
MOST_OF_A_LINE = 600

STATUS = {
    EvidenceStatus.OK: Sign("Answered", "check", "good"),
    EvidenceStatus.NO_DATA: Sign("Asked, nothing there", "minus", "calm"),
    EvidenceStatus.ERROR: Sign("Could not be asked", "alert", "bad"),
}


@dataclass(frozen=True)
class Proof:
    """The evidence, its charts if it is metrics, and its lines; `shown` says in words how much of it that is."""

    evidence: Evidence
    status: Sign
    lines: tuple[str, ...]
    shown: str
    charts: tuple[Drawn, ...] = ()


def proof_of(record: IncidentRecord, evidence_id: str) -> Proof | None:
    """One piece of an incident's evidence; None when there is no such piece."""
    found = next((e for e in record.diagnosis.evidence if e.id == evidence_id), None) if record.diagnosis else None
    if found is None:
        return None
    charts = series_charts(found, marks_of(record)) if found.kind is EvidenceKind.METRICS else ()
    lines, shown = excerpt(found)
    return Proof(found, STATUS[found.status], lines, shown, charts)


def excerpt(evidence: Evidence) -> tuple[tuple[str, ...], str]:
    """(lines, how much that is): the newest lines of a log, the beginning of anything else. Never more than MOST_CHARS."""
    payload = evidence.payload
    if payload is None or payload in ([], {}):
        return (), "there is nothing in it"
    log = payload.get("lines") if isinstance(payload, dict) and evidence.kind is EvidenceKind.LOGS else None
    if isinstance(log, list | tuple):
        newest = list(_within(_words(line) for line in reversed(log[-MOST_LINES:])))
        newest.reverse()
        return tuple(newest), _share(len(newest), len(log), "newest")
    text, whole = _beginning(payload)
    lines = text.split("\n")
    kept = tuple(_within(iter(lines[:MOST_LINES])))
    return kept, "all of it" if whole and len(kept) == len(lines) else "its beginning"


def _share(shown: int, of: int, which: str) -> str:
    return "all of it" if shown == of else f"the {which} {shown} of {of} lines"


def _within(lines: Iterator[str]) -> Iterator[str]:
    """Lines as long as there is room for them."""
    left = MOST_CHARS
    for line in lines:
        short = line if len(line) <= MOST_OF_A_LINE else f"{line[: MOST_OF_A_LINE - 1]}…"
        left -= len(short) + 1
        if left < 0:
            return
        yield short


def _words(line: Any) -> str:
    return str(line.get("line", line)) if isinstance(line, dict) else str(line)


def _beginning(payload: Any) -> tuple[str, bool]:
    """The payload as indented JSON, as far as it is needed; True when that is all of it."""
    parts: list[str] = []
    room = MOST_CHARS
    # Written piece by piece: the whole of five megabytes is never made for the sake of its beginning.
    for piece in json.JSONEncoder(indent=1, ensure_ascii=False, default=str).iterencode(payload):
        parts.append(piece[:room])
        room -= len(piece)
        if room <= 0:
            return "".join(parts), False
    return "".join(parts), True
