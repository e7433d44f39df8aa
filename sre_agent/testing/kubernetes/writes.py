"""Create, replace, patch and delete: optimistic locking, dry run, field ownership, validation, admission, quota."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from sre_agent.testing.kubernetes.controllers import Controllers
from sre_agent.testing.kubernetes.resources import Address
from sre_agent.testing.kubernetes.status import ApiError, Json, conflict, invalid, unimplemented
from sre_agent.testing.kubernetes.store import Store, owned_fields

DEFAULT_MANAGER = "OpenAPI-Generator"
_MERGE = ("application/merge-patch+json", "application/strategic-merge-patch+json")
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True)
class AdmissionPolicy:
    """A scripted ValidatingAdmissionPolicy: `allows(object)` False refuses with 422 and this message."""

    name: str
    allows: Callable[[Json], bool]
    message: str


@dataclass(frozen=True)
class WriteOptions:
    """Query parameters of a write."""

    dry_run: bool
    manager: str
    force: bool = False


@dataclass(frozen=True)
class Patch:
    """A PATCH body: an object to merge, or (application/json-patch+json) the operations of RFC 6902."""

    content_type: str
    body: Json
    operations: tuple[Json, ...] = ()


@dataclass
class Writes:
    """The write path over a store."""

    store: Store
    controllers: Controllers
    policies: list[AdmissionPolicy] = field(default_factory=list)
    pod_quota: dict[str, int] = field(default_factory=dict)
    """namespace -> most pods (a ResourceQuota on "pods")."""

    def create(self, at: Address, body: Json, options: WriteOptions) -> Json:
        """POST to a collection."""
        item = {**body, "kind": at.resource.kind}
        item.setdefault("metadata", {})
        if at.resource.namespaced:
            item["metadata"] = {**item["metadata"], "namespace": at.namespace}
        self._admit(item)
        most = self.pod_quota.get(at.namespace)
        used = sum(1 for _ in self.store.of("Pod", at.namespace))
        if at.resource.kind == "Pod" and most is not None and used >= most:
            name = item["metadata"].get("name", "")
            why = f"exceeded quota: pods, requested: pods=1, used: pods={used}, limited: pods={most}"
            raise ApiError(403, f'pods "{name}" is forbidden: {why}', {"name": name, "kind": "pods"})
        if options.dry_run:
            return item
        made = self.store.add(item, options.manager or DEFAULT_MANAGER)
        made.setdefault("status", {})
        self.controllers.refresh()
        return made

    def replace(self, at: Address, body: Json, options: WriteOptions) -> Json:
        """PUT an object; its resourceVersion, when given, must be the stored one."""
        current = self.store.get(at.resource, at.namespace, at.name)
        fresh = {**copy.deepcopy(current), **{k: v for k, v in body.items() if k in ("spec", "data")}}
        for part in ("labels", "annotations"):
            if part in body.get("metadata", {}):
                fresh["metadata"][part] = body["metadata"][part]
        return self._store(at, current, fresh, body, options)

    def patch(self, at: Address, change: Patch, options: WriteOptions) -> Json:
        """PATCH an object or a deployment's scale: merge, strategic merge, JSON patch, or server-side apply."""
        current = self.store.get(at.resource, at.namespace, at.name)
        body, content_type = change.body, change.content_type
        if content_type == _JSON_PATCH and at.sub == "":
            return self._patch_by_operations(at, current, change.operations, options)
        if at.sub == "status" and content_type in _MERGE:
            return self._patch_status(at, current, body, options)
        if at.sub not in ("", "scale"):
            raise unimplemented(f"patching {at.right}")
        if content_type == _APPLY:
            self._check_owners(at, current, body, options)
        elif content_type not in _MERGE:
            raise unimplemented(f"patches of type {content_type}")
        fresh = copy.deepcopy(current)
        patch = {k: v for k, v in body.items() if k not in ("apiVersion", "kind", "status")}
        merge(fresh, patch, keyed=content_type != _MERGE[0])
        fresh["metadata"] = {**fresh["metadata"], **{k: current["metadata"][k] for k in ("uid", "name", "managedFields")}}
        operation = "Apply" if content_type == _APPLY else "Update"
        answer = self._store(at, current, fresh, body, options, operation)
        return scale_of(answer) if at.sub == "scale" else answer

    def _patch_by_operations(self, at: Address, current: Json, operations: tuple[Json, ...], options: WriteOptions) -> Json:
        """RFC 6902. A resourceVersion that is written is compared with the stored one, as the server does with any update."""
        fresh = copy.deepcopy(current)
        for operation in operations:
            apply_operation(fresh, operation)
        written = {"metadata": {k: fresh["metadata"][k] for k in ("resourceVersion", "uid") if k in fresh["metadata"]}}
        if fresh.get("spec") != current.get("spec"):
            written["spec"] = fresh["spec"]
        fresh["metadata"] = {**fresh["metadata"], **{k: current["metadata"][k] for k in ("uid", "name", "managedFields")}}
        return self._store(at, current, fresh, written, options)

    def _patch_status(self, at: Address, current: Json, body: Json, options: WriteOptions) -> Json:
        """The status subresource: status alone, generation untouched. Controllers then have their say, as on a cluster."""
        fresh = copy.deepcopy(current)
        merge(fresh, {"status": body.get("status", {})}, keyed=False)
        return self._store(at, current, fresh, {"metadata": body.get("metadata", {}), "status": body.get("status", {})}, options)

    def delete(self, at: Address, options: Json, dry_run: bool) -> Json:
        """DELETE one object. Pods end gracefully; anything else is removed at once."""
        current = self.store.get(at.resource, at.namespace, at.name)
        self.store.check_preconditions(at.resource, current, options.get("preconditions"))
        answer = copy.deepcopy(current)
        if dry_run:
            return answer
        if at.resource.kind == "Pod":
            self.controllers.end_pod(current)
            return copy.deepcopy(current)
        self.store.remove(current)
        self.controllers.refresh()
        return answer

    def _store(self, at: Address, current: Json, fresh: Json, body: Json, options: WriteOptions, operation: str = "Update") -> Json:
        version = body.get("metadata", {}).get("resourceVersion")
        if version and version != current["metadata"]["resourceVersion"]:
            raise conflict(
                at.resource.plural, at.name, "the object has been modified; please apply your changes to the latest version"
            )
        uid = body.get("metadata", {}).get("uid")
        if uid and uid != current["metadata"]["uid"]:
            raise invalid(current["kind"], at.name, "metadata.uid", f'Invalid value: "{uid}": field is immutable')
        fresh["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"]
        self._admit(fresh)
        if fresh.get("spec") != current.get("spec"):
            fresh["metadata"]["generation"] = current["metadata"]["generation"] + 1
        if options.dry_run:
            return fresh
        self.store.disown(fresh, current)
        current.clear()
        current.update(fresh)
        self.store.written(current, options.manager or DEFAULT_MANAGER, operation, body)
        self.controllers.refresh()
        return current

    def _admit(self, item: Json) -> None:
        kind, name = item["kind"], item["metadata"].get("name", "")
        replicas = item.get("spec", {}).get("replicas", 0)
        if isinstance(replicas, int) and replicas < 0:
            raise invalid(kind, name, "spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0")
        for policy in self.policies:
            if not policy.allows(item):
                who = f'ValidatingAdmissionPolicy "{policy.name}" with binding "{policy.name}"'
                why = f'{kind.lower()}s "{name}" is forbidden: {who} denied request: {policy.message}'
                raise ApiError(422, why, {"name": name, "kind": kind, "causes": [{"message": policy.message}]})

    def _check_owners(self, at: Address, current: Json, body: Json, options: WriteOptions) -> None:
        """Server-side apply: a leaf owned by another manager and set to another value is a conflict unless forced."""
        if not options.manager:
            raise ApiError(400, "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch")
        if options.force:
            return
        wanted = {k: v for k, v in body.items() if k == "spec"}
        causes = []
        for entry in current["metadata"].get("managedFields", []):
            if entry["manager"] == options.manager:
                continue
            for path in _shared_leaves(owned_fields(wanted), entry["fieldsV1"], ""):
                if _value(wanted, path) != _value(current, path):
                    why = f'conflict with "{entry["manager"]}" using {current["apiVersion"]}'
                    causes.append({"reason": "FieldManagerConflict", "message": why, "field": path})
        if causes:
            raise ApiError(409, f"Apply failed with {len(causes)} conflict", {"name": at.name, "causes": causes})


