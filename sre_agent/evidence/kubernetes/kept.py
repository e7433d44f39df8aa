"""What is kept of a Kubernetes object that was read: no more than somebody needs. Pure."""

import re

from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, text

METADATA_ONLY = frozenset({"ConfigMap", "Secret"})
"""When these changed matters; what is in them is nobody's business here."""
WRITERS_KEPT = frozenset(
    {
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "CronJob",
        "Service",
        "Ingress",
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
    }
)
"""Kinds of which it is kept who wrote them when, and nothing of what was written."""
_CONTROLLERS = re.compile(r"kube-|kubelet|.{0,80}-controller(?:-manager)?$|cluster-autoscaler|coredns", re.IGNORECASE)
"""Field managers that follow what others wrote."""
MAX_VALUE = 200
"""The longest value of a ConfigMap that is kept, where a file brings values at all: settings are short, prompts are long."""
OUR_HAND = "sre-agent"
"""The field manager the agent writes as."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def stripped(item: JsonObject, kind: str) -> dict[str, object]:
    """The item as `kubectl get -o json` shows it: kind set, managedFields and last-applied left out.

    Kept of managedFields is what decides: when a ConfigMap or Secret was written, and whose hand cordoned a node.
    """
    given = item.get("metadata")
    meta = {k: v for k, v in given.items() if k != "managedFields"} if isinstance(given, dict) else {}
    if isinstance(annotations := meta.get("annotations"), dict):
        meta["annotations"] = {k: v for k, v in annotations.items() if k != _LAST_APPLIED}
    if kind in METADATA_ONLY:
        written = [_writer(f) for f in entries(item, "metadata", "managedFields")]
        whole = {"immutable": True} if item.get("immutable") is True else {}
        return {"apiVersion": "v1", "kind": kind, "metadata": {**meta, "managedFields": written}, **whole}
    if kind == "Node":
        cordons = [{**_writer(f), "fieldsV1": _CORDON} for f in entries(item, "metadata", "managedFields") if _cordons(f)]
        meta |= {"managedFields": cordons} if cordons else {}
    if kind in WRITERS_KEPT:
        people = [_writer(f) for f in entries(item, "metadata", "managedFields") if by_somebody(f)]
        meta |= {"managedFields": people} if people else {}
    return {**item, "kind": kind, "metadata": meta}


def told(item: JsonObject) -> JsonObject:
    """An object of a case file as it may be shown: the values of a Secret never, those of a ConfigMap while they are short."""
    kind = item.get("kind")
    if kind not in METADATA_ONLY:
        return item
    kept = {k: v for k, v in item.items() if k not in ("data", "stringData", "binaryData")}
    for part in ("data", "stringData", "binaryData"):
        values = item.get(part)
        if isinstance(values, dict):
            kept[part] = {str(k): _short(v) if kind == "ConfigMap" and part == "data" else "" for k, v in values.items()}
    return kept


def _short(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_VALUE else ""


_CORDON: JsonObject = {"f:spec": {"f:unschedulable": {}}}


def cordoned_by(node: JsonObject) -> frozenset[str]:
    """Who, by managedFields, set spec.unschedulable of a node: the field managers, none when nobody did."""
    return frozenset(str(f.get("manager", "")) for f in entries(node, "metadata", "managedFields") if _cordons(f))


def by_somebody(field: JsonObject) -> bool:
    """Whether an entry of managedFields is of a person or a delivery tool, and not a controller's report."""
    return not text(field, "subresource") and not _CONTROLLERS.match(text(field, "manager")[:100])


def _writer(field: JsonObject) -> JsonObject:
    return {k: field[k] for k in ("manager", "operation", "time") if k in field}


def _cordons(field: JsonObject) -> bool:
    return isinstance(dig(field, "fieldsV1", "f:spec", "f:unschedulable"), dict)
