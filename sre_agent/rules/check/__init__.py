"""The checks, one file per family, in one table."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sre_agent.rules.check import reading
from sre_agent.rules.finding import Check, Finding
from sre_agent.rules.recognise import Recognised

Family = Callable[[Iterable[Recognised]], Iterator[Finding]]

FAMILIES: Final[tuple[tuple[tuple[Check, ...], Family], ...]] = ((reading.CHECKS, reading.findings),)
"""(its checks, what finds them)."""

CHECKS: Final[tuple[Check, ...]] = tuple(check for checks, _ in FAMILIES for check in checks)


def findings(parts: Iterable[Recognised]) -> tuple[Finding, ...]:
    """Everything that is wrong, by file, line and id."""
    given = tuple(parts)
    found = {f for _, family in FAMILIES for f in family(given)}
    return tuple(sorted(found, key=lambda f: (f.path, f.place.line, f.place.column, f.id)))
