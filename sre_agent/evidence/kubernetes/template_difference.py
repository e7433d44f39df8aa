"""What the newest revision of a Deployment changed in its pods, in words, never with the values of variables. Pure."""

from collections.abc import Iterable, Iterator

from sre_agent.evidence.kubernetes.deployment_surroundings import revision
from sre_agent.evidence.kubernetes.pod_template import every_container
from sre_agent.evidence.kubernetes.state import JsonObject, controller_of, dig, entries, instant, text

MOST = 4
_TOLD_FIRST = ("image", "env", "envFrom", "command", "args")


def difference(old: JsonObject, new: JsonObject) -> str:
    """What differs between two pod templates, the most telling first, for one line; "" when nothing does."""
    found = differences(old, new)
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return ", ".join(found[:MOST]) + more


def differences(old: JsonObject, new: JsonObject) -> tuple[str, ...]:
    """ "image of main: a:1 -> a:2", "variable DB_HOST of main", "nodeSelector of the pod": never a variable's value."""
    return tuple(dict.fromkeys(_differences(old, new)))


def _differences(old: JsonObject, new: JsonObject) -> Iterator[str]:
    before = {text(c, "name"): c for c in every_container(old)}
    after = {text(c, "name"): c for c in every_container(new)}
    for name in [n for n in after if n in before]:
        a, b = before[name], after[name]
        moved = {part for part in {*a, *b} if a.get(part) != b.get(part)}
        for part in sorted(moved, key=lambda p: (_TOLD_FIRST.index(p) if p in _TOLD_FIRST else len(_TOLD_FIRST), p)):
            if part == "image":
                yield f"image of {name}: {text(a, 'image')} -> {text(b, 'image')}"
            elif part == "env":
                yield from (f"variable {v} of {name}" for v in _variables(a, b))
            else:
                yield f"{part} of {name}"
    yield from (f"container {n} is new" for n in after if n not in before)
    yield from (f"container {n} is gone" for n in before if n not in after)
    parts = {str(k) for each in (old, new) for k in (dig(each, "spec") or {}) if not str(k).endswith("ontainers")}
    yield from (f"{part} of the pod" for part in sorted(parts) if dig(old, "spec", part) != dig(new, "spec", part))


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
        sets = sorted(self._of.get((namespace, text(above, "name")), []), key=revision)
        if mine is None or len(sets) < 2 or sets[-1] is not mine:
            return ""
        changed = difference(dig(sets[-2], "spec", "template") or {}, dig(mine, "spec", "template") or {})
        at = instant(dig(mine, "metadata", "creationTimestamp"))
        when = f" of {at:%H:%M}" if at is not None else ""
        return f"revision {revision(mine)}{when} changed {changed}" if changed else ""
