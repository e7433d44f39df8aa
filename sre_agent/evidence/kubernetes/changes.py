"""What changed in a cluster, as far as its objects still say: rollouts, and objects that somebody wrote. Pure.

A rollout is told by its ReplicaSets, one a revision. Of other objects metadata.managedFields say who wrote them when; what
controllers write is no change. Nothing of a value is told, only names, images and revisions.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sre_agent.evidence.change import Change, ChangeKind
from sre_agent.evidence.kubernetes.deployment_surroundings import revision
from sre_agent.evidence.kubernetes.kept import by_somebody
from sre_agent.evidence.kubernetes.pod_template import every_container
from sre_agent.evidence.kubernetes.state import JsonObject, controller_of, dig, entries, instant, text
from sre_agent.evidence.kubernetes.template_difference import differences
from sre_agent.evidence.window import Window

SOURCE = "kubernetes"
SETTLES = timedelta(minutes=2)
"""A write this soon after the creation belongs to the creation."""
MOST = 100
_WRITTEN = {
    "Deployment": ChangeKind.CONFIG,
    "StatefulSet": ChangeKind.DEPLOY,
    "DaemonSet": ChangeKind.DEPLOY,
    "CronJob": ChangeKind.DEPLOY,
    "ConfigMap": ChangeKind.CONFIG,
    "Service": ChangeKind.CONFIG,
    "Ingress": ChangeKind.CONFIG,
    "NetworkPolicy": ChangeKind.CONFIG,
    "ResourceQuota": ChangeKind.CONFIG,
    "LimitRange": ChangeKind.CONFIG,
    "HorizontalPodAutoscaler": ChangeKind.CONFIG,
    "PodDisruptionBudget": ChangeKind.CONFIG,
}
_NEW_MATTERS = frozenset({"NetworkPolicy", "ResourceQuota", "LimitRange", "PodDisruptionBudget"})
"""Kinds whose coming alone changes what others may do."""
# SAFETY: what speaks of prompts or models may change what a model says, and that is never infrastructure's.
_PROMPT = re.compile(r"prompt", re.IGNORECASE)
_MODEL = re.compile(r"(?:^|[^a-z])(?:model|llm|temperature|top[_-]?p)(?:[^a-z]|s\b|$)", re.IGNORECASE)


def changed(objects: Mapping[str, list[JsonObject]], window: Window) -> tuple[Change, ...]:
    """The changes inside the window, oldest first, the newest MOST of them."""
    rolled = list(_rollouts(objects, window))
    told = {c.target for c in rolled}
    others = [c for c in _written(objects, window) if c.target not in told]
    return tuple(sorted((*rolled, *others), key=lambda c: (c.at, c.target))[-MOST:])


def _rollouts(objects: Mapping[str, list[JsonObject]], window: Window) -> Iterator[Change]:
    by_owner: dict[str, list[JsonObject]] = {}
    for item in objects.get("ReplicaSet", ()):
        by_owner.setdefault(_owner(item), []).append(item)
    for deployment in objects.get("Deployment", ()):
        history = [*by_owner.get(text(deployment, "metadata", "uid"), ()), *by_owner.get(_name(deployment), ())]
        history = sorted((r for r in history if revision(r)), key=revision)
        at = instant(dig(history[-1], "metadata", "creationTimestamp")) if history else None
        if len(history) < 2 or at is None or not window.start <= at <= window.end:
            continue
        old, new = history[-2], history[-1]
        before, after = _images(old), _images(new)
        moved = differences(dig(old, "spec", "template") or {}, dig(new, "spec", "template") or {})
        yield Change(
            at=at,
            # SAFETY: of all that moved, not of what there is room to tell.
            kind=_kind(ChangeKind.DEPLOY, "; ".join(moved)),
            target=f"deployment/{_name(deployment)}",
            summary="; ".join(moved)[:500],
            from_version=before if before != after else f"revision {revision(old)}",
            to_version=after if before != after else f"revision {revision(new)}",
            source=SOURCE,
        )


def _owner(replica_set: JsonObject) -> str:
    owner = controller_of(replica_set)
    return text(owner, "uid") or text(owner, "name")


def _name(item: JsonObject) -> str:
    return text(item, "metadata", "name")


def _images(replica_set: JsonObject) -> str:
    return ", ".join(text(c, "image") for c in every_container(dig(replica_set, "spec", "template") or {}))


def _written(objects: Mapping[str, list[JsonObject]], window: Window) -> Iterator[Change]:
    eldest = min(
        (at for w in ("Deployment", "StatefulSet", "DaemonSet") for o in objects.get(w, ()) if (at := _made(o))), default=None
    )
    for kind, change in _WRITTEN.items():
        for item in objects.get(kind, ()):
            made, last = _made(item), _last_writer(item)
            if made is None or _name(item) == "kube-root-ca.crt":
                continue
            new = kind in _NEW_MATTERS and eldest is not None and made > eldest + SETTLES
            at, verb, author = (last[0], "written", last[1]) if last and last[0] > made + SETTLES else (made, "created", None)
            if (verb == "written" or new) and window.start <= at <= window.end:
                target = f"{kind.lower()}/{_name(item)}"
                # What is in a ConfigMap is not read; what its keys are called is.
                keys = ", ".join(sorted(map(str, dig(item, "data") or {}))) if isinstance(dig(item, "data"), dict) else ""
                yield Change(
                    at=at,
                    kind=_kind(change, f"{_name(item)} {keys}") if kind == "ConfigMap" else change,
                    target=target,
                    summary=f"{verb}{f' by {author}' if author else ''}",
                    author=author,
                    source=SOURCE,
                )


def _made(item: JsonObject) -> datetime | None:
    return instant(dig(item, "metadata", "creationTimestamp"))


def _last_writer(item: JsonObject) -> tuple[datetime, str] | None:
    """When a person or a delivery tool last wrote it, and by which name."""
    found = []
    for field in entries(item, "metadata", "managedFields"):
        at, who = instant(field.get("time")), text(field, "manager")
        if at is not None and by_somebody(field):
            found.append((at, who[:100]))
    return max(found, default=None)


def _kind(otherwise: ChangeKind, words: str) -> ChangeKind:
    if _PROMPT.search(words):
        return ChangeKind.PROMPT
    return ChangeKind.MODEL if _MODEL.search(words) else otherwise
