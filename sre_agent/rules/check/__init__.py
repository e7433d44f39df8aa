"""The checks, one file per family, in one table."""

from collections.abc import Callable, Iterator
from typing import Final

from sre_agent.rules.check import holds, labels, objectives, quantiles, reading, receivers, routes, timing, tree
from sre_agent.rules.finding import Check, Finding
from sre_agent.rules.subject import Subject

Family = Callable[[Subject], Iterator[Finding]]

FAMILIES: Final[tuple[tuple[tuple[Check, ...], Family], ...]] = (
    (reading.CHECKS, reading.findings),
    (labels.CHECKS, labels.findings),
    (routes.CHECKS, routes.findings),
    (tree.CHECKS, tree.findings),
    (receivers.CHECKS, receivers.findings),
    (holds.CHECKS, holds.findings),
    (quantiles.CHECKS, quantiles.findings),
    (objectives.CHECKS, objectives.findings),
    (timing.CHECKS, timing.findings),
)
"""(its checks, what finds them)."""

CHECKS: Final[tuple[Check, ...]] = tuple(sorted((check for checks, _ in FAMILIES for check in checks), key=lambda c: c.id))


def findings(subject: Subject) -> tuple[Finding, ...]:
    """Everything that is wrong, by file, line and id."""
    found = {f for _, family in FAMILIES for f in family(subject)}
    return tuple(sorted(found, key=lambda f: (f.path, f.place.line, f.place.column, f.id, f.why)))
