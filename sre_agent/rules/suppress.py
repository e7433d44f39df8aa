"""`# sre-agent: ignore SRA101 reason`: on the line of a finding, or on lines of their own right above it. Counted, never silent."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from sre_agent.rules.document import Document, Place
from sre_agent.rules.finding import Check, Finding, Severity

IGNORE: Final = Check("SRA005", "ignore-comment", Severity.WARNING, "An ignore comment that does nothing")

_COMMENT: Final = re.compile(
    r"#\s*sre-agent:\s*ignore\b[ \t]*(?P<ids>[A-Za-z]+\d+(?:[ \t]*,[ \t]*[A-Za-z]+\d+)*)?[ \t:,-]*(?P<reason>[^\r\n]*)"
)
_ALONE: Final = re.compile(r"\s*#")


@dataclass(frozen=True)
class Ignore:
    """One comment: which ids, why, and the line of what it is about."""

    place: Place
    ids: tuple[str, ...]
    reason: str
    line: int


def ignores(document: Document) -> Iterator[Ignore]:
    """Every ignore comment of a file."""
    if "sre-agent:" not in document.text:
        return
    lines = document.text.split("\n")
    offset = 0
    for number, line in enumerate(lines, 1):
        found = _COMMENT.search(line)
        if found is not None:
            about = number
            while about < len(lines) and _ALONE.match(lines[about - 1]):
                about += 1
            place = Place(number, found.start() + 1, offset + found.start(), offset + found.end())
            ids = tuple(part.strip().upper() for part in (found["ids"] or "").split(",") if part.strip())
            yield Ignore(place, ids, found["reason"].strip(), about)
        offset += len(line) + 1


def suppressed(findings: Iterable[Finding], documents: Iterable[Document], known: frozenset[str]) -> tuple[Finding, ...]:
    """The findings, those that a comment ignores with its reason, and what is wrong with the comments themselves."""
    comments = {document.path: tuple(ignores(document)) for document in documents}
    at = defaultdict[tuple[str, int, str], list[Ignore]](list)
    for path, found in comments.items():
        for one in found:
            for name in one.ids if one.reason else ():
                at[path, one.line, name].append(one)
    told, used = list[Finding](), set[tuple[int, str]]()
    for finding in findings:
        covering = at.get((finding.path, finding.place.line, finding.id), [])
        used |= {(id(one), finding.id) for one in covering}
        told.append(replace(finding, suppressed=covering[0].reason) if covering else finding)
    for path, found in comments.items():
        for one in found:
            told += _idle(path, one, known, used)
    return tuple(told)


def _idle(path: str, one: Ignore, known: frozenset[str], used: set[tuple[int, str]]) -> Iterator[Finding]:
    form = "write `# sre-agent: ignore ID reason`"
    if not one.ids:
        yield IGNORE.at(path, one.place, "this comment names no check, so nothing is ignored", form)
    elif not one.reason:
        yield IGNORE.at(path, one.place, "this comment gives no reason, so nothing is ignored", form)
    else:
        for name in one.ids:
            if name not in known:
                yield IGNORE.at(path, one.place, f"there is no check {name}", "correct the id, or take the comment away")
            elif (id(one), name) not in used:
                why = f"nothing is wrong here that {name} is about"
                yield IGNORE.at(path, one.place, why, "take the comment away").as_(Severity.NOTE)
