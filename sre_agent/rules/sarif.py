"""What a run found, as SARIF 2.1.0, which code hosts show beside the lines.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from sre_agent.rules.document import Document
from sre_agent.rules.examine import ALL_CHECKS, Examined, documents_of
from sre_agent.rules.finding import Check, Finding, Fix
from sre_agent.rules.given import Read

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(examined: Examined, read: Read, version: str) -> dict[str, Any]:
    """One run: the checks, the findings with their fixes and suppressions, and the files that could not be read."""
    documents = {d.path: d for d in documents_of(examined.subject.parts)}
    index = {check.id: n for n, check in enumerate(ALL_CHECKS)}
    driver = {"name": "sre-agent", "version": version, "rules": [_rule(check) for check in ALL_CHECKS]}
    told = [{"level": "error", "message": {"text": complaint}} for complaint in read.complaints]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not told, "toolExecutionNotifications": told}],
        "results": [_result(f, index[f.id], documents[f.path]) for f in examined.findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(check: Check) -> dict[str, Any]:
    name = "".join(word.capitalize() for word in check.name.split("-"))
    return {
        "id": check.id,
        "name": name,
        "shortDescription": {"text": f"{check.title}."},
        "help": {"text": f"See {check.id} in docs/rules-check.md."},
        "defaultConfiguration": {"level": check.severity.value},
    }


def _result(one: Finding, index: int, document: Document) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": one.id,
        "ruleIndex": index,
        "level": one.severity.value,
        "message": {"text": f"{one.why[:1].upper()}{one.why[1:]}. To do: {one.todo}."},
        "locations": [{"physicalLocation": {"artifactLocation": _where(one.path), "region": _region(one)}}],
    }
    if one.fix is not None:
        result["fixes"] = [_fix(one.fix, document)]
    if one.suppressed is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": one.suppressed}]
    return result


def _region(one: Finding) -> dict[str, int]:
    return {"startLine": one.place.line, "startColumn": one.place.column}


def _where(path: str) -> dict[str, str]:
    place = PurePath(path)
    return {"uri": place.as_uri() if place.is_absolute() else quote(place.as_posix())}


def _fix(fix: Fix, document: Document) -> dict[str, Any]:
    replacements = [
        {"deletedRegion": _span(document.text, edit.start, edit.end), "insertedContent": {"text": edit.text}} for edit in fix.edits
    ]
    return {
        "description": {"text": fix.title},
        "artifactChanges": [{"artifactLocation": _where(document.path), "replacements": replacements}],
    }


def _span(text: str, start: int, end: int) -> dict[str, int]:
    """A region by lines and columns (the end column is the first one after it) and by offset."""
    (line, column), (last, after) = _at(text, start), _at(text, end)
    told = {"startLine": line, "startColumn": column, "endLine": last, "endColumn": after}
    return {**told, "charOffset": start, "charLength": end - start}


def _at(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
