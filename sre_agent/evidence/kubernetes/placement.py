"""What a pod asks of a node, against the nodes that were read. Pure. Nothing is said about nodes that were not."""

from collections.abc import Sequence
from fractions import Fraction

from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.cluster_room import quantity
from sre_agent.evidence.kubernetes.scheduling import Unplaced
from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, labels_of, text

_RESOURCES = {R.CPU_SHORT: "cpu", R.MEMORY_SHORT: "memory"}
MOST = 4


def asked(pod: JsonObject, found: Unplaced, nodes: Sequence[JsonObject]) -> str:
    """ "it asks for 64 cpu, the largest node has 8": what decides, in figures; "" when the objects do not show it.

    `nodes` are all nodes of the cluster only when there are as many as the scheduler speaks of.
    """
    whole = nodes if found.nodes is not None and len(nodes) >= found.nodes else ()
    match found.reason:
        case R.CPU_SHORT | R.MEMORY_SHORT | R.EXTENDED_RESOURCE_SHORT:
            resource = _RESOURCES.get(found.reason) or (found.decisive.resource if found.decisive else "")
            return _room(pod, resource, whole)
        case R.NODE_SELECTOR | R.AFFINITY:
            return _labels(pod, whole)
        case R.TAINT | R.KUBELET_SILENT:
            return f"it tolerates {_tolerated(pod)}"
        case R.HOST_PORT:
            ports = [
                str(p["hostPort"]) for c in entries(pod, "spec", "containers") for p in entries(c, "ports") if p.get("hostPort")
            ]
            return f"it wants host port {', '.join(ports)}" if ports else ""
        case R.GATED:
            gates = ", ".join(text(g, "name") for g in entries(pod, "spec", "schedulingGates"))
            return f"its scheduling gates: {gates}" if gates else ""
        case R.CLAIM_WAITS | R.CLAIM_MISSING | R.NO_MATCHING_VOLUME | R.VOLUME_ZONE | R.STORAGE_CLASS_MISSING:
            return f"its claims: {', '.join(claims(pod))}" if claims(pod) else ""
    return ""


def claims(pod: JsonObject) -> list[str]:
    """The names of the volume claims that a pod mounts, generic ephemeral ones included."""
    found = []
    for volume in entries(pod, "spec", "volumes"):
        found.append(text(volume, "persistentVolumeClaim", "claimName"))
        if isinstance(volume.get("ephemeral"), dict):
            found.append(f"{text(pod, 'metadata', 'name')}-{text(volume, 'name')}")
    return [name for name in found if name]


def _room(pod: JsonObject, resource: str, nodes: Sequence[JsonObject]) -> str:
    wanted = _requested(pod, resource)
    if not resource or wanted is None:
        return ""
    largest = max((q for n in nodes if (q := quantity(dig(n, "status", "allocatable", resource))) is not None), default=None)
    said = f"it asks for {_shown(wanted, resource)} {resource}"
    if largest is None:
        return said + (f", no node has any {resource}" if nodes else "")
    even = "" if wanted > largest else ": it would fit an empty node, what runs there leaves too little"
    return f"{said}, the largest node has {_shown(largest, resource)}{even}"


def _requested(pod: JsonObject, resource: str) -> Fraction | None:
    """What its containers ask for together (or its largest init container); None when nothing readable."""

    def of(container: JsonObject) -> Fraction:
        resources = container.get("resources")
        value = dig(resources, "requests", resource)
        return quantity(value if value is not None else dig(resources, "limits", resource)) or Fraction(0)

    running = sum((of(c) for c in entries(pod, "spec", "containers")), Fraction(0))
    starting = max((of(c) for c in entries(pod, "spec", "initContainers")), default=Fraction(0))
    return max(running, starting) or None


def _shown(amount: Fraction, resource: str) -> str:
    if resource in ("memory", "ephemeral-storage"):
        mebi = amount / 1024**2
        return f"{float(mebi / 1024):.4g}Gi" if mebi >= 1024 else f"{float(mebi):.4g}Mi"
    return f"{float(amount):.4g}"


def _labels(pod: JsonObject, nodes: Sequence[JsonObject]) -> str:
    selector = dig(pod, "spec", "nodeSelector")
    wanted = {str(k): str(v) for k, v in selector.items()} if isinstance(selector, dict) else {}
    terms = dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    said = [f"its nodeSelector wants {', '.join(f'{k}={v}' for k, v in wanted.items())}"] if wanted else []
    for term in entries(terms, "nodeSelectorTerms"):
        for e in (*entries(term, "matchExpressions"), *entries(term, "matchFields")):
            values = e.get("values")
            listed = ", ".join(map(str, values[:MOST])) if isinstance(values, list) else ""
            said.append(f"its node affinity wants {text(e, 'key')} {text(e, 'operator')} {listed}".rstrip())
    for key, value in wanted.items():
        there = sorted({str(labels_of(n)[key]) for n in nodes if key in labels_of(n)})
        if nodes and value not in there:
            said.append(f"the nodes have {key}={'|'.join(there[:MOST])}" if there else f"no node has a label {key}")
    return "; ".join(said[: MOST + 1])


def _tolerated(pod: JsonObject) -> str:
    own = [t for t in entries(pod, "spec", "tolerations") if not text(t, "key").startswith("node.kubernetes.io/")]
    return ", ".join(f"{text(t, 'key') or 'everything'}={text(t, 'value')}".rstrip("=") for t in own[:MOST]) or "none of them"
