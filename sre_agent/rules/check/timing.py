"""How long a condition must hold: `for`, `keep_firing_for`, and costs, which wait for the digest."""

from collections.abc import Iterator
from typing import Final

from sre_agent.routing.matcher import matcher
from sre_agent.rules.document import Scalar
from sre_agent.rules.finding import Check, Finding, Severity
from sre_agent.rules.promql.shape import burn_rate, comparisons, windows
from sre_agent.rules.promql.tree import Binary, Call, Expression, selectors, walk
from sre_agent.rules.rule import Rule
from sre_agent.rules.subject import Subject

NO_FOR: Final = Check("SRA401", "for-missing", Severity.WARNING, "An alert fires at the first evaluation")
FOR_ZERO: Final = Check("SRA402", "for-zero", Severity.WARNING, "for: 0s holds nothing")
MAY_FLAP: Final = Check("SRA403", "may-flap", Severity.NOTE, "An alert may come and go")
COST_PAGES: Final = Check("SRA501", "cost-pages", Severity.WARNING, "A cost alert wakes somebody")
COST_WITHOUT_RATIO: Final = Check(
    "SRA502", "cost-without-ratio", Severity.WARNING, "A cost alert does not tell its ratio to the baseline"
)
COST_WITHOUT_HOLD: Final = Check("SRA503", "cost-without-hold", Severity.WARNING, "A cost alert fires for a blip")

CHECKS: Final = (NO_FOR, FOR_ZERO, MAY_FLAP, COST_PAGES, COST_WITHOUT_RATIO, COST_WITHOUT_HOLD)

SHORT_S: Final = 120.0
RATIO: Final = "cost_ratio"
_COUNTS: Final = frozenset(
    {"increase", "changes", "resets", "count_over_time", "sum_over_time", "min_over_time", "max_over_time", "present_over_time"}
)


def findings(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the times of the alerts."""
    for rule in subject.alerts:
        if rule.tree is None or not any(selectors(rule.tree)) or rule.copies:
            # Unreadable, always firing on purpose (vector(1)), or firing for another alert, which has held already.
            continue
        if about_cost(rule, subject):
            yield from _cost(rule)
        elif not burn_rate(rule.tree):
            # The short window of a burn rate is its hold, and ends it soon after.
            yield from _for(rule, rule.tree)


def about_cost(rule: Rule, subject: Subject) -> bool:
    """Routing certainly takes it for a cost alert: it tells a ratio to a baseline, or the routing file's matchers hold."""
    return (
        RATIO in rule.annotations
        or RATIO in rule.labels
        or any(bool(matchers) and all(_certain(rule, text) for text in matchers) for matchers in subject.routing.cost.matchers)
    )


def _certain(rule: Rule, text: str) -> bool:
    one = matcher(text)
    value = rule.value(one.name)
    return value is not None and one.holds({one.name: value})


def _for(rule: Rule, tree: Expression) -> Iterator[Finding]:
    path = rule.document.path
    said = rule.node.get("for")
    if rule.for_s is None and not _counts(tree):
        why = "without `for` one bad scrape or one slow request fires it"
        yield NO_FOR.at(path, rule.place, why, "add for: 5m, or as long as people may wait; burn rates over two windows need none")
    elif isinstance(said, Scalar) and rule.for_s == 0.0 and not _counts(tree):
        why = "for: 0s is the same as none: one bad scrape or one slow request fires it"
        yield FOR_ZERO.at(path, said.place, why, "write for: 5m, or as long as people may wait")
    elif rule.wakes and rule.keep_s == 0.0 and 0.0 < (rule.for_s or 0.0) <= SHORT_S and _swings(tree):
        why = "it looks back over two minutes at most and pages: a value that swings about its limit pages again and again"
        yield MAY_FLAP.at(path, rule.place, why, "add keep_firing_for: 5m (Prometheus 2.42), or look back over 5 minutes or more")


def _swings(tree: Expression) -> bool:
    """A value that moves is compared with a limit, over a short time; what is there or not (== 0) does not swing."""
    return max(windows(tree), default=0.0) <= SHORT_S and any(c.sign not in ("==", "!=") for c in comparisons(tree))


def _counts(tree: Expression) -> bool:
    """Everything in it is counted over a time, so that a single event stays in sight for so long."""
    counted = {id(s) for part in walk(tree) if isinstance(part, Call) and part.function in _COUNTS for s in selectors(part)}
    return all(id(selector) in counted for selector in selectors(tree))


def _without_baseline(rule: Rule) -> bool:
    """It tells that there is no baseline (cost unless baseline), so that there can be no ratio."""
    return isinstance(rule.tree, Binary) and rule.tree.operator == "unless"


def _cost(rule: Rule) -> Iterator[Finding]:
    path = rule.document.path
    if rule.wakes:
        why = f"costs wait for the digest unless far above their baseline, but severity {rule.value('severity')!r} pages"
        yield COST_PAGES.at(path, rule.label_place("severity"), why, "write severity: ticket; what exceeds the limit pages anyway")
    if RATIO not in rule.annotations and rule.value(RATIO) == "" and not _without_baseline(rule):
        why = f"without the annotation {RATIO} nobody knows how far above its baseline it is, so it never pages, however dear"
        yield COST_WITHOUT_RATIO.at(path, rule.place, why, f"compare cost with its baseline, and add {RATIO}: '{{{{ $value }}}}'")
    if not rule.for_s:
        why = "a single dear minute fires it, and costs have time"
        yield COST_WITHOUT_HOLD.at(path, rule.place, why, "add for: 15m or more")
