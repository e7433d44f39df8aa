"""Telemetry as a model may see it: abstracted, capped, inside marked blocks that its text cannot leave. Pure.

SAFETY: control, bidirectional, invisible and private-use characters are shown as [U+XXXX]; "<" and ">" are
escaped, so nothing inside a block can look like the end of it or like another role's message.
"""

import hashlib
import re
import unicodedata
from datetime import datetime

from sre_agent.evidence.evidence import Evidence, EvidenceStatus
from sre_agent.investigation.short_forms import ROWS, general, plain

BLOCK_CHARS = 3_000
MOST_ROWS = 30
ROW_CHARS = 700
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0000-\U0010ffff]")
_PLAIN = {ord("\n"): " ", ord("\t"): " "}


def visible(text: str) -> str:
    """`text` with every character that a reader cannot see, and variation selectors, made visible."""
    if text.translate(_PLAIN).isprintable() and not _SELECTORS.search(text):
        return text
    return "".join(f"[U+{ord(c):04X}]" if _unseen(c) else c for c in text)


def _unseen(c: str) -> bool:
    return (c not in "\n\t" and unicodedata.category(c) in _HIDDEN) or _SELECTORS.match(c) is not None


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
