"""The labels that the agent and the routes trust: class, team, severity, tool, vertical, target."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from sre_agent.incident.alert import AlertClass
from sre_agent.routing.signals import severity_of
from sre_agent.rules.document import Scalar
from sre_agent.rules.finding import Check, Edit, Finding, Fix, Severity
from sre_agent.rules.rule import TEMPLATE, Rule
from sre_agent.rules.subject import Subject

CLASS_MISSING: Final = Check("SRA101", "alert-type-missing", Severity.ERROR, "An alert has no alert_type")
CLASS_INVALID: Final = Check("SRA102", "alert-type-invalid", Severity.ERROR, "alert_type is not exactly infra, model or tool")
CLASS_TEMPLATED: Final = Check("SRA103", "alert-type-templated", Severity.ERROR, "alert_type is only known when the alert fires")
TEAM_MISSING: Final = Check("SRA104", "team-missing", Severity.ERROR, "An alert has no team")
SEVERITY_MISSING: Final = Check("SRA105", "severity-missing", Severity.ERROR, "An alert has no severity")
SEVERITY_UNKNOWN: Final = Check("SRA106", "severity-unknown", Severity.WARNING, "The severity is not one of the known ones")
TOOL_MISSING: Final = Check("SRA107", "tool-name-missing", Severity.ERROR, "A tool alert does not name its tool")
TOOL_UNKNOWN: Final = Check("SRA108", "tool-name-unknown", Severity.WARNING, "No owner is known for the tool")
VERTICAL_UNKNOWN: Final = Check("SRA109", "vertical-unknown", Severity.WARNING, "The vertical is not in the routing file")
TARGET_MISSING: Final = Check("SRA110", "target-missing", Severity.NOTE, "An infrastructure alert does not say what is sick")
CHANGING_LABEL: Final = Check("SRA111", "changing-label", Severity.ERROR, "A label changes with the value")
PAGES_UNKNOWN: Final = Check("SRA112", "pages-unknown-class", Severity.WARNING, "An alert pages, and nobody knows whom it concerns")
SAME_ALERT: Final = Check("SRA113", "same-alert-twice", Severity.WARNING, "Two alerts of a group have the same name and labels")

CHECKS: Final = (
    *(CLASS_MISSING, CLASS_INVALID, CLASS_TEMPLATED, TEAM_MISSING, SEVERITY_MISSING, SEVERITY_UNKNOWN, TOOL_MISSING),
    *(TOOL_UNKNOWN, VERTICAL_UNKNOWN, TARGET_MISSING, CHANGING_LABEL, PAGES_UNKNOWN, SAME_ALERT),
)

CLASSES: Final = (AlertClass.INFRA.value, AlertClass.MODEL.value, AlertClass.TOOL.value)
SEVERITIES: Final = ("page", "ticket", "critical", "error", "warning", "info", "none", *(f"sev{n}" for n in range(1, 6)))
_WORKLOADS: Final = ("pod", "deployment", "statefulset", "daemonset")
_VALUE: Final = re.compile(r"\{\{[^}]*(?:\$value|\.Value\b|\bquery\b)[^}]*\}\}")


def findings(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the labels of the alerts."""
    for rule in subject.alerts:
        yield from _class(rule)
        yield from _required(rule)
        yield from _tool(rule, subject)
        yield from _vertical(rule, subject)
        yield from _target(rule)
        yield from _changing(rule)
    yield from _twice(subject)


def class_of(rule: Rule) -> str:
    """infra, model or tool; "" when the labels do not say exactly one."""
    value = rule.value("alert_type")
    return value if value in CLASSES else ""


def _class(rule: Rule) -> Iterator[Finding]:
    path, own, value = rule.document.path, rule.labels.get("alert_type"), rule.value("alert_type")
    place = rule.label_place("alert_type")
    if own is not None and TEMPLATE in own.text:
        why = "alert_type is a template, so nobody can check at its source whose alert it is"
        yield CLASS_TEMPLATED.at(path, place, why, "write one rule for each class, with infra, model or tool as it stands")
    elif own is None and value != "" and value not in CLASSES and "alert_type" in rule.carries.named:
        why = "alert_type comes from the series, so nobody can check at its source whose alert it is"
        yield CLASS_TEMPLATED.at(path, place, why, "give the rule alert_type: infra, model or tool of its own")
    elif own is None and value not in CLASSES and not rule.copies:
        why = "no label says whose alert it is, so the agent gives it to the default receiver and may never act on it"
        yield CLASS_MISSING.at(path, place, why, "add alert_type: infra, model or tool; who can repair it is who should be woken")
    elif own is not None and own.text not in CLASSES:
        yield _invalid(rule, own)
    if not class_of(rule) and rule.wakes and not rule.copies:
        why = f"severity {rule.value('severity')!r} wakes somebody, and nobody knows whether they can repair it"
        yield PAGES_UNKNOWN.at(path, rule.label_place("severity"), why, "give it its alert_type, or a severity that wakes nobody")


