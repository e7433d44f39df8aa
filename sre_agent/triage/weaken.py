"""weaken(): what evidence does to the class that the labels claimed. It takes permission away, never gives any.

    labelled    evidence                                               result
    infra       a prompt or model finding, and no infrastructure       model, to the prompt's owner or ai-eng
                finding that explains the incident
    infra       the same with a tool's failure                         tool, to the tool's owner
    infra       anything else                                          infra
    model       a finding names the prompt                             model, to that prompt's owner
    tool        one tool's failure is found, no label named a tool     tool, to that tool
    unknown     (no label arrived) a ranked cause has a class          still unknown; that class's owner is told
    mixed       anything                                               mixed

What a model claims about the class is noted among the reasons; acting on that is the guard's business.
"""

from typing import Final

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.incident.alert import AlertClass
from sre_agent.triage.classify import LABELS_UNKNOWN, MALFORMED, UNTAGGED, tool_reasons
from sre_agent.triage.ownership import AI_ENGINEERING, INTEGRATIONS, PLATFORM, Ownership
from sre_agent.triage.triage import Triage

EXPLAINS: Final = 0.5
"""Strength (0..1) from which an infrastructure finding can explain an incident."""

_COINCIDES: Final = frozenset({FindingKind.DEPLOYED_BEFORE_ONSET})
"""A deploy before the onset is a coincidence in time, not a fault that was seen: it explains nothing alone."""

_WORDS: Final = frozenset({EvidenceKind.ALERT, EvidenceKind.TEXT, EvidenceKind.LOGS, EvidenceKind.TOPOLOGY})
"""SAFETY: logs, texts and alerts are written by whoever is being asked about; they never stand against a prompt change."""


def weaken(triage: Triage, diagnosis: Diagnosis, ownership: Ownership) -> Triage:
    """The triage after the evidence.

    INVARIANT: the result is INFRA only if `triage.labelled` and `triage.alert_class` both are.
    """
    if triage.labelled is AlertClass.INFRA and triage.alert_class is AlertClass.INFRA:
        after = _weaken_infra(triage, diagnosis, ownership)
    elif triage.labelled is AlertClass.INFRA:
        after = triage  # weakened before; what was taken stays taken
    elif triage.labelled is AlertClass.UNKNOWN:
        after = _route_symptom(_not_infra(triage), diagnosis, ownership)
    else:
        after = _refine_owner(_not_infra(triage), diagnosis, ownership)
    claim = diagnosis.claimed_class
    if claim is not None and claim.value is not after.alert_class:
        after = _because(after, f"the model takes it for {claim.value.value}; a claim can only lower permission")
    return after


def _not_infra(triage: Triage) -> Triage:
    """The class as labelled, for a triage that somebody built more permissive than its labels."""
    return triage if triage.alert_class is not AlertClass.INFRA else triage.model_copy(update={"alert_class": triage.labelled})


def _weaken_infra(triage: Triage, diagnosis: Diagnosis, ownership: Ownership) -> Triage:
    """A claim of infra against the best finding of each other class; a model finding weighs first."""
    after = triage
    for found in (AlertClass.MODEL, AlertClass.TOOL):
        cause = _best(diagnosis, found)
        if cause is None:
            continue
        explanation = _explanation(diagnosis, cause)
        if explanation is None:
            weaker = triage.model_copy(update={"alert_class": found, "flags": (*triage.flags, "weakened")})
            reason = f"labelled infra, but {cause.cause}, and nothing in the infrastructure explains it"
            return _because(_to(weaker, cause, ownership), reason)
        after = _because(after, f"{cause.cause}, but {explanation.cause}, which explains it as infrastructure")
    return after


def _best(diagnosis: Diagnosis, alert_class: AlertClass) -> Finding | None:
    """The finding of a class that ranks first, or else is strongest."""
    return next(iter(_ordered(diagnosis, alert_class)), None)