def _shared_leaves(ours: Json, theirs: Json, path: str) -> list[str]:
    shared = []
    for key in ours.keys() & theirs.keys():
        here = f"{path}.{key.removeprefix('f:')}"
        shared += _shared_leaves(ours[key], theirs[key], here) if ours[key] and theirs[key] else [here]
    return sorted(shared)


def _value(item: Json, path: str) -> object:
    value: object = item
    for key in path.strip(".").split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def merge(into: Json, patch: Json, *, keyed: bool) -> None:
    """RFC 7396 merge; `keyed` merges lists of named things by name, as strategic merge does for containers and env."""
    for key, value in patch.items():
        old = into.get(key)
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(old, dict):
                into[key] = {}
            merge(into[key], value, keyed=keyed)
        elif (
            keyed
            and isinstance(value, list)
            and isinstance(old, list)
            and all(isinstance(v, dict) and "name" in v for v in value + old)
        ):
            for entry in value:
                same = next((o for o in old if o["name"] == entry["name"]), None)
                if same is None:
                    old.append(copy.deepcopy(entry))
                else:
                    merge(same, entry, keyed=True)
        else:
            into[key] = copy.deepcopy(value)


def apply_operation(item: Json, operation: Json) -> None:
    """One operation of RFC 6902: add, replace, remove or test. A test that fails is a 422, as the API server answers it."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in str(operation.get("path", "")).split("/")[1:]]
    place: object = item
    for key in way:
        place = place.get(key) if isinstance(place, dict) else None
    if not isinstance(place, dict) or (operation.get("op") in ("remove", "replace") and last not in place):
        raise ApiError(422, f"the server rejected our request: jsonpatch {operation.get('path')}: doc is missing path")
    match operation.get("op"):
        case "add" | "replace":
            place[last] = copy.deepcopy(operation.get("value"))
        case "remove":
            del place[last]
        case "test":
            if place.get(last) != operation.get("value"):
                raise ApiError(422, f"the server rejected our request: testing value {operation.get('path')} failed")
        case other:
            raise unimplemented(f"the JSON patch operation {other!r}")


def scale_of(deployment: Json) -> Json:
    """The Scale subresource of a controller."""
    meta = {k: deployment["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion")}
    spec, status = {"replicas": deployment["spec"]["replicas"]}, {"replicas": deployment["status"].get("replicas", 0)}
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": spec, "status": status}
