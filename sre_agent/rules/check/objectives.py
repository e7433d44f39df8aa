"""Fixed thresholds where an objective exists, and objectives that no alert watches.

Source of burn rates: https://sre.google/workbook/alerting-on-slos/
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from sre_agent.routing.file import Objective
from sre_agent.routing.matcher import all_hold
from sre_agent.rules.finding import Check, Finding, Severity
from sre_agent.rules.promql.shape import Compared, burn_rate, comparisons, family, latency, ratio
from sre_agent.rules.promql.tree import Expression, selectors
from sre_agent.rules.rule import Rule
from sre_agent.rules.subject import Subject

STATIC: Final = Check("SRA307", "static-threshold", Severity.WARNING, "A fixed threshold where an objective exists")
DIFFERS: Final = Check("SRA308", "objective-differs", Severity.WARNING, "The threshold is not the objective's")
NO_BURN_RATE: Final = Check("SRA309", "no-burn-rate", Severity.WARNING, "An objective is recorded, and no alert watches its burn")

CHECKS: Final = (STATIC, DIFFERS, NO_BURN_RATE)

_OBJECTIVE: Final = re.compile(r"(^|[:_])(slo|sli|error_?budget|burn_?rate)([:_]|$)", re.IGNORECASE)
MOST_STEPS: Final = 10
"""How many recording rules are followed, one through another."""


def findings(subject: Subject) -> Iterator[Finding]:
    """What is wrong between the objectives and the alerts."""
    recorded = {rule.record: rule.tree for rule in subject.recorded if rule.tree is not None}
    objectives = [rule for rule in subject.recorded if _OBJECTIVE.search(rule.record) and rule.tree is not None]
    families = {rule.record: _families((rule.tree,), recorded) for rule in objectives if rule.tree is not None}
    for rule in subject.alerts:
        if rule.tree is None or burn_rate(rule.tree):
            continue
        for compared in comparisons(rule.tree):
            if _objective(rule, subject) is None:
                yield from _static(rule, compared, recorded, families)
            else:
                # A vertical's own objective is a threshold on purpose: it pages at once.
                yield from _differs(rule, compared, subject)
    if subject.alerts:
        yield from _unwatched(subject, objectives, families, recorded)


def _families(trees: Iterable[Expression], recorded: dict[str, Expression]) -> frozenset[str]:
    """The metric families behind expressions, through recording rules."""
    names = {selector.name for tree in trees for selector in selectors(tree)}
    found, seen = set[str](), set[str]()
    for _ in range(MOST_STEPS):
        seen |= names
        found |= {family(name) for name in names if name and name not in recorded}
        names = {s.name for name in names if name in recorded for s in selectors(recorded[name])} - seen
    return frozenset(found)


def _static(
    rule: Rule, compared: Compared, recorded: dict[str, Expression], families: dict[str, frozenset[str]]
) -> Iterator[Finding]:
    if not (ratio(compared.side) or latency(compared.side)):
        return
    own = _families((compared.side,), recorded)
    # Only where the objective is about all that is compared: a ratio that merely shares a denominator is another matter.
    about = next((name for name, known in families.items() if own and own <= known), None)
    if about is None or any(_OBJECTIVE.search(s.name) for s in selectors(compared.side)):
        return
    why = f"it compares with {compared.limit:g} what {about} has an objective for: it pages for blips and sleeps on slow burns"
    todo = "alert on the burn rate over two windows instead (`sre-agent rules generate`)"
    yield STATIC.at(rule.document.path, rule.place, why, todo)


def _differs(rule: Rule, compared: Compared, subject: Subject) -> Iterator[Finding]:
    objective = _objective(rule, subject)
    if objective is None or objective.above_ms is None or not latency(compared.side) or compared.sign not in (">", ">="):
        return
    limit, wanted = compared.limit, objective.above_ms
    where = f"the objective {objective.id} of the routing file"
    if limit not in (wanted, wanted / 1000.0):
        why = f"{where} pages above {wanted:g} ms, and this rule fires above {limit:g}"
        yield DIFFERS.at(rule.document.path, rule.place, why, f"compare with {wanted:g} ms, or change the objective")
    elif rule.for_s is not None and rule.for_s > objective.for_s:
        why = f"{where} pages after {objective.for_s:g} s, and this rule fires only after {rule.for_s:g} s"
        yield DIFFERS.at(rule.document.path, rule.place, why, f"write for: {objective.for_s:g}s, or change the objective")


def _objective(rule: Rule, subject: Subject) -> Objective | None:
    """The objective of the rule's own vertical that is certainly about it."""
    vertical = subject.routing.verticals.get(rule.value("vertical") or "")
    known = {name: rule.value(name) or "" for name in ("alertname", "alert_type", "vertical", "severity", "team", *rule.labels)}
    return next((o for o in (vertical.objectives if vertical else ()) if all_hold(o.matchers, known)), None)


def _unwatched(
    subject: Subject, objectives: list[Rule], families: dict[str, frozenset[str]], recorded: dict[str, Expression]
) -> Iterator[Finding]:
    """Once for each set of families that has an objective."""
    burning = [rule.tree for rule in subject.alerts if rule.tree is not None and burn_rate(rule.tree)]
    watched = [_families((tree,), recorded) for tree in burning]
    names = {selector.name for tree in burning for selector in selectors(tree)}
    told = set[frozenset[str]]()
    for rule in objectives:
        own = families[rule.record]
        if own in told or not own or rule.record in names or any(own & other for other in watched):
            continue
        told.add(own)
        why = f"{rule.record} records an objective, and no alert here watches how fast its budget burns"
        todo = "add burn-rate alerts over two windows (`sre-agent rules generate`), or give their file too"
        yield NO_BURN_RATE.at(rule.document.path, rule.place, why, todo)
