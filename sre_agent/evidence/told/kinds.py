"""The kinds of Kubernetes objects as people and tools write them: "po", "pods", "pvc", "deployment.apps". Pure."""

from typing import Final

_NAMES: Final = {
    "Pod": ("po", "pods"),
    "Deployment": ("deploy", "deployments"),
    "ReplicaSet": ("rs", "replicasets"),
    "StatefulSet": ("sts", "statefulsets"),
    "DaemonSet": ("ds", "daemonsets"),
    "Job": ("jobs",),
    "CronJob": ("cj", "cronjobs"),
    "Service": ("svc", "services"),
    "Endpoints": ("ep",),
    "Ingress": ("ing", "ingresses"),
    "Node": ("no", "nodes"),
    "Namespace": ("ns", "namespaces"),
    "PersistentVolumeClaim": ("pvc", "persistentvolumeclaims"),
    "PersistentVolume": ("pv", "persistentvolumes"),
    "StorageClass": ("sc", "storageclasses"),
    "HorizontalPodAutoscaler": ("hpa", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("pdb", "poddisruptionbudgets"),
    "NetworkPolicy": ("netpol", "networkpolicies"),
    "ResourceQuota": ("quota", "resourcequotas"),
    "ConfigMap": ("cm", "configmaps"),
    "ServiceAccount": ("sa", "serviceaccounts"),
    "Event": ("ev", "events"),
}
_KINDS: Final = {name: kind for kind, names in _NAMES.items() for name in (kind.lower(), *names)}


def kind_of(word: object) -> str:
    """The kind's own name ("PersistentVolumeClaim"), or "" for a word that is none. A group after a dot is ignored."""
    return _KINDS.get(str(word or "").partition(".")[0].lower(), "")
