"""triage(): class and owner of an incident from its labels alone; never from free text, never from a metric's looks.

    alert_type over *all* alerts, firing and resolved      class     owner                          receiver
    all exactly "infra"                                    infra     platform                       pd-platform
    all exactly "model"                                    model     the prompt's owner or ai-eng   pd-ai-eng
    all exactly "tool"                                     tool      the tool's name                pd-integration-owners
    missing on all, or the same malformed value            unknown   default                        default
    any two alerts disagree (untagged beside tagged too)   mixed     default                        default
    details that did not arrive                            unknown   default                        default

INVARIANT: the result is INFRA only if there is an alert, and every alert carries exactly alert_type="infra".
"""

from typing import Final

from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.incident import Incident
from sre_agent.triage.ownership import AI_ENGINEERING, DEFAULT, INTEGRATIONS, PLATFORM, Ownership
from sre_agent.triage.triage import Triage

LABEL: Final = "alert_type"
PROMPT_LABELS: Final = ("prompt", "prompt_name")
_CLASSES: Final = {c.value: c for c in (AlertClass.INFRA, AlertClass.MODEL, AlertClass.TOOL)}

UNTAGGED: Final = "untagged"
MALFORMED: Final = "malformed"
MIXED: Final = "mixed"
LABELS_UNKNOWN: Final = "labels_unknown"


def triage(incident: Incident, ownership: Ownership) -> Triage:
    """Whose incident this is, as far as its labels say."""
    return triage_alerts(incident.alerts, ownership)


def triage_alerts(alerts: tuple[Alert, ...], ownership: Ownership) -> Triage:
    """The same of alerts that make one incident."""
    flags = _flags(alerts)
    labelled = _labelled(alerts, flags)
    owner, receiver, reasons = _route(labelled, alerts, ownership)
    return Triage(
        labelled=labelled,
        alert_class=labelled,
        owner=owner,
        receiver=receiver,
        flags=flags,
        reasons=(_why(labelled, alerts, flags), *reasons),
    )


def _flags(alerts: tuple[Alert, ...]) -> tuple[str, ...]:
    """What is wrong with the labels, in a fixed order."""
    known = [a for a in alerts if a.labels_known]
    values = {a.labels.get(LABEL) for a in known}
    checks = {
        LABELS_UNKNOWN: len(known) < len(alerts),
        UNTAGGED: None in values or not alerts,
        MALFORMED: any(v is not None and v not in _CLASSES for v in values),
        MIXED: len(values) > 1,
    }
    return tuple(flag for flag, holds in checks.items() if holds)


def _labelled(alerts: tuple[Alert, ...], flags: tuple[str, ...]) -> AlertClass:
    """The one class every alert agrees on; MIXED when they do not; UNKNOWN when some cannot be read."""
    if LABELS_UNKNOWN in flags:
        return AlertClass.UNKNOWN
    if MIXED in flags:
        return AlertClass.MIXED
    if flags:
        return AlertClass.UNKNOWN
    return _CLASSES[alerts[0].labels[LABEL]]


def _why(labelled: AlertClass, alerts: tuple[Alert, ...], flags: tuple[str, ...]) -> str:
    """One line for a human on where the class comes from."""
    if not alerts:
        return "the incident has no alerts, so no label says whose it is"
    if LABELS_UNKNOWN in flags:
        count = sum(not a.labels_known for a in alerts)
        return f"the labels of {count} of {len(alerts)} alerts did not arrive or cannot be trusted"
    if MIXED in flags:
        values = sorted({repr(a.labels[LABEL])[:60] if LABEL in a.labels else "none" for a in alerts})
        return f"{len(alerts)} alerts disagree on {LABEL}: {', '.join(values[:8])}"
    if UNTAGGED in flags:
        return f"no alert carries the label {LABEL}"
    if MALFORMED in flags:
        return f"{LABEL}={alerts[0].labels[LABEL][:60]!r} is not exactly one of infra, model, tool"
    return f"{LABEL}={labelled.value} on {'the alert' if len(alerts) == 1 else f'all {len(alerts)} alerts'}"


def _route(labelled: AlertClass, alerts: tuple[Alert, ...], ownership: Ownership) -> tuple[str, str, tuple[str, ...]]:
    """(owner, receiver, reasons) of a class."""
    if labelled is AlertClass.INFRA:
        return "platform", PLATFORM, ()
    if labelled is AlertClass.MODEL:
        prompts = sorted({a.labels[name] for name in PROMPT_LABELS for a in alerts if name in a.labels})
        return ownership.prompt_owner(prompts[0] if len(prompts) == 1 else None), AI_ENGINEERING, ()
    if labelled is AlertClass.TOOL:
        tools = sorted({a.labels["tool_name"] for a in alerts if "tool_name" in a.labels})
        if len(tools) != 1 or not tools[0]:
            reason = f"tools named: {', '.join(tools)[:200]}" if tools else "no tool_name label"
            return "default", INTEGRATIONS, (f"{reason}; one tool name would name its owner",)
        return tools[0], INTEGRATIONS, tool_reasons(tools[0], ownership)
    return "default", DEFAULT, ()


def tool_reasons(tool: str, ownership: Ownership) -> tuple[str, ...]:
    """Who owns the tool's integration, for people, where that is configured."""
    return (f"{tool} is owned by {ownership.tool_owners[tool]}",) if tool in ownership.tool_owners else ()
