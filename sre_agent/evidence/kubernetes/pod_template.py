"""What a pod template brings with it when pods are made of it anew: images, and configuration that lives elsewhere. Pure.

A restart is no remedy when it would bring another image or configuration into force: that is a deploy nobody reviewed.
Whatever is unclear counts as "could bring something new".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, instant, text

HASH = "pod-template-hash"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
INTENT = "sre-agent/intent"
"""Annotation: the ledger key of the intent that wrote last. The observable stamp of an effect of ours."""

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_OPAQUE_VOLUMES = ("csi", "flexVolume", "gitRepo", "image")
"""Volumes whose content may come from anywhere (secret stores, repositories, images)."""
_NEUTRAL_NOTES = (RESTARTED_AT, INTENT)
_NEUTRAL_LABELS = (HASH, "app.kubernetes.io/version", "version", "helm.sh/chart")
_BEHAVIOUR = re.compile(r"prompt|model|llm|temperature|top[_-]?p\b", re.IGNORECASE)


def every_container(template: JsonObject) -> tuple[JsonObject, ...]:
    """Init containers, then containers."""
    return entries(template, "spec", "initContainers") + entries(template, "spec", "containers")


def images_may_move(template: JsonObject) -> bool:
    """Whether a new pod may run another image than the present ones: neither pinned by digest nor never pulled."""
    made = every_container(template)
    return not made or not all(_DIGEST.search(text(c, "image")) or c.get("imagePullPolicy") == "Never" for c in made)


def sources(template: JsonObject) -> frozenset[tuple[str, str]]:
    """(kind, name) of each ConfigMap and Secret that the template reads."""
    return frozenset((kind, name) for kind, name in _sources(template) if name)


def _sources(template: JsonObject) -> Iterator[tuple[str, str]]:
    for container in every_container(template):
        for each in entries(container, "envFrom"):
            yield "ConfigMap", text(each, "configMapRef", "name")
            yield "Secret", text(each, "secretRef", "name")
        for variable in entries(container, "env"):
            yield "ConfigMap", text(variable, "valueFrom", "configMapKeyRef", "name")
            yield "Secret", text(variable, "valueFrom", "secretKeyRef", "name")
    for volume in entries(template, "spec", "volumes"):
        for part in (volume, *entries(volume, "projected", "sources")):
            yield "ConfigMap", text(part, "configMap", "name")
            yield "Secret", text(part, "secret", "name") or text(part, "secret", "secretName")


def opaque(template: JsonObject) -> bool:
    """Whether something is mounted whose changes nobody here can see."""
    return any(kind in volume for volume in entries(template, "spec", "volumes") for kind in _OPAQUE_VOLUMES)


def sources_may_differ(template: JsonObject, configs: Sequence[JsonObject], since: datetime | None) -> bool:
    """Whether any ConfigMap or Secret of the template was written after `since`, is missing, or does not say when."""
    if opaque(template):
        return True
    found = {(text(c, "kind"), text(c, "metadata", "name")): c for c in configs}
    return any(_may_differ(found.get(key), since) for key in sources(template))


def _may_differ(config: JsonObject | None, since: datetime | None) -> bool:
    made = instant(dig(config, "metadata", "creationTimestamp"))
    if config is None or since is None or made is None or made > since:
        return True
    if config.get("immutable") is True:
        return False
    times = [instant(f.get("time")) for f in entries(config, "metadata", "managedFields")]
    return not times or any(t is None or t > since for t in times)


def differs_beyond_image(old: JsonObject, new: JsonObject) -> bool:
    """Whether two templates differ in anything but the images of the same containers and notes that change nothing.

    An image whose name speaks of prompts or models counts as behaviour.
    """
    if _without_images(old) != _without_images(new):
        return True
    changed = [text(b, "image") for a, b in zip(every_container(old), every_container(new), strict=True) if a != b]
    return any(_BEHAVIOUR.search(image.partition("@")[0]) for image in changed)


def same(old: JsonObject, new: JsonObject) -> bool:
    """Whether two templates make the same pods: equal but for the hash label."""
    readable = isinstance(old, dict) and isinstance(new, dict)
    return readable and _plain(old, ()) == _plain(new, ()) and old.get("spec") == new.get("spec")


def bare(template: JsonObject) -> JsonObject:
    """The template as a Deployment holds it: without the hash label that its ReplicaSet put on it."""
    meta = _object(template, "metadata")
    labels = {k: v for k, v in _object(meta, "labels").items() if k != HASH}
    return {**template, "metadata": {**{k: v for k, v in meta.items() if v is not None}, "labels": labels}}


def _without_images(template: JsonObject) -> JsonObject:
    spec = dict(_object(template, "spec"))
    for part in ("initContainers", "containers"):
        spec[part] = [{k: v for k, v in c.items() if k != "image"} for c in entries(template, "spec", part)]
    return {"spec": spec, **_plain(template, _NEUTRAL_NOTES, _NEUTRAL_LABELS)}


def _plain(template: JsonObject, notes: Sequence[str], labels: Sequence[str] = (HASH,)) -> dict[str, Mapping[str, object]]:
    meta = _object(template, "metadata")
    return {
        "annotations": {k: v for k, v in _object(meta, "annotations").items() if k not in notes},
        "labels": {k: v for k, v in _object(meta, "labels").items() if k not in labels},
    }


def _object(item: object, key: str) -> JsonObject:
    """The object at a key, or {} for anything else."""
    value = dig(item, key)
    return value if isinstance(value, dict) else {}
