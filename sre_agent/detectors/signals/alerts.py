"""RELATED_ALERT, ALERT_ALWAYS_FIRES: what else fires near the incident and began before it, and alerts that fire on purpose.

Pure. An alert is somebody's claim: these findings say where to look, are of no class, and nothing may rest on them. Only
alerts that fire now count, and only while the incident's own do.
Always firing are the dead man's switches of the usual rule sets (kube-prometheus' Watchdog and InfoInhibitor), and whatever
has a constant for its expression.
"""

import re
from collections import defaultdict
from datetime import timedelta

from sre_agent.evidence.alert_state import (
    SERVICE_LABELS,
    ActiveAlert,
    AlertState,
    Surroundings,
    alerts_of,
    rules_of,
)
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.alert import AlertStatus

MAX_RELATED = 5
NEAR = timedelta(hours=1)
QUOTE = 160
_ON_PURPOSE = re.compile(r"(?:.*[a-z_-])?(?:watchdog|dead-?mans?-?(?:switch|snitch)|alwaysfiring)", re.IGNORECASE)
_INHIBITOR = re.compile(r"info-?inhibitor", re.IGNORECASE)
_CONSTANT = re.compile(r"\(*\s*vector\(\s*[0-9.]+\s*\)\s*(?:[=!]=\s*[0-9.]+\s*|>=?\s*[0-9.]+\s*)?\)*")
_SPOKEN = re.compile(r"[\s_-]+")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """The incident's own alerts that fire on purpose; else what fires beside them, nearest first."""
    always = _always(view)
    incident = view.scope.incident
    if always or (incident.alerts and not incident.firing):
        return always
    return _related(view)


def _always(view: EvidenceView) -> tuple[Finding, ...]:
    """A rule whose expression is a constant proves it; a name, with an alerting system's own word that it fires, suggests it."""
    names = {a.name for a in view.scope.incident.alerts if a.status is AlertStatus.FIRING}
    rules: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for evidence_id, name, query in rules_of(view):
        rules[name].append((evidence_id, query))
    held: dict[str, list[tuple[str, ActiveAlert]]] = defaultdict(list)
    own = Surroundings(view.scope.incident)
    for evidence_id, alert in alerts_of(view):
        if own.owns(alert):
            held[alert.name].append((evidence_id, alert))
    return tuple(f for name in sorted(names) if (f := _on_purpose(name, rules[name], held[name])) is not None)


def _on_purpose(name: str, rules: list[tuple[str, str]], held: list[tuple[str, ActiveAlert]]) -> Finding | None:
    constant = [i for i, query in rules if _CONSTANT.fullmatch(query.strip())]
    spoken = _SPOKEN.sub("", name)
    inhibitor = _INHIBITOR.fullmatch(spoken) is not None
    named = inhibitor or _ON_PURPOSE.fullmatch(spoken) is not None
    if rules and not inhibitor and len(constant) < len(rules):
        return None  # it compares something: a name alone does not outweigh that
    cited = tuple(dict.fromkeys([i for i, _ in rules] + [i for i, _ in held]))
    if not cited or not (constant or named):
        return None
    mute = any(a.labels.get("severity", "").lower() in ("none", "") for _, a in held)
    why = "its expression is a constant" if constant else "by its name"
    return Finding(
        kind=FindingKind.ALERT_ALWAYS_FIRES,
        object=f"app/{name.lower()}",
        cause=f"{name[:QUOTE]} fires on purpose ({why}) to show that alerting works; send it to a dead man's switch, not to people",
        strength=0.9 if constant else 0.6 if mute else 0.5,
        evidence=cited,
        refuted_by="its rule compares a metric with a threshold",
    )


def _related(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding a subject: alerts of the same place, or of a service that an alerted one calls, that fired before the onset."""
    around, callees = Surroundings(view.scope.incident), _callees(view)
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    by_subject: dict[tuple[str, str | None], list[tuple[str, ActiveAlert, float, str]]] = defaultdict(list)
    for evidence_id, alert in alerts_of(view):
        key = (alert.name, tuple(sorted(alert.labels.items())))
        weight, how = _weight(alert, view, around, callees)
        if weight and key not in seen and alert.subject:
            seen.add(key)
            by_subject[alert.subject, alert.labels.get("namespace")].append((evidence_id, alert, weight, how))
    graph = tuple(dict.fromkeys(i for i, _, _ in view.calls()))
    found = [_finding(subject, told, graph) for subject, told in by_subject.items()]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.onset, f.object))[:MAX_RELATED])


def _weight(alert: ActiveAlert, view: EvidenceView, around: Surroundings, callees: set[str]) -> tuple[float, str]:
    """(strength, how it is near): 0 for what is not near, did not begin before, does not fire, or fires on purpose."""
    onset = view.scope.onset
    on_purpose = _ON_PURPOSE.fullmatch(_SPOKEN.sub("", alert.name)) or _INHIBITOR.fullmatch(_SPOKEN.sub("", alert.name))
    if alert.state in (AlertState.PENDING, AlertState.UNPROCESSED) or on_purpose or around.owns(alert):
        return 0.0, ""
    if alert.starts_at is None or alert.starts_at > onset or (alert.ends_at is not None and alert.ends_at < view.scope.now):
        return 0.0, ""
    recent = 0.1 if onset - alert.starts_at <= NEAR else 0.0
    if callees & {alert.labels[n].lower() for n in SERVICE_LABELS if alert.labels.get(n)}:
        return 0.3 + recent, "which an alerted service calls"
    places = around.shared(alert)
    if set(places) - {"namespace"}:
        return 0.28 + recent, f"of the same {places[0]}"
    return (0.18 + recent, "of the same namespace") if places else (0.0, "")


def _callees(view: EvidenceView) -> set[str]:
    """Lower-case names of what the incident's services call, directly or through others."""
    incident = view.scope.incident
    own = {v.lower() for n in SERVICE_LABELS for v in incident.label_values(n)} | {incident.service.name.lower()}
    reached = set(own)
    pairs = {(caller.lower(), callee.lower()) for _, caller, callee in view.calls()}
    while new := {callee for caller, callee in pairs if caller in reached} - reached:
        reached |= new
    return reached - own - {""}


def _finding(subject: tuple[str, str | None], told: list[tuple[str, ActiveAlert, float, str]], graph: tuple[str, ...]) -> Finding:
    told = sorted(told, key=lambda t: (-t[2], t[1].starts_at, t[1].name))
    _, first, weight, how = told[0]
    names = ", ".join(dict.fromkeys(a.name for _, a, _, _ in told))[:QUOTE]
    held_back = " (suppressed)" if first.state is AlertState.SUPPRESSED else ""
    began = min(a.starts_at for _, a, _, _ in told if a.starts_at is not None)
    ids = [i for i, _, _, _ in told] + (list(graph) if "calls" in how else [])
    return Finding(
        kind=FindingKind.RELATED_ALERT,
        object=subject[0],
        namespace=subject[1],
        cause=f"{subject[0]}, {how}, had alerts before the onset: {names}{held_back}",
        onset=began,
        strength=round(weight, 3),
        evidence=tuple(dict.fromkeys(ids)),
        refuted_by="those alerts fire on other days too, when nothing is wrong here",
    )
