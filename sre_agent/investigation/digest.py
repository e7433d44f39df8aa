"""Telemetry as a model may see it: abstracted, capped, inside marked blocks that its text cannot leave. Pure.

SAFETY: control, bidirectional, invisible and private-use characters are shown as [U+XXXX]; "<" and ">" are
escaped, so nothing inside a block can look like the end of it or like another role's message.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series

BLOCK_CHARS = 4_000
MOST_ROWS = 40
MOST_LINES = 2_000  # of one log, the newest; a model needs their shapes, not each of them
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0000-\U0010ffff]")
_PLAIN = {ord("\n"): " ", ord("\t"): " "}
_VARYING = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\d+", re.IGNORECASE)


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


def evidence_block(evidence: Evidence) -> str:
    """One piece of evidence as a block: its header and an abstract of its payload."""
    label = f"id={evidence.id} source={evidence.source} kind={evidence.kind.value} status={evidence.status.value}"
    head = f"query: {evidence.query}\n" if evidence.query else ""
    if evidence.status is not EvidenceStatus.OK:
        return block(label, head + (evidence.error or "nothing there"))
    return block(label, head + abstract(evidence))


def abstract(evidence: Evidence) -> str:
    """The payload in short rows; its compact JSON where no shorter form is known or the shape is unexpected."""
    shorten = _SHORT.get(evidence.kind)
    if shorten is None:
        return plain(evidence.payload)
    try:
        rows = list(shorten(evidence.payload))
    except (ValueError, TypeError, AttributeError, LookupError):
        return plain(evidence.payload)
    more = [f"(and {len(rows) - MOST_ROWS} more rows)"] if len(rows) > MOST_ROWS else []
    return "\n".join([*rows[:MOST_ROWS], *more])


def plain(payload: Any) -> str:
    """Compact JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def template(line: str) -> str:
    """A log line with what varies (numbers, ids) replaced by "#": thousands of lines become a few shapes."""
    return _VARYING.sub("#", line)


def _escaped(text: str) -> str:
    return visible(text).replace("<", "&lt;").replace(">", "&gt;")


def _metrics(payload: Any) -> Iterable[str]:
    for raw in payload:
        series = Series.model_validate(raw)
        values = [v for _, v in series.finite()]
        labels = ",".join(f"{k}={v}" for k, v in sorted(series.labels.items()) if k != "__name__")
        if not values:
            yield f"{series.name}{{{labels}}} no numbers"
            continue
        third = max(1, len(values) // 3)
        early, late = sum(values[:third]) / third, sum(values[-third:]) / third
        yield (
            f"{series.name}{{{labels}}} n={len(values)} first={values[0]:g} last={values[-1]:g} min={min(values):g} "
            f"max={max(values):g} mean_of_first_third={early:g} mean_of_last_third={late:g}"
        )


def _kubernetes(payload: Any) -> Iterable[str]:
    # What is wrong first: a long list is cut at its end.
    rows = [_object(item) for item in payload["items"]]
    return [r for _, r in sorted(rows, key=lambda pair: pair[0])]


def _object(item: dict[str, Any]) -> tuple[int, str]:
    kind, meta, status = item.get("kind", "?"), item.get("metadata", {}), item.get("status") or {}
    name = f"{kind} {meta.get('namespace', '-')}/{meta.get('name', '?')}"
    if kind == "Event":
        about = item.get("involvedObject", {})
        return (
            1,
            f"Event {item.get('reason')} on {about.get('kind')}/{about.get('name')} x{item.get('count', 1)}: {item.get('message')}",
        )
    if kind == "Pod":
        states = [
            f"{c.get('name')}: ready={c.get('ready')} restarts={c.get('restartCount')} "
            f"state={plain(c.get('state', {}))} last={plain(c.get('lastState', {}))}"
            for c in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
        ]
        well = all(c.get("ready") for c in status.get("containerStatuses", ())) and status.get("phase") == "Running"
        return (2 if well else 0), f"{name} phase={status.get('phase')} node={item.get('spec', {}).get('nodeName')} " + "; ".join(
            states
        )
    conditions = [f"{c.get('type')}={c.get('status')} {c.get('reason', '')}".strip() for c in status.get("conditions", ())]
    return 2, f"{name} {', '.join(conditions)}".strip()


def _logs(payload: Any) -> Iterable[str]:
    lines = [str(line.get("line", line)) if isinstance(line, dict) else str(line) for line in payload["lines"][-MOST_LINES:]]
    counts = Counter(template(line)[:300] for line in lines)
    head = f"{payload.get('namespace')}/{payload.get('pod')}/{payload.get('container')} previous={payload.get('previous')}"
    return [head, *(f"x{n} {shape}" for shape, n in counts.most_common())]


_SHORT: dict[EvidenceKind, Callable[[Any], Iterable[str]]] = {
    EvidenceKind.METRICS: _metrics,
    EvidenceKind.KUBERNETES: _kubernetes,
    EvidenceKind.LOGS: _logs,
}
