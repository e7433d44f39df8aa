"""Telemetry as a model may see it: abstracted, capped, inside marked blocks that its text cannot leave. Pure.

SAFETY: control, bidirectional, invisible and private-use characters are shown as [U+XXXX]; "<" and ">" are
escaped, so nothing inside a block can look like the end of it or like another role's message.
"""

import hashlib
from datetime import datetime

from sre_agent.evidence.evidence import Evidence, EvidenceStatus
from sre_agent.evidence.visible import visible
from sre_agent.investigation.short_forms import ROWS, general, plain

BLOCK_CHARS = 3_000
MOST_ROWS = 30
ROW_CHARS = 700


def block(label: str, text: str, cap: int = BLOCK_CHARS) -> str:
    """A marked data block: at most `cap` characters of `text`, escaped."""
    cut = text[:cap]
    more = f"\n(cut: {len(text) - cap} more characters)" if len(text) > cap else ""
    return f"<data {_escaped(label)}>\n{_escaped(cut)}{more}\n</data>"


def evidence_block(evidence: Evidence, onset: datetime | None = None, cap: int = BLOCK_CHARS, same_as: str = "") -> str:
    """One piece of evidence as a block: its header and an abstract of its payload.

    `same_as`: the id of a piece that says the same and that the model has seen already.
    """
    label = header(evidence)
    if same_as:
        return block(label, f"says the same as {same_as}")
    if evidence.status is not EvidenceStatus.OK:
        return block(label, evidence.error or "nothing there", cap)
    return block(label, abstract(evidence, onset), cap)


def header(evidence: Evidence) -> str:
    """Which piece it is: id, source, kind, how it was asked where that fits, and what is wrong with it."""
    status = "" if evidence.status is EvidenceStatus.OK else f" status={evidence.status.value}"
    cut = " cut=yes" if evidence.truncated else ""
    asked = f' asked="{evidence.query[:80]}"' if evidence.query else ""
    return f"id={evidence.id} source={evidence.source} kind={evidence.kind.value}{status}{cut}{asked}".replace("\n", " ")


def abstract(evidence: Evidence, onset: datetime | None = None) -> str:
    """The payload in short rows; its compact JSON where the shape is unexpected."""
    shorten = ROWS.get(evidence.kind)
    try:
        rows = list(general(evidence.payload) if shorten is None else shorten(evidence.payload, onset))
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
        return _plainly(evidence)
    more = [f"(and {len(rows) - MOST_ROWS} more rows)"] if len(rows) > MOST_ROWS else []
    return "\n".join([*(row if len(row) <= ROW_CHARS else row[:ROW_CHARS] + "..." for row in rows[:MOST_ROWS]), *more])


def _plainly(evidence: Evidence) -> str:
    try:
        return plain(evidence.payload)
    except (ValueError, TypeError, RecursionError):
        return "(a payload of a shape that cannot be shown)"


def fingerprint(text: str) -> str:
    """Equal for equal texts; short enough to be remembered for every block."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _escaped(text: str) -> str:
    return visible(text).replace("<", "&lt;").replace(">", "&gt;")
