"""What a run found, as JSON and as lines for people."""

from collections.abc import Iterator
from typing import Any

from sre_agent.rules.examine import Examined
from sre_agent.rules.finding import Finding, Severity
from sre_agent.rules.given import Read

VERSION = 1


def as_json(examined: Examined, read: Read) -> dict[str, Any]:
    """The whole report. Lines and columns from 1; edits are offsets in characters."""
    counts = examined.counts
    return {
        "version": VERSION,
        "files": list(read.files),
        "findings": [_finding(f) for f in examined.findings],
        "complaints": list(read.complaints),
        "skipped": list(read.skipped),
        "summary": {
            "rules": len(examined.subject.rules),
            **{f"{severity}s": counts[severity] for severity in Severity},
            "suppressed": len(examined.findings) - len(examined.open),
        },
    }


def _finding(one: Finding) -> dict[str, Any]:
    edits = [] if one.fix is None else [{"start": e.start, "end": e.end, "text": e.text} for e in one.fix.edits]
    return {
        "file": one.path,
        "line": one.place.line,
        "column": one.place.column,
        "id": one.id,
        "name": one.check.name,
        "severity": one.severity.value,
        "why": one.why,
        "todo": one.todo,
        "fix": None if one.fix is None else {"title": one.fix.title, "edits": edits},
        "suppressed": one.suppressed,
    }


def lines(examined: Examined) -> Iterator[str]:
    """Each finding in two lines, then those that somebody suppressed."""
    for one in examined.open:
        fix = " [--fix]" if one.fix is not None else ""
        yield f"{one.path}:{one.place.line}:{one.place.column}: {one.severity} {one.id} {one.check.name}: {one.why}"
        yield f"    {one.todo}{fix}"
    hidden = [f for f in examined.findings if f.suppressed is not None]
    for one in hidden:
        yield f"{one.path}:{one.place.line}:{one.place.column}: ignored {one.id} {one.check.name}: {one.suppressed}"


def summary(examined: Examined, read: Read) -> str:
    """ "3 files, 12 rules: 1 error, 2 warnings, 0 notes" """
    counts = examined.counts
    files, rules = len(read.files), len(examined.subject.rules)
    told = ", ".join(f"{counts[s]} {s}{'' if counts[s] == 1 else 's'}" for s in Severity)
    hidden = len(examined.findings) - len(examined.open)
    ignored = f", {hidden} ignored" if hidden else ""
    return f"{files} file{'' if files == 1 else 's'}, {rules} rule{'' if rules == 1 else 's'}: {told}{ignored}"
