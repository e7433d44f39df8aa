"""Which kinds of Kubernetes objects are looked at, in which groups, and which of them belong to the cluster. Pure."""

from sre_agent.evidence.kubernetes.state import JsonObject, labels_of, text

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
APP_LABELS = ("app", "app.kubernetes.io/name", "k8s-app")
"""Labels by which people call an application."""
GROUPS: dict[str, tuple[str, ...]] = {
    "pods": ("Pod",),
    "owners": (*WORKLOADS, "ReplicaSet"),
    "jobs": ("CronJob", "Job"),
    "events": ("Event",),
    "nodes": ("Node",),
    "budgets": ("PodDisruptionBudget",),
    "network": ("NetworkPolicy", "Ingress", "IngressClass", "Service"),
    "endpoints": ("Endpoints", "EndpointSlice"),
    "storage": ("PersistentVolumeClaim", "PersistentVolume", "StorageClass"),
    "limits": ("ResourceQuota", "LimitRange", "HorizontalPodAutoscaler", "PriorityClass", "Namespace"),
    "settings": ("ConfigMap", "ServiceAccount"),
}
"""Each group is one piece of evidence: {"items": [...], "kinds": [what was asked]}. Its size is capped, so kinds that come in
crowds (ReplicaSets, Jobs, endpoints) stand last or apart."""
CLUSTER_KINDS = frozenset({"Node", "PersistentVolume", "StorageClass", "IngressClass", "PriorityClass", "Namespace"})
DNS_NAMESPACE = "kube-system"
DNS_APPS = ("kube-dns", "coredns")
"""Values of the label k8s-app on the cluster's DNS server, its Service and its slices."""
DNS_KINDS = ("Pod", "Deployment", "DaemonSet", "Endpoints", "EndpointSlice")


def serves_names(item: JsonObject) -> bool:
    """Whether an object is part of the cluster's DNS server."""
    named = labels_of(item).get("k8s-app") in DNS_APPS or text(item, "metadata", "name") in DNS_APPS
    return named and text(item, "kind") in DNS_KINDS and text(item, "metadata", "namespace") == DNS_NAMESPACE
