"""DISRUPTION_BUDGET_BLOCKS: a node is being drained, or an eviction is asked for, and a budget lets no pod go.

Pure. A budget that allows nothing is normal while nobody asks. One that allows nothing because its pods are not ready is a symptom
of those pods.
"""

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes.alerted import named_by_alert
from sre_agent.evidence.kubernetes.events import Told, ids, message
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, labels_of, number, terminating, text
from sre_agent.evidence.view import EvidenceView

BLOCKS, SYMPTOM = 0.82, 0.4


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each budget that holds up a drain, strongest first."""
    cordoned = {text(n, "metadata", "name"): i for i, n in view.objects("Node") if dig(n, "spec", "unschedulable") is True}
    refused = [(i, e) for i, e in view.objects("Event") if "disruption budget" in message(e).lower()]
    found = []
    for evidence_id, budget in view.objects("PodDisruptionBudget"):
        if dig(budget, "status", "disruptionsAllowed") != 0 or not number(budget, "status", "expectedPods") or terminating(budget):
            continue
        held = [(i, p) for i, p in _selected(budget, view) if text(p, "spec", "nodeName") in cordoned and not terminating(p)]
        name = text(budget, "metadata", "name")
        namespace = text(budget, "metadata", "namespace")
        told = [(i, e) for i, e in refused if text(e, "metadata", "namespace") in ("", namespace)]
        if not (held or told or named_by_alert(view.scope.incident, name)):
            continue
        found.append((("PodDisruptionBudget", namespace, name), _finding(evidence_id, budget, held, told, cordoned)))
    return foremost(found)


def _selected(budget: JsonObject, view: EvidenceView) -> Told:
    """The pods that a budget's plain labels select; expressions are left to the controller that counted them."""
    wanted = dig(budget, "spec", "selector", "matchLabels")
    if not isinstance(wanted, dict) or entries(budget, "spec", "selector", "matchExpressions"):
        return []
    namespace = text(budget, "metadata", "namespace")
    return [
        (i, p)
        for i, p in view.objects("Pod")
        if text(p, "metadata", "namespace") == namespace and all(labels_of(p).get(k) == v for k, v in wanted.items())
    ]


def _finding(evidence_id: str, budget: JsonObject, held: Told, told: Told, cordoned: dict[str, str]) -> Finding:
    name = text(budget, "metadata", "name")
    healthy, wanted, there = (number(budget, "status", k) for k in ("currentHealthy", "desiredHealthy", "expectedPods"))
    rule = next(
        (f"{k} {dig(budget, 'spec', k)}" for k in ("minAvailable", "maxUnavailable") if dig(budget, "spec", k) is not None), ""
    )
    nodes = sorted({text(p, "spec", "nodeName") for _, p in held})
    drain = f"node {', '.join(nodes)} is cordoned and cannot be drained" if nodes else "an eviction was refused"
    cause = f"the disruption budget {name} ({rule}) lets none of {there} pods go ({healthy} healthy, {wanted} must be): {drain}"
    return Finding(
        kind=FindingKind.DISRUPTION_BUDGET_BLOCKS,
        object=f"poddisruptionbudget/{name.lower()}",
        namespace=text(budget, "metadata", "namespace") or None,
        cause=cause,
        strength=SYMPTOM if healthy < wanted else BLOCKS,
        evidence=tuple(dict.fromkeys([evidence_id, *ids(held, told), *(cordoned[n] for n in nodes)])),
        refuted_by="the budget allows a disruption now",
    )
