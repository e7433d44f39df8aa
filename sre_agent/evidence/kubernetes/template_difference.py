"""What the newest revision of a Deployment changed in its pods, in words, never with the values of variables. Pure."""

from collections.abc import Iterable, Iterator

from sre_agent.evidence.kubernetes.pod_template import every_container
from sre_agent.evidence.kubernetes.state import JsonObject, controller_of, dig, entries, instant, text

REVISION = "deployment.kubernetes.io/revision"
MOST = 4
_PARTS = (
    "command",
    "args",
    "ports",
    "resources",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "securityContext",
    "volumeMounts",
)
_POD_PARTS = ("volumes", "nodeSelector", "affinity", "tolerations", "serviceAccountName", "priorityClassName", "securityContext")


def difference(old: JsonObject, new: JsonObject) -> str:
    """ "image a:1 -> a:2, env DB_HOST": what differs between two pod templates, the most telling first; "" when nothing does."""
    found = list(dict.fromkeys(_differences(old, new)))
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return ", ".join(found[:MOST]) + more


def _differences(old: JsonObject, new: JsonObject) -> Iterator[str]:
    before = {text(c, "name"): c for c in every_container(old)}
    after = {text(c, "name"): c for c in every_container(new)}
    for name in [n for n in after if n in before]:
        a, b = before[name], after[name]
        if a.get("image") != b.get("image"):
            yield f"image {text(a, 'image')} -> {text(b, 'image')}"
        yield from (f"env {v}" for v in _variables(a, b))
        yield from (f"{part} of container {name}" for part in _PARTS if a.get(part) != b.get(part))
        if a.get("envFrom") != b.get("envFrom"):
            yield f"envFrom of container {name}"
    yield from (f"container {n} is new" for n in after if n not in before)
    yield from (f"container {n} is gone" for n in before if n not in after)
    yield from (part for part in _POD_PARTS if dig(old, "spec", part) != dig(new, "spec", part))


def _variables(old: JsonObject, new: JsonObject) -> list[str]:
    before = {text(v, "name"): v for v in entries(old, "env")}
    after = {text(v, "name"): v for v in entries(new, "env")}
    return sorted(n for n in {*before, *after} if before.get(n) != after.get(n))


class Revisions:
    """The ReplicaSets of each Deployment, by revision."""

    def __init__(self, sets: Iterable[JsonObject]) -> None:
        self._known: dict[tuple[str, str], JsonObject] = {}
        self._of: dict[tuple[str, str], list[JsonObject]] = {}
        for each in sets:
            owner = controller_of(each)
            self._known.setdefault((text(each, "metadata", "namespace"), text(each, "metadata", "name")), each)
            if text(owner, "kind") == "Deployment":
                self._of.setdefault((text(each, "metadata", "namespace"), text(owner, "name")), []).append(each)

    def change_of(self, pod: JsonObject) -> str:
        """ "revision 4 of 09:55 changed image a:1 -> a:2": what came with the pod's revision, if that is the newest of several."""
        namespace, owner = text(pod, "metadata", "namespace"), controller_of(pod)
        mine = self._known.get((namespace, text(owner, "name")))
        above = controller_of(mine) if mine is not None and text(owner, "kind") == "ReplicaSet" else None
        sets = sorted(self._of.get((namespace, text(above, "name")), []), key=_number)
        if mine is None or len(sets) < 2 or sets[-1] is not mine:
            return ""
        changed = difference(dig(sets[-2], "spec", "template") or {}, dig(mine, "spec", "template") or {})
        at = instant(dig(mine, "metadata", "creationTimestamp"))
        when = f" of {at:%H:%M}" if at is not None else ""
        return f"revision {_number(mine)}{when} changed {changed}" if changed else ""


def _number(replica_set: JsonObject) -> int:
    value = text(replica_set, "metadata", "annotations", REVISION)
    return int(value) if value.isdecimal() and len(value) < 10 else 0