def _ordered(diagnosis: Diagnosis, alert_class: AlertClass) -> list[Finding]:
    """The findings of a class, best first."""
    found = [f for f in diagnosis.findings if f.alert_class is alert_class]
    return sorted(found, key=lambda f: (_rank(f, diagnosis), -f.strength, f.id))


def _explanation(diagnosis: Diagnosis, other: Finding) -> Finding | None:
    """The infrastructure finding that explains the incident better than `other` does."""
    faults = [f for f in _ordered(diagnosis, AlertClass.INFRA) if _stands_for_infrastructure(f, diagnosis)]
    # SAFETY: what is not among the causes explains nothing, however strong it is and however weak the other one.
    return faults[0] if faults and _rank(faults[0], diagnosis) < _rank(other, diagnosis) else None


def _stands_for_infrastructure(finding: Finding, diagnosis: Diagnosis) -> bool:
    """A fault that was seen and measured: not a coincidence, not weak, and not only somebody's words about it."""
    cited = {e.kind for e in diagnosis.supporting(finding)}
    return finding.kind not in _COINCIDES and finding.strength >= EXPLAINS and not (cited and cited <= _WORDS)


def _rank(finding: Finding, diagnosis: Diagnosis) -> int:
    """Where the finding stands among the root causes; after all of them when it is none."""
    for position, cause in enumerate(diagnosis.root_causes):
        if (cause.kind, cause.object, cause.namespace) == (finding.kind, finding.object, finding.namespace):
            return position
    return len(diagnosis.root_causes)


def _route_symptom(triage: Triage, diagnosis: Diagnosis, ownership: Ownership) -> Triage:
    """An untagged symptom goes to the owner of what was found; its class stays unknown, so nothing is ever done."""
    if MALFORMED in triage.flags or not {UNTAGGED, LABELS_UNKNOWN} & set(triage.flags):
        return triage
    classed = [
        f
        for f in diagnosis.findings
        if f.alert_class is not AlertClass.UNKNOWN and _rank(f, diagnosis) < len(diagnosis.root_causes)
    ]
    cause = min(classed, key=lambda f: (_rank(f, diagnosis), f.id), default=None)
    if cause is None:
        return triage
    return _because(_to(triage, cause, ownership), f"routed by the finding: {cause.cause}")


def _refine_owner(triage: Triage, diagnosis: Diagnosis, ownership: Ownership) -> Triage:
    """The same class; a finding may name the prompt, or the tool where no label did."""
    same = sorted(
        (f for f in diagnosis.findings if f.alert_class is triage.labelled), key=lambda f: (_rank(f, diagnosis), -f.strength, f.id)
    )
    named = [f for f in same if f.object.startswith("prompt/" if triage.labelled is AlertClass.MODEL else "tool/")]
    if triage.labelled is AlertClass.MODEL and named and triage.owner == "ai-eng":
        return _to(triage, named[0], ownership)
    if triage.labelled is AlertClass.TOOL and triage.owner == "default" and len({f.object for f in named}) == 1:
        return _to(triage, named[0], ownership)
    return triage


def _to(triage: Triage, finding: Finding, ownership: Ownership) -> Triage:
    """Owner and receiver of what a finding is about."""
    kind, _, name = finding.object.partition("/")
    if finding.alert_class is AlertClass.MODEL:
        update = {"owner": ownership.prompt_owner(name if kind == "prompt" else None), "receiver": AI_ENGINEERING}
    elif finding.alert_class is AlertClass.TOOL:
        update = {"owner": name if kind == "tool" and name else "default", "receiver": INTEGRATIONS}
        return _because(triage.model_copy(update=update), *tool_reasons(name, ownership))
    else:
        update = {"owner": "platform", "receiver": PLATFORM}
    return triage.model_copy(update=update)


def _because(triage: Triage, *reasons: str) -> Triage:
    """The triage with more reasons, each said once."""
    return triage.model_copy(update={"reasons": tuple(dict.fromkeys((*triage.reasons, *reasons)))})
