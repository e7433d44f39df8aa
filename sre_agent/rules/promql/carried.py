"""Which labels the series of an expression carry, as far as the expression itself says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sre_agent.rules.promql.parse import kind
from sre_agent.rules.promql.tree import (
    Aggregate,
    Binary,
    Call,
    Expression,
    Kind,
    Matching,
    Minus,
    Number,
    Selector,
    Subquery,
    Text,
)


@dataclass(frozen=True)
class Carried:
    """`named`: labels that are spoken of, with their value where it is fixed and None where it is not. `others`: labels that
    nobody speaks of may be there too, but for those in `gone`."""

    named: Mapping[str, str | None]
    others: bool
    gone: frozenset[str] = frozenset()

    def value(self, label: str) -> str | None:
        """The label's value: a text where it is fixed, "" where it is certainly not there, None where nobody can tell."""
        if label in self.named:
            return self.named[label]
        return None if self.others and label not in self.gone else ""

    def only(self, labels: Iterable[str]) -> "Carried":
        """Just these labels."""
        kept = {label: self.value(label) for label in labels}
        return Carried({k: v for k, v in kept.items() if v != ""}, others=False)

    def without(self, labels: Iterable[str]) -> "Carried":
        """All but these labels."""
        dropped = frozenset(labels)
        return Carried({k: v for k, v in self.named.items() if k not in dropped}, self.others, self.gone | dropped)

    def given(self, label: str) -> "Carried":
        """With this label, whose value nobody knows."""
        return Carried({**self.named, label: None}, self.others, self.gone - {label})


NOTHING = Carried({}, others=False)


def carried(of: Expression) -> Carried:
    """The labels of what an expression yields, without the metric's name."""
    match of:
        case Number() | Text():
            return NOTHING
        case Selector():
            return Carried({label: value for label, operator, value in of.matchers if operator == "="}, others=True)
        case Minus():
            return carried(of.operand)
        case Subquery():
            return carried(of.inner)
        case Aggregate():
            return _aggregated(of)
        case Call():
            return _called(of)
        case Binary():
            return _both(of)


def _aggregated(of: Aggregate) -> Carried:
    inner = carried(of.argument)
    if of.operator in ("topk", "bottomk", "limitk", "limit_ratio"):
        return inner
    found = inner.only(of.labels) if of.kept == "by" else inner.without(of.labels) if of.kept == "without" else NOTHING
    if of.operator == "count_values" and isinstance(of.parameter, Text):
        return found.given(of.parameter.value)
    return found


def _called(of: Call) -> Carried:
    if of.function in ("absent", "absent_over_time"):
        # Only what the selector fixes is told; everything else is not there to be told.
        inner = carried(of.arguments[0])
        return Carried({k: v for k, v in inner.named.items() if v}, others=False)
    series = next((a for a in of.arguments if kind(a) in (Kind.VECTOR, Kind.MATRIX)), None)
    if series is None or of.function == "scalar":
        return NOTHING
    inner = carried(series)
    if of.function in ("histogram_quantile", "histogram_quantiles", "histogram_fraction"):
        return inner.without(("le",))
    if of.function in ("label_replace", "label_join") and isinstance(of.arguments[1], Text):
        return inner.given(of.arguments[1].value)
    # info() adds labels that only the data knows.
    return Carried(inner.named, True, frozenset()) if of.function == "info" else inner


def _both(of: Binary) -> Carried:
    left, right = carried(of.left), carried(of.right)
    if kind(of.left) is Kind.SCALAR:
        return right
    if kind(of.right) is Kind.SCALAR or of.operator in ("and", "unless"):
        return left
    if of.operator == "or":
        return _either(left, right)
    return _matched(left, right, of.matching)


def _either(left: Carried, right: Carried) -> Carried:
    labels = left.named.keys() | right.named.keys()
    merged = {label: left.value(label) if left.value(label) == right.value(label) else None for label in labels}
    return Carried(merged, left.others or right.others, left.gone & right.gone)


def _matched(left: Carried, right: Carried, matching: Matching | None) -> Carried:
    """One side's labels: of one to one matching only those that were matched on, of many to one those of the many."""
    if matching is None:
        return left
    many = right if matching.group == "group_right" else left
    if matching.group:
        one = left if matching.group == "group_right" else right
        named = {**many.named, **{label: one.value(label) for label in matching.included}}
        return Carried({k: v for k, v in named.items() if v != ""}, many.others, many.gone - set(matching.included))
    return many.only(matching.labels) if matching.how == "on" else many.without(matching.labels)
