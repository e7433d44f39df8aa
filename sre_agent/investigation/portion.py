"""How much of one source's answer is kept: the newest lines of a log, a bounded part of any text. Pure.

Done as soon as a source has answered and before redaction, which is what costs: memory and time are bounded by these
numbers and not by what a program wrote. What is cut is said: `truncated`, and `size_bytes` of what there was.
"""

import re
from collections.abc import Sequence
from typing import Any

from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.redact import redact_evidence, redact_json

MOST_LINES = 20_000
MOST_BYTES = 1_000_000  # of one piece of evidence
MOST_LINE_CHARS = 8_000
# SAFETY: a line is cut where no secret continues: half of a token would no longer be recognised as one.
_BREAKS = re.compile(r"[\s,;&\"'](?=[^\s,;&\"']*\Z)")


def portion(evidence: Evidence) -> Evidence:
    """The evidence with at most MOST_LINES lines and MOST_BYTES of text; the newest lines of a log are kept."""
    payload = evidence.payload
    if not isinstance(payload, dict):
        return evidence
    if evidence.kind is EvidenceKind.LOGS and isinstance(payload.get("lines"), list | tuple):
        return _log(evidence, payload["lines"])
    if evidence.kind is EvidenceKind.TEXT and isinstance(payload.get("output"), str) and len(payload["output"]) > MOST_BYTES:
        said = payload["output"]
        kept = {**payload, "output": _cut(said, MOST_BYTES)}
        return evidence.model_copy(update={"payload": kept, "truncated": True, "size_bytes": _size(said)})
    return evidence


def _log(evidence: Evidence, lines: Sequence[Any]) -> Evidence:
    """Counted from the end: what was written last is nearest to what is wrong now."""
    kept: list[Any] = []
    left = MOST_BYTES
    shortened = False
    for line in reversed(lines[-MOST_LINES:]):
        short = _short(line)
        left -= _size(_words(short)) + 1
        if left < 0:
            break
        shortened = shortened or short is not line
        kept.append(short)
    if len(kept) == len(lines) and not shortened:
        return evidence
    kept.reverse()
    size = sum(_size(_words(line)) + 1 for line in lines)
    return evidence.model_copy(
        update={"payload": {**evidence.payload, "lines": kept}, "truncated": True, "size_bytes": max(size, evidence.size_bytes)}
    )


def _words(line: Any) -> str:
    return str(line.get("line", "")) if isinstance(line, dict) else line if isinstance(line, str) else str(line)


def _short(line: Any) -> Any:
    said = _words(line)
    if len(said) <= MOST_LINE_CHARS:
        return line
    cut = _cut(said, MOST_LINE_CHARS)
    return {**line, "line": cut} if isinstance(line, dict) else cut


def _cut(said: str, most: int) -> str:
    """The beginning of `said`, cut where a word ends; nothing of it when it is one endless word."""
    note = f" (cut: {len(said)} characters)"
    # With the note it is no longer than `most`, so that what was cut once is not cut again.
    head = said[: most - len(note)]
    at = _BREAKS.search(head)
    return f"{head[: at.start()] if at else ''}{note}"


def _size(said: str) -> int:
    """In bytes, of UTF-8."""
    return len(said) if said.isascii() else len(said.encode("utf-8", "surrogatepass"))


def redacted(evidence: Evidence) -> Evidence:
    """The evidence redacted. Equal lines of a log are redacted once: a program in trouble writes one line a million times."""
    payload = evidence.payload
    lines = payload.get("lines") if isinstance(payload, dict) and evidence.kind is EvidenceKind.LOGS else None
    if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
        return redact_evidence(evidence)
    clean = {line: redact_json(line, 2) for line in dict.fromkeys(lines)}
    rest = redact_evidence(evidence.model_copy(update={"payload": {k: v for k, v in payload.items() if k != "lines"}}))
    return rest.model_copy(update={"payload": {**rest.payload, "lines": [clean[line] for line in lines]}})
