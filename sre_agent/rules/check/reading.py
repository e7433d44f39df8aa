"""What is wrong with a file before anybody looks at what it says: Prometheus or Alertmanager would refuse it whole.

Source: https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/ and the one named in tree.py.
"""

import difflib
import re
from collections.abc import Iterator
from typing import Final

from sre_agent.rules.document import Mapping, Node, Scalar, Sequence, duplicates
from sre_agent.rules.finding import Check, Finding, Severity
from sre_agent.rules.recognise import RuleFile
from sre_agent.rules.rule import TEMPLATE
from sre_agent.rules.subject import Subject

DUPLICATE_KEY: Final = Check("SRA001", "duplicate-key", Severity.ERROR, "A key is given twice")
UNKNOWN_KEY: Final = Check("SRA002", "unknown-key", Severity.ERROR, "A key that does not exist")
WRONG_SHAPE: Final = Check("SRA003", "wrong-shape", Severity.ERROR, "A rule or group that would be refused")
LATER_DOCUMENT: Final = Check("SRA004", "later-document", Severity.ERROR, "A document that nobody reads")

CHECKS: Final = (DUPLICATE_KEY, UNKNOWN_KEY, WRONG_SHAPE, LATER_DOCUMENT)

# Thanos and Mimir know some keys more than Prometheus.
_FILE: Final = ("groups", "namespace")
_GROUP: Final = (
    *("name", "interval", "query_offset", "limit", "labels", "rules", "partial_response_strategy"),
    *("source_tenants", "evaluation_delay", "align_evaluation_time_on_interval"),
)
_RULE: Final = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
_CONFIG: Final = (
    *("global", "route", "receivers", "inhibit_rules", "templates", "time_intervals", "mute_time_intervals", "tracing"),
    "storage",
)
_ROUTE: Final = (
    *("receiver", "group_by", "match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals", "continue"),
    *("routes", "group_wait", "group_interval", "repeat_interval"),
)
_DURATION: Final = re.compile(r"0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

Wrong = tuple[Node, str, str]
"""Where, why, what to do."""


def findings(subject: Subject) -> Iterator[Finding]:
    """What would be refused."""
    for document in {id(p.document): p.document for p in subject.parts}.values():
        for root in document.roots:
            for first, again in duplicates(root):
                why = f"the key {again.text!r} was given on line {first.place.line} already, and the whole file is refused"
                yield DUPLICATE_KEY.at(document.path, again.place, why, "remove one of the two")
        if len(document.roots) > 1 and not (isinstance(document.roots[0], Mapping) and document.roots[0].text("kind")):
            why = "Prometheus and Alertmanager read the first YAML document of a file only, and say nothing of the others"
            yield LATER_DOCUMENT.at(document.path, document.roots[1].place, why, "put it into a file of its own")
    for part in subject.parts:
        if isinstance(part, RuleFile):
            yield from _unknown(part.document.path, part.holder, _FILE if part.holder in part.document.roots else ("groups",))
            for node, why, todo in _groups(part):
                yield WRONG_SHAPE.at(part.document.path, node.place, why, todo)
            yield from _unknown_below(part)
        else:
            yield from _unknown(part.document.path, part.root, _CONFIG)
    for tree in subject.trees:
        for route in tree.routes():
            yield from _unknown(tree.document.path, route.node, _ROUTE)


def _unknown(path: str, node: Mapping, known: tuple[str, ...]) -> Iterator[Finding]:
    for entry in node.entries:
        if entry.key.text not in known:
            close = difflib.get_close_matches(entry.key.text, known, n=1)
            why = f"there is no key {entry.key.text!r} here, and the whole file is refused for it"
            todo = f"write {close[0]}" if close else f"take it away; there are {', '.join(known)}"
            yield UNKNOWN_KEY.at(path, entry.key.place, why, todo)


def _unknown_below(part: RuleFile) -> Iterator[Finding]:
    for group in part.holder.items("groups"):
        if isinstance(group, Mapping):
            yield from _unknown(part.document.path, group, _GROUP)
            for rule in group.items("rules"):
                if isinstance(rule, Mapping):
                    yield from _unknown(part.document.path, rule, _RULE)


def _groups(part: RuleFile) -> Iterator[Wrong]:
    groups = part.holder.get("groups")
    if groups is not None and not isinstance(groups, Sequence):
        yield groups, "groups is no list", "write - name: ... for each group"
    seen = dict[str, Mapping]()
    for group in part.holder.items("groups"):
        if not isinstance(group, Mapping):
            yield group, "a group is a mapping with name and rules", "write - name: ..., and rules: below it"
            continue
        name = group.text("name")
        if not name:
            yield group, "the group has no name", "add name:"
        elif seen.setdefault(name, group) is not group:
            yield group, f"the group {name!r} stands on line {seen[name].place.line} already", "rename one"
        yield from _duration(group, "interval")
        rules = group.get("rules")
        if rules is not None and not isinstance(rules, Sequence):
            yield rules, "rules is no list", "write - alert: ... for each rule"
        yield from _labels(group)
        for rule in group.items("rules"):
            if isinstance(rule, Mapping):
                yield from _rule(rule)
            else:
                yield rule, "a rule is a mapping with alert or record, and expr", "write - alert: ..., and expr: below it"


def _rule(rule: Mapping) -> Iterator[Wrong]:
    alert, record = rule.text("alert"), rule.text("record")
    if bool(alert) == bool(record):
        yield rule, "a rule has either alert or record", "keep one of the two" if alert else "add alert: with a name"
    if not rule.text("expr").strip():
        yield rule, "the rule has no expr", "add expr:"
    if record and not alert:
        if not _METRIC.fullmatch(record):
            yield rule, f"{record!r} is no name for a metric", "use letters, digits, _ and : only"
        for key in ("for", "keep_firing_for", "annotations"):
            found = rule.get(key)
            if found is not None:
                yield found, f"a recording rule has no {key}", "take it away"
    yield from _duration(rule, "for")
    yield from _duration(rule, "keep_firing_for")
    yield from _labels(rule)
    yield from _texts(rule, "annotations")


def _duration(node: Mapping, key: str) -> Iterator[Wrong]:
    found = node.get(key)
    said = isinstance(found, Scalar) and found.text != "" and _DURATION.fullmatch(found.text) is not None
    if found is not None and not said:
        yield found, f"{key} is no duration", "write it like 30s, 5m or 1h30m"


def _labels(node: Mapping) -> Iterator[Wrong]:
    under = node.mapping("labels")
    for entry in () if under is None else under.entries:
        name = entry.key.text
        if name == "__name__" or not _LABEL.fullmatch(name):
            yield entry.key, f"{name!r} is no name for a label", "use letters, digits and _ only"
    yield from _texts(node, "labels")


def _texts(node: Mapping, key: str) -> Iterator[Wrong]:
    found = node.get(key)
    if found is not None and not isinstance(found, Mapping):
        yield found, f"{key} is no mapping", "write name: text below it"
    for entry in found.entries if isinstance(found, Mapping) else ():
        if not isinstance(entry.value, Scalar):
            yield entry.value, f"{entry.key.text} is no text", "write it as text, in quotes if need be"
        elif entry.value.text.count(TEMPLATE) > entry.value.text.count("}}"):
            yield entry.value, f"a template in {entry.key.text} is not closed", "close it with }}"
