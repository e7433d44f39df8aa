"""Edits that are safe, made where they stand: comments and layout stay as they are.

SAFETY: no fix may change which receiver gets an alert. Where an Alertmanager configuration is among the files, every rule is sent
through it before and after; a fix that makes a difference is left to a person.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sre_agent.incident.errors import ConfigurationError
from sre_agent.rules.document import Document, read
from sre_agent.rules.examine import Examined, documents_of, examine
from sre_agent.rules.finding import Edit, Finding
from sre_agent.rules.recognise import Recognised, recognised
from sre_agent.rules.subject import Subject

MOST_ROUNDS: Final = 5
"""Fixes that would overlap wait for the next round."""
_CHANGED_RECEIVER: Final = "it would change which receiver gets the alert; look at it and do it by hand"


@dataclass(frozen=True)
class Fixed:
    """`after`: what is still wrong. `texts`: (before, after) of each file that changed. `done`: what was repaired. `left`: what
    could have been and was not, with the reason."""

    after: Examined
    texts: dict[str, tuple[str, str]]
    done: tuple[Finding, ...]
    left: tuple[tuple[Finding, str], ...]

    def diff(self) -> str:
        """What changed, as a unified diff."""
        parts = list[str]()
        for path, (before, after) in self.texts.items():
            old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
            for line in difflib.unified_diff(old, new, path, path):
                parts.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
        return "".join(parts)


def fixed(examined: Examined) -> Fixed:
    """Everything that can be repaired safely, in memory. Nothing is written."""
    originals = {d.path: d.text for d in documents_of(examined.subject.parts)}
    current, done, left = examined, list[Finding](), dict[tuple[str, int, str], tuple[Finding, str]]()
    for _ in range(MOST_ROUNDS):
        shared = {d.path: d.shared for d in documents_of(current.subject.parts)}
        wanted = [f for f in current.open if _can(f, shared[f.path])]
        if not wanted:
            break
        chosen = _apart(wanted)
        safe = _safe(chosen, current)
        for finding in chosen:
            if finding not in safe:
                left[finding.path, finding.place.line, finding.id] = finding, _CHANGED_RECEIVER
        if not safe:
            break
        done += safe
        current = examine(_after(safe, current), current.subject.routing)
    texts = {d.path: (originals[d.path], d.text) for d in documents_of(current.subject.parts) if d.text != originals[d.path]}
    return Fixed(current, texts, tuple(done), tuple(left.values()))


def _can(finding: Finding, shared: tuple[tuple[int, int], ...]) -> bool:
    """It has a fix, and nothing that an alias repeats elsewhere is touched by it."""
    return finding.fix is not None and not any(
        start <= edit.start and edit.end <= end for start, end in shared for edit in finding.fix.edits
    )


def _apart(findings: Sequence[Finding]) -> list[Finding]:
    """The first of those whose edits overlap."""
    taken, chosen = dict[str, list[tuple[int, int]]](), list[Finding]()
    for finding in findings:
        edits = finding.fix.edits if finding.fix is not None else ()
        spans = [(e.start, e.end) for e in edits]
        others = taken.setdefault(finding.path, [])
        if not any(s <= end and start <= e for s, e in spans for start, end in others):
            others += spans
            chosen.append(finding)
    return chosen


def _safe(findings: Sequence[Finding], examined: Examined) -> list[Finding]:
    """Those that can be made together without changing a receiver, and that repair what they are for; halves are tried apart."""
    if not findings or _holds(findings, examined):
        return list(findings)
    if len(findings) == 1:
        return []
    middle = len(findings) // 2
    return _safe(findings[:middle], examined) + _safe(findings[middle:], examined)


def _holds(findings: Sequence[Finding], examined: Examined) -> bool:
    try:
        parts = _after(findings, examined)
    except ConfigurationError:
        return False
    after = examine(parts, examined.subject.routing)
    before = _open_by_id(examined)
    repaired = _open_by_id(after)
    gone = all(repaired.get(key, 0) < before[key] for key in {(f.path, f.id) for f in findings})
    worse = any(count > before.get(key, 0) for key, count in repaired.items() if key[1] in ("SRA301", "SRA001", "SRA003"))
    return gone and not worse and receivers(examined.subject) == receivers(after.subject)


def _open_by_id(examined: Examined) -> dict[tuple[str, str], int]:
    counts = dict[tuple[str, str], int]()
    for finding in examined.open:
        counts[finding.path, finding.id] = counts.get((finding.path, finding.id), 0) + 1
    return counts


def receivers(subject: Subject) -> list[frozenset[tuple[str, bool]]]:
    """For each tree and alert, in their order: the receivers that it reaches, and whether certainly."""
    return [
        frozenset((d.route.receiver, d.certain) for d in tree.deliveries(subject.value_of(rule)))
        for tree in subject.trees
        for rule in subject.alerts
    ]


def _after(findings: Sequence[Finding], examined: Examined) -> tuple[Recognised, ...]:
    """What was read, with these fixes made."""
    edits = dict[str, list[Edit]]()
    for finding in findings:
        if finding.fix is not None:
            edits.setdefault(finding.path, []).extend(finding.fix.edits)
    parts = list[Recognised]()
    for document in documents_of(examined.subject.parts):
        if document.path not in edits:
            parts += [p for p in examined.subject.parts if p.document is document]
            continue
        again = read(document.lead + applied(document, edits[document.path]), document.path)
        parts += recognised(again)
    return tuple(parts)


def applied(document: Document, edits: Sequence[Edit]) -> str:
    """The text with the edits made. They must not overlap; insertions at one place are made in their order."""
    text, at = list[str](), 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        text += [document.text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*text, document.text[at:]])
