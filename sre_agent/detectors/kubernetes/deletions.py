"""DELETION_STUCK: an object that is being deleted and cannot go: a finalizer, a silent node, a pod that does not stop.

Pure. A pod's deletionTimestamp already holds its grace period; every other object's is when somebody asked.
"""

from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.placement import claims
from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, instant, listed, ready, text
from sre_agent.evidence.kubernetes.workload_owner import Owner, object_name
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

PATIENCE = {"Pod": timedelta(minutes=2), "Namespace": timedelta(minutes=5)}
LONG = timedelta(minutes=10)
KINDS = (
    "Pod", "Namespace", "PersistentVolumeClaim", "PersistentVolume", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job",
    "CronJob", "Service", "Ingress", "ConfigMap", "Secret", "Node",
)  # fmt: skip
_STRENGTH = {"Pod": 0.75, "Namespace": 0.8}
_PROTECTION = "kubernetes.io/pvc-protection"


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each object whose deletion is overdue, strongest first."""
    nodes = {text(n, "metadata", "name"): (i, n) for i, n in view.objects("Node")}
    owners = readings.owners(view)
    found: list[tuple[Owner, Finding]] = []
    for kind in KINDS:
        for evidence_id, item in view.objects(kind):
            since = instant(dig(item, "metadata", "deletionTimestamp"))
            if since is None or view.scope.now - since < PATIENCE.get(kind, LONG):
                continue
            reason, words, cited = _why(item, nodes, view)
            minutes = int((view.scope.now - since).total_seconds() // 60)
            made = Finding(
                kind=FindingKind.DELETION_STUCK,
                object=object_name(item),
                namespace=text(item, "metadata", "namespace") or None,
                cause=f"{object_name(item).replace('/', ' ')} should have been gone for {minutes} minutes: {words}",
                reason=reason,
                onset=since,
                # A silent node keeps all its pods: they are the symptom.
                strength=0.4 if reason is R.KUBELET_SILENT else _STRENGTH.get(kind, 0.6),
                evidence=tuple(dict.fromkeys([evidence_id, *cited])),
                refuted_by="it is gone now",
            )
            found.append((owners.of_pod(item), made))
    return foremost(found)


def _why(item: JsonObject, nodes: dict[str, tuple[str, JsonObject]], view: EvidenceView) -> tuple[R | None, str, list[str]]:
    kind, finalizers = text(item, "kind"), [str(f) for f in listed(item, "metadata", "finalizers")]
    if kind == "Namespace":
        said = [text(c, "message") for c in entries(item, "status", "conditions") if c.get("status") == "True"]
        finalizers += [str(f) for f in listed(item, "spec", "finalizers") if f != "kubernetes"]
        return R.FINALIZER, one_line("; ".join(said), 300) or f"finalizers: {', '.join(finalizers) or 'of what is in it'}", []
    node = nodes.get(text(item, "spec", "nodeName")) if kind == "Pod" else None
    if node is not None and not ready(node[1]):
        return R.KUBELET_SILENT, f"its node {text(node[1], 'metadata', 'name')} is not ready and does not confirm it", [node[0]]
    if kind == "PersistentVolumeClaim" and _PROTECTION in finalizers:
        name, namespace = (text(item, "metadata", k) for k in ("name", "namespace"))
        users = [(i, p) for i, p in view.objects("Pod") if text(p, "metadata", "namespace") == namespace and name in claims(p)]
        by = ", ".join(text(p, "metadata", "name") for _, p in users[:3])
        return R.FINALIZER, f"{_PROTECTION}: " + (f"pod {by} uses it" if by else "something uses it"), [i for i, _ in users[:3]]
    if finalizers:
        return R.FINALIZER, f"the finalizer {', '.join(finalizers[:3])} is still on it", []
    return None, "its containers do not stop, or its volumes are not let go" if kind == "Pod" else "nobody says why", []
