"""Expressions: can they be read, and are quantiles taken of what they must be taken of.

Source: https://prometheus.io/docs/practices/histograms/ and .../querying/functions/#histogram_quantile. Native histograms have
no `_bucket` series and need no `le`; nothing here is about them, but that they need a rate too.
"""

from collections.abc import Iterator
from typing import Final

from sre_agent.rules.document import Place
from sre_agent.rules.finding import Check, Finding, Fix, Severity
from sre_agent.rules.locate import edits_in, offset_in
from sre_agent.rules.promql.functions import TAKES
from sre_agent.rules.promql.tree import Aggregate, Binary, Call, Expression, Selector, Subquery, walk
from sre_agent.rules.rule import Rule
from sre_agent.rules.subject import Subject

UNREADABLE: Final = Check("SRA301", "expression-unreadable", Severity.ERROR, "The expression is no PromQL")
UNKNOWN_FUNCTION: Final = Check("SRA302", "function-unknown", Severity.WARNING, "The expression calls a function that is not known")
NO_RATE: Final = Check("SRA303", "quantile-without-rate", Severity.ERROR, "A quantile since the process began")
NO_LE: Final = Check("SRA304", "quantile-without-le", Severity.ERROR, "A quantile whose buckets lost their le")
NOT_SUMMED: Final = Check("SRA305", "quantile-not-summed", Severity.WARNING, "A quantile for each single series")
AVERAGED: Final = Check("SRA306", "quantile-averaged", Severity.WARNING, "An average of quantiles or buckets")

CHECKS: Final = (UNREADABLE, UNKNOWN_FUNCTION, NO_RATE, NO_LE, NOT_SUMMED, AVERAGED)

RATES: Final = frozenset({"rate", "increase", "irate", "delta"})
_WINDOW: Final = "[5m]"
_AVERAGES: Final = frozenset({"avg"})
_OVER_TIME: Final = frozenset({"avg_over_time"})


