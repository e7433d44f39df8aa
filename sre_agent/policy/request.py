"""From the guard's typed input to the question an engine is asked, and to the JSON that is remembered.

Facts and claims go into separate namespaces of the context. Nothing a model or telemetry wrote as free text
enters the question: ids, enums, bounded integers and declared names only.
"""

from dataclasses import dataclass
from typing import Any

from sre_agent.policy.declarations import environment_of
from sre_agent.policy.facts import Claims, Facts, GuardRequest, TargetDeclaration
from sre_agent.runbook.proposal import Proposal

PROBES = (0, 1, 2)
"""The approval counts every verdict asks about."""

Entity = dict[str, Any]
"""One Cedar entity in JSON: uid, attrs, parents."""

_CLASSES = {"alert_class": "AlertClass", "labelled_class": "AlertClass", "mode": "Mode"}


@dataclass(frozen=True)
class Question:
    """One (principal, action, resource) asked once per context. Contexts are keyed by a correlation id."""

    principal: dict[str, str]
    action: str
    resource: dict[str, str]
    entities: tuple[Entity, ...]
    contexts: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Probe:
    """An engine's raw answer to one context: what it said, whose policies said so, and what went wrong."""

    correlation_id: str
    decision: str
    policy_ids: tuple[str, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """One probe per context, and the ids of the shadow policies that would have spoken at the first context."""

    probes: tuple[Probe, ...]
    shadow_ids: tuple[str, ...] = ()


def uid(kind: str, name: str) -> dict[str, str]:
    """A Cedar entity id in the product's namespace."""
    return {"type": f"Sre::{kind}", "id": name}


def workload(proposal: Proposal, declaration: TargetDeclaration) -> Entity:
    """The target as a Cedar entity. A target with a dataset is stateful whether or not it says so."""
    target = proposal.target
    attributes = {
        "kind": target.kind,
        "namespace": target.namespace or "",
        "uid": target.uid or "",
        "env": uid("Environment", environment_of(declaration)),
        "owner": uid("Team", declaration.team),
        "stateful": declaration.stateful or declaration.dataset is not None,
        "has_prompts": declaration.has_prompts,
    }
    return {"uid": uid("Workload", target.key), "attrs": attributes, "parents": []}


def facts_context(facts: Facts) -> dict[str, Any]:
    """The facts namespace: enums as entities, tuples as sorted sets."""
    context: dict[str, Any] = {}
    for name, value in facts:
        if name in _CLASSES:
            context[name] = uid(_CLASSES[name], value.value)
        else:
            context[name] = sorted(value) if isinstance(value, tuple) else value
    return context


def claims_context(claims: Claims) -> dict[str, Any]:
    """The claims namespace."""
    return {
        "alert_class": uid("AlertClass", claims.alert_class.value),
        "confidence_bp": claims.confidence_bp,
        "veto": claims.veto,
    }


def remediation(request: GuardRequest) -> Question:
    """The question "may this agent do this to that?", asked at each count of approvals."""
    target = workload(request.proposal, request.declaration)
    # Facts and claims are entities, so that the engine parses and checks them once, not once per probe.
    facts = {"uid": uid("Facts", "now"), "attrs": facts_context(request.facts), "parents": []}
    claims = {"uid": uid("Claims", "model"), "attrs": claims_context(request.claims), "parents": []}
    return Question(
        principal=uid("Agent", request.agent),
        action=request.proposal.action,
        resource=target["uid"],
        entities=(target, facts, claims),
        contexts={str(n): {"facts": facts["uid"], "claims": claims["uid"], "approvals": n} for n in PROBES},
    )
