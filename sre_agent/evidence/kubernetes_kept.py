"""What is kept of a Kubernetes object that was read: no more than somebody needs. Pure."""

from sre_agent.evidence.kubernetes_state import JsonObject, dig, entries

METADATA_ONLY = frozenset({"ConfigMap", "Secret"})
"""When these changed matters; what is in them is nobody's business here."""
OUR_HAND = "sre-agent"
"""The field manager the agent writes as."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def stripped(item: JsonObject, kind: str) -> dict[str, object]:
    """The item as `kubectl get -o json` shows it: kind set, managedFields and last-applied left out.

    Kept of managedFields is what decides: when a ConfigMap or Secret was written, and whose hand cordoned a node.
    """
    meta = {k: v for k, v in item.get("metadata", {}).items() if k != "managedFields"}
    if annotations := meta.get("annotations"):
        meta["annotations"] = {k: v for k, v in annotations.items() if k != _LAST_APPLIED}
    if kind in METADATA_ONLY:
        written = [_writer(f) for f in entries(item, "metadata", "managedFields")]
        whole = {"immutable": True} if item.get("immutable") is True else {}
        return {"apiVersion": "v1", "kind": kind, "metadata": {**meta, "managedFields": written}, **whole}
    if kind == "Node":
        cordons = [{**_writer(f), "fieldsV1": _CORDON} for f in entries(item, "metadata", "managedFields") if _cordons(f)]
        meta |= {"managedFields": cordons} if cordons else {}
    return {**item, "kind": kind, "metadata": meta}


_CORDON: JsonObject = {"f:spec": {"f:unschedulable": {}}}


def cordoned_by(node: JsonObject) -> frozenset[str]:
    """Who, by managedFields, set spec.unschedulable of a node: the field managers, none when nobody did."""
    return frozenset(str(f.get("manager", "")) for f in entries(node, "metadata", "managedFields") if _cordons(f))


def _writer(field: JsonObject) -> JsonObject:
    return {k: field[k] for k in ("manager", "operation", "time") if k in field}


def _cordons(field: JsonObject) -> bool:
    return isinstance(dig(field, "fieldsV1", "f:spec", "f:unschedulable"), dict)