def _invalid(rule: Rule, own: Scalar) -> Finding:
    meant = own.text.strip().casefold()
    why = f"alert_type is {own.text!r}, which is not exactly one of {', '.join(CLASSES)}, so it counts as unknown"
    if meant not in CLASSES:
        return CLASS_INVALID.at(rule.document.path, own.place, why, f"write one of {', '.join(CLASSES)}; the agent never guesses")
    fix = Fix(f"alert_type: {meant}", (Edit(own.place.start, own.place.end, meant),)) if own.style in ("", "'", '"') else None
    return CLASS_INVALID.at(rule.document.path, own.place, why, f"write {meant}", fix)


def _required(rule: Rule) -> Iterator[Finding]:
    path = rule.document.path
    if _blank(rule, "team"):
        why = "no label says which team it belongs to"
        yield TEAM_MISSING.at(path, rule.label_place("team"), why, "add team: with the name of a team of teams.yaml")
    if _blank(rule, "severity"):
        why = "no label says how urgent it is, so nobody can tell a page from a ticket"
        yield SEVERITY_MISSING.at(path, rule.label_place("severity"), why, f"add severity: one of {', '.join(SEVERITIES)}")
    value = rule.value("severity")
    if value and value.strip() and value.casefold() not in SEVERITIES and not severity_of(value):
        why = f"severity {value!r} is none that routes and pagers know"
        yield SEVERITY_UNKNOWN.at(path, rule.label_place("severity"), why, f"write one of {', '.join(SEVERITIES)}")


def _blank(rule: Rule, label: str) -> bool:
    """The label is not said: neither by the rule, nor named by its expression. That a series might bring it is not enough."""
    value = rule.value(label)
    if value is None:
        return label not in rule.labels and label not in rule.carries.named and not rule.copies
    return not value.strip()


def _tool(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if class_of(rule) != AlertClass.TOOL:
        return
    path, place, value = rule.document.path, rule.label_place("tool_name"), rule.value("tool_name")
    if _blank(rule, "tool_name"):
        why = "a tool alert without tool_name cannot be given to the integration's owner, nor grouped by tool"
        yield TOOL_MISSING.at(path, place, why, "add tool_name:, or keep it in the expression with by (tool_name)")
    elif value is not None and value not in subject.routing.tool_owners:
        known = ", ".join(sorted(subject.routing.tool_owners)[:12]) or "none"
        why = f"the routing file knows no owner for the tool {value!r} (known: {known})"
        yield TOOL_UNKNOWN.at(path, place, why, "correct the name, or add the tool under tool_owners in routing.yaml")


def _vertical(rule: Rule, subject: Subject) -> Iterator[Finding]:
    value = rule.value("vertical")
    if value and value not in {name for name, vertical in subject.routing.verticals.items() if vertical is not None}:
        known = ", ".join(sorted(name for name, vertical in subject.routing.verticals.items() if vertical is not None))
        why = f"the routing file has no vertical {value!r}, so no rule of a vertical applies (known: {known})"
        yield VERTICAL_UNKNOWN.at(
            rule.document.path, rule.label_place("vertical"), why, "correct the name, or add it under verticals in routing.yaml"
        )


def _target(rule: Rule) -> Iterator[Finding]:
    """Only where it is certain that no label names the target: what a series may bring is given the benefit of the doubt."""
    if class_of(rule) != AlertClass.INFRA or rule.value("redis_master") != "" or rule.value("node") != "":
        return
    workload = any(rule.value(label) != "" for label in _WORKLOADS)
    if not (rule.value("namespace") != "" and workload):
        why = "neither namespace with pod or deployment nor redis_master is among its labels, so no runbook can find its target"
        todo = "keep them in the expression, as in by (namespace, pod), or add them as labels"
        yield TARGET_MISSING.at(rule.document.path, rule.place, why, todo)


def _changing(rule: Rule) -> Iterator[Finding]:
    for name, own in rule.labels.items():
        if _VALUE.search(own.text):
            why = f"the label {name} holds the value, so every evaluation with another value is a new alert, and `for` begins again"
            yield CHANGING_LABEL.at(rule.document.path, own.place, why, "move the value to an annotation")


def _twice(subject: Subject) -> Iterator[Finding]:
    groups = defaultdict[tuple[int, str, frozenset[tuple[str, str]]], list[Rule]](list)
    for rule in subject.alerts:
        labels = frozenset((name, own.text) for name, own in rule.labels.items())
        groups[id(rule.group), rule.alert, labels].append(rule)
    for first, *others in groups.values():
        for rule in others:
            why = f"{rule.alert} stands on line {first.place.line} of the same group with the same labels"
            yield SAME_ALERT.at(rule.document.path, rule.place, why, "rename one, or give them labels that differ")
