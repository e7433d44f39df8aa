"""The objects: resourceVersion bumps, generations, managedFields, preconditions. Callers hold the server's lock."""

import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sre_agent.testing.kubernetes.resources import BY_KIND, Resource
from sre_agent.testing.kubernetes.status import ApiError, Json, conflict, not_found


@dataclass
class VirtualClock:
    """The server's time. With `start` it stands still but for `advance`; without, it is real time plus what was advanced."""

    start: datetime | None = None
    offset: timedelta = field(default=timedelta())

    def now(self) -> datetime:
        """Aware, UTC."""
        return (self.start or datetime.now(UTC)) + self.offset

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self.offset += timedelta(seconds=seconds)


def stamp(at: datetime) -> str:
    """A time as the API writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def owned_fields(patch: object) -> Json:
    """FieldsV1 of what a write set. Lists are treated as one field, unlike a real server's keyed lists."""
    if not isinstance(patch, dict):
        return {}
    return {f"f:{key}": owned_fields(value) for key, value in patch.items() if value is not None}


def changed_fields(old: object, new: object) -> Json:
    """FieldsV1 of what differs; resourceVersion, generation and managedFields are the server's own."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return {}
    own = ("resourceVersion", "generation", "managedFields")
    different = [k for k in old.keys() | new.keys() if k not in own and old.get(k) != new.get(k)]
    return {f"f:{key}": changed_fields(old.get(key), new.get(key)) for key in different}


class Store:
    """Every object by (kind, namespace, name)."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self._objects: dict[tuple[str, str, str], Json] = {}
        self._version = 1000

    def add(self, item: Json, manager: str = "kube-controller-manager") -> Json:
        """Insert a new object and fill in what the server fills in (uid, resourceVersion, generation, creationTimestamp)."""
        resource = BY_KIND[item["kind"]]
        item = copy.deepcopy(item)
        meta = item.setdefault("metadata", {})
        key = self._key(resource, meta.get("namespace", ""), meta["name"])
        if key in self._objects:
            raise ApiError(
                409, f'{resource.plural} "{meta["name"]}" already exists', {"name": meta["name"], "kind": resource.plural}
            )
        item.setdefault("apiVersion", resource.group_version)
        meta.setdefault("uid", str(uuid.uuid4()))
        meta.setdefault("creationTimestamp", stamp(self.clock.now()))
        meta.setdefault("generation", 1)
        self._objects[key] = item
        self._manage(item, manager, "Update", {k: v for k, v in item.items() if k in ("metadata", "spec", "data")})
        return self.touch(item)

    def touch(self, item: Json) -> Json:
        """Give a stored object a new resourceVersion: call after every change."""
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        return item

    def written(self, item: Json, manager: str, operation: str, patch: Json) -> Json:
        """Record a client's write in managedFields and bump the version."""
        self._manage(item, manager, operation, patch)
        return self.touch(item)

    def disown(self, fresh: Json, old: Json) -> None:
        """Every manager loses what this write changed or removed; `written` then gives its writer what it set."""
        changed = changed_fields(old, fresh)
        for entry in fresh["metadata"].get("managedFields", []):
            _without(entry["fieldsV1"], changed)

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """The live object (not a copy). 404 ApiError."""
        found = self._objects.get(self._key(resource, namespace, name))
        if found is None:
            raise not_found(resource.plural, name)
        return found

    def find(self, kind: str, namespace: str, name: str) -> Json | None:
        """The live object, or None."""
        return self._objects.get(self._key(BY_KIND[kind], namespace, name))

    def of(self, kind: str, namespace: str = "") -> Iterator[Json]:
        """Live objects of a kind, in name order."""
        for (k, ns, _), item in sorted(self._objects.items()):
            if k == kind and namespace in ("", ns):
                yield item

    def remove(self, item: Json) -> None:
        """Delete from the store; removing twice is harmless."""
        meta = item["metadata"]
        key = self._key(BY_KIND[item["kind"]], meta.get("namespace", ""), meta["name"])
        if self._objects.get(key) is item:
            del self._objects[key]
            self._version += 1

    @property
    def version(self) -> str:
        """The collection's resourceVersion."""
        return str(self._version)

    def check_preconditions(self, resource: Resource, item: Json, preconditions: Json | None) -> None:
        """409 when uid or resourceVersion of DeleteOptions.preconditions do not match (apiserver storage/interfaces.go)."""
        meta, wanted = item["metadata"], preconditions or {}
        for name, field_name in (("UID", "uid"), ("ResourceVersion", "resourceVersion")):
            if (value := wanted.get(field_name)) and value != meta[field_name]:
                why = f"Precondition failed: {name} in precondition: {value}, {name} in object meta: {meta[field_name]}"
                raise conflict(resource.plural, meta["name"], why)

    def _manage(self, item: Json, manager: str, operation: str, patch: Json) -> None:
        entries = item["metadata"].setdefault("managedFields", [])
        fields = owned_fields({k: v for k, v in patch.items() if k not in ("apiVersion", "kind")})
        fields.get("f:metadata", {}).pop("f:managedFields", None)
        own = next((e for e in entries if (e["manager"], e["operation"]) == (manager, operation)), None)
        if own is None:
            own = {
                "manager": manager,
                "operation": operation,
                "apiVersion": item["apiVersion"],
                "fieldsType": "FieldsV1",
                "fieldsV1": {},
            }
            entries.append(own)
        own["time"] = stamp(self.clock.now())
        _deep_union(own["fieldsV1"], fields)

    @staticmethod
    def _key(resource: Resource, namespace: str, name: str) -> tuple[str, str, str]:
        return resource.kind, namespace if resource.namespaced else "", name


def _without(owned: Json, changed: Json) -> None:
    for key in list(owned.keys() & changed.keys()):
        if owned[key] and changed[key]:
            _without(owned[key], changed[key])
            if owned[key]:
                continue
        del owned[key]


def _deep_union(into: Json, more: Json) -> None:
    for key, value in more.items():
        _deep_union(into.setdefault(key, {}), value)
