"""Who a pod belongs to: its controllers upwards, and the workload that people know it by. Pure."""

from collections.abc import Iterable

from sre_agent.evidence.kubernetes.state import JsonObject, controller_of, labels_of, text

Owner = tuple[str, str, str]
"""(kind, namespace, name) of a workload."""
OWNER_KINDS = ("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
HASH = "pod-template-hash"


class Owners:
    """The chain of controllers above objects. What was not read is named after the reference to it."""

    def __init__(self, items: Iterable[JsonObject]) -> None:
        self._known = {(text(o, "kind"), text(o, "metadata", "namespace"), text(o, "metadata", "name")): o for o in items}

    def root(self, item: JsonObject) -> Owner:
        """The uppermost controller, as far as it is known; the object itself when nobody owns it.

        A ReplicaSet that was not read is taken for its Deployment's when its pod carries the hash that ends its name.
        """
        namespace = text(item, "metadata", "namespace")
        at: Owner = (text(item, "kind"), namespace, text(item, "metadata", "name"))
        current: JsonObject | None = item
        for _ in range(5):
            reference = controller_of(current) if current is not None else None
            if reference is None:
                break
            at = (text(reference, "kind"), namespace, text(reference, "name"))
            current = self._known.get(at)
        return _guessed(item, at) if current is None else at

    def of_pod(self, pod: JsonObject) -> Owner:
        """As `root`, but a CronJob's pod belongs to its Job."""
        reference = controller_of(pod)
        if text(reference, "kind") == "Job":
            return "Job", text(pod, "metadata", "namespace"), text(reference, "name")
        return self.root(pod)


def _guessed(item: JsonObject, at: Owner) -> Owner:
    made_of = labels_of(item).get(HASH)
    if at[0] == "ReplicaSet" and isinstance(made_of, str) and made_of and at[2].endswith(f"-{made_of}"):
        return "Deployment", at[1], at[2].removesuffix(f"-{made_of}")
    return at


def named(owner: Owner) -> str:
    """ "deployment/api": how findings name it."""
    kind = {"persistentvolumeclaim": "claim", "horizontalpodautoscaler": "hpa"}.get(owner[0].lower(), owner[0].lower())
    return f"{kind}/{owner[2].lower()}"


def object_name(item: JsonObject) -> str:
    """ "claim/data": how findings name this object."""
    return named((text(item, "kind"), "", text(item, "metadata", "name")))