def findings(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the expressions of all rules, recording ones too."""
    for rule in subject.rules:
        if rule.expression is None:
            continue
        if rule.unreadable is not None:
            place = _place(rule, rule.unreadable.at)
            why = f"the expression cannot be read as PromQL: {rule.unreadable}"
            told = UNREADABLE.at(rule.document.path, place, why, "correct it; `promtool check rules` says more")
            yield told.as_(Severity.NOTE) if rule.unreadable.beyond else told
        elif rule.tree is not None:
            for part in walk(rule.tree):
                yield from _calls(rule, part, bool(subject.trees))


def _calls(rule: Rule, part: Expression, routed: bool) -> Iterator[Finding]:
    path = rule.document.path
    if isinstance(part, Call) and part.function not in TAKES:
        why = f"Prometheus has no function {part.function} that is known here, and refuses the whole file if it really has none"
        yield UNKNOWN_FUNCTION.at(path, _place(rule, part.start), why, "correct the name, or check it with `promtool check rules`")
    if isinstance(part, Call) and part.function == "histogram_quantile":
        yield from _quantile(rule, part, routed)
    averaged = (isinstance(part, Aggregate) and part.operator in _AVERAGES and part.argument) or (
        isinstance(part, Call) and part.function in _OVER_TIME and part.arguments[0]
    )
    if averaged and any(isinstance(inner, Call) and inner.function == "histogram_quantile" for inner in walk(averaged)):
        why = "the average of quantiles is no quantile: an instance with ten requests weighs as much as one with a million"
        yield AVERAGED.at(path, _place(rule, part.start), why, "sum the buckets first: sum by (le) (rate(...))")


def _quantile(rule: Rule, call: Call, routed: bool) -> Iterator[Finding]:
    inner = call.arguments[1]
    for selector in bare_buckets(inner):
        why = f"{selector.name} counts since the process began, so this quantile never fires on a recent regression"
        todo = f"take rate({selector.name}{{...}}[5m]), and sum by (le) of it"
        yield NO_RATE.at(rule.document.path, _place(rule, selector.start), why, todo, _rated(rule, call, selector, routed))
    if not any(part.name.endswith("_bucket") for part in walk(inner) if isinstance(part, Selector)):
        return
    sums = [part for part in _outer(inner) if isinstance(part, Aggregate)]
    for part in sums[:1]:
        if not _keeps_le(part):
            why = "the buckets are summed up without their label le, so histogram_quantile has no buckets left and yields nothing"
            yield NO_LE.at(rule.document.path, _place(rule, part.start), why, "keep it: sum by (le) (...)", _kept(rule, part))
        elif part.operator in _AVERAGES:
            why = "averaged buckets no longer add up where an instance lacks some of them"
            yield AVERAGED.at(rule.document.path, _place(rule, part.start), why, "write sum in place of avg")
    if not sums and not bare_buckets(inner):
        why = "without sum by (le) there is one quantile for each single series, and a quiet instance pages for one slow request"
        todo = "write histogram_quantile(q, sum by (le) (rate(...))), with the labels in the list that the alert needs"
        yield NOT_SUMMED.at(rule.document.path, _place(rule, inner.start), why, todo)


def bare_buckets(of: Expression) -> list[Selector]:
    """The `_bucket` selectors that no function over time is taken of."""
    if isinstance(of, Selector):
        return [of] if of.name.endswith("_bucket") and of.range_s is None else []
    if isinstance(of, Subquery) or (isinstance(of, Call) and of.function in RATES):
        return []
    return [found for part in _below(of) for found in bare_buckets(part)]


def _below(of: Expression) -> tuple[Expression, ...]:
    match of:
        case Call():
            return of.arguments
        case Aggregate():
            return (of.argument,)
        case Binary():
            return of.left, of.right
        case _:
            return ()


def _outer(of: Expression) -> Iterator[Expression]:
    """What is taken of the buckets, from the outside in, down to the rate."""
    while True:
        yield of
        if isinstance(of, Aggregate):
            of = of.argument
        elif isinstance(of, Binary):
            of = of.left if any(isinstance(p, Selector) for p in walk(of.left)) else of.right
        else:
            return


def _keeps_le(of: Aggregate) -> bool:
    if of.kept == "by":
        return "le" in of.labels
    return of.kept == "without" and "le" not in of.labels


def _place(rule: Rule, at: int) -> Place:
    """Where a part of the expression stands in the file; the expression's own place when that cannot be told."""
    scalar = rule.expression
    if scalar is None:
        return rule.place
    offset = offset_in(rule.document, scalar, at)
    if offset is None:
        return scalar.place
    text = rule.document.text
    line_start = text.rfind("\n", 0, offset) + 1
    return Place(text.count("\n", 0, offset) + 1, offset - line_start + 1, offset, scalar.place.end)


def _rated(rule: Rule, call: Call, selector: Selector, routed: bool) -> Fix | None:
    """rate(...[5m]) around the selector, and sum by (le) where nothing else can be meant: its series lose their labels, so that
    is done only where the routes are at hand that show it changes no receiver (fix.py)."""
    summed = routed and selector is call.arguments[1] and _free(rule, call)
    before, after = ("sum by (le) (rate(", "))") if summed else ("rate(", ")")
    inserted = {selector.start: before, selector.body_end: _WINDOW}
    inserted[selector.end] = inserted.get(selector.end, "") + after
    return _fix(rule, "take the rate over 5 minutes", inserted)


def _kept(rule: Rule, part: Aggregate) -> Fix | None:
    """le among the labels that are kept."""
    if part.kept == "by" and part.list_open >= 0:
        return _fix(rule, "keep le", {part.list_open + 1: "le, " if part.labels else "le"})
    if not part.kept:
        return _fix(rule, "keep le", {part.open: "by (le) " if part.open > part.start + len(part.operator) else " by (le) "})
    return None


def _free(rule: Rule, call: Call) -> bool:
    """Nothing in the rule depends on the labels that a sum by (le) would drop: the quantile is all that is compared, and no text
    speaks of labels."""
    tree = rule.tree
    if rule.record or tree is None:
        return False
    compared = tree is call or (isinstance(tree, Binary) and tree.matching is None and call in (tree.left, tree.right))
    texts = (*rule.annotations.values(), *(own.text for own in rule.labels.values()))
    return compared and not any("abels" in text for text in texts if "{{" in text)


def _fix(rule: Rule, title: str, inserted: dict[int, str]) -> Fix | None:
    edits = None if rule.expression is None else edits_in(rule.document, rule.expression, inserted)
    return None if edits is None else Fix(title, edits)
