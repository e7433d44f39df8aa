"""From a request to an answer: authentication, RBAC, and the verb."""

import base64
import copy
from dataclasses import dataclass, field

from sre_agent.testing.kubernetes.access import Identity, authorize, review
from sre_agent.testing.kubernetes.controllers import Controllers
from sre_agent.testing.kubernetes.eviction import evict
from sre_agent.testing.kubernetes.resources import Address, address
from sre_agent.testing.kubernetes.selectors import fields_match, labels_match
from sre_agent.testing.kubernetes.status import ApiError, Json, success, unimplemented
from sre_agent.testing.kubernetes.store import Store
from sre_agent.testing.kubernetes.writes import Patch, WriteOptions, Writes, scale_of

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PARAMETERS = {
    "list": {"labelSelector", "fieldSelector", "limit", "continue", "resourceVersion"},
    "get": {"container", "previous", "tailLines", "limitBytes", "timestamps", "pretty"},
    "write": {"dryRun", "fieldManager", "fieldValidation", "force", "gracePeriodSeconds", "propagationPolicy", "pretty"},
}


@dataclass(frozen=True)
class Request:
    """One parsed request. `query` holds the last value of each parameter."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str = "application/json"
    body: Json = field(default_factory=dict)
    operations: tuple[Json, ...] = ()
    """A JSON patch (RFC 6902); `body` is empty then."""
    accept: str = ""

    @property
    def dry_run(self) -> bool:
        """Whether the query asks for dryRun=All; any other value is a 400, as on a server."""
        value = self.query.get("dryRun", "")
        if value not in ("", "All"):
            raise ApiError(400, f'Invalid value: "{value}": dryRun: Unsupported value: supported values: "All"')
        return value == "All"


@dataclass
class Routes:
    """Everything the server can be asked. Callers hold the server's lock."""

    store: Store
    controllers: Controllers
    writes: Writes
    logs: dict[tuple[str, str, str, bool], str] = field(default_factory=dict)
    evictions: list[str] = field(default_factory=list)
    """uids really evicted, in order; what "exactly once" is judged by."""

    def answer(self, request: Request, identity: Identity) -> tuple[int, Json | str]:
        """(status code, object or log text). Raises ApiError."""
        if request.path.rstrip("/") == "/version":
            return 200, {"major": "1", "minor": "36", "gitVersion": "v1.36.0-standin"}
        at = address(request.path)
        verb = _VERBS.get(request.method) or ("get" if at.name else "list")
        authorize(identity, verb, at)
        known = _PARAMETERS.get(verb, _PARAMETERS["write"])
        if strange := set(request.query) - known:
            raise unimplemented(f"the parameters {sorted(strange)} on {verb} {at.right}")
        if verb == "list":
            return 200, self._list(at, request)
        if verb == "get":
            return self._get(at, request)
        return self._write(at, request, verb, identity)

    def _list(self, at: Address, request: Request) -> Json:
        items = [
            item
            for item in self.store.of(at.resource.kind, at.namespace)
            if labels_match(request.query.get("labelSelector", ""), item["metadata"].get("labels", {}))
            and fields_match(request.query.get("fieldSelector", ""), at.resource.kind, item)
        ]
        start = int(base64.b64decode(request.query["continue"])) if request.query.get("continue") else 0
        limit = int(request.query.get("limit", "0")) or len(items)
        meta: Json = {"resourceVersion": self.store.version}
        if start + limit < len(items):
            meta["continue"] = base64.b64encode(str(start + limit).encode()).decode()
            meta["remainingItemCount"] = len(items) - start - limit
        # Items of a typed list carry neither kind nor apiVersion, as on a real server; those of a list of metadata do.
        page = copy.deepcopy(items[start : start + limit])
        if "as=PartialObjectMetadataList" in request.accept:
            about = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            named = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return {**named, "metadata": meta, "items": [{**about, "metadata": i["metadata"]} for i in page]}
        page = [{k: v for k, v in i.items() if k not in ("kind", "apiVersion")} for i in page]
        return {"kind": f"{at.resource.kind}List", "apiVersion": at.resource.group_version, "metadata": meta, "items": page}

    def _get(self, at: Address, request: Request) -> tuple[int, Json | str]:
        item = self.store.get(at.resource, at.namespace, at.name)
        if at.sub == "" or (at.sub == "status" and at.resource.kind != "Pod"):
            return 200, copy.deepcopy(item)
        if at.right == "pods/log":
            return 200, self._log(item, request.query)
        if at.right in ("deployments/scale", "statefulsets/scale", "replicasets/scale"):
            return 200, scale_of(item)
        raise unimplemented(f"get {at.right}")

    def _log(self, pod: Json, query: dict[str, str]) -> str:
        name, names = pod["metadata"]["name"], [c["name"] for c in pod["spec"]["containers"]]
        container = query.get("container", names[0] if len(names) == 1 else "")
        if not container:
            raise ApiError(400, f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
        if container not in names:
            raise ApiError(400, f"container {container} is not valid for pod {name}")
        previous = query.get("previous") == "true"
        status: Json = next((s for s in pod["status"].get("containerStatuses", []) if s["name"] == container), {})
        if previous and not status.get("lastState", {}).get("terminated"):
            raise ApiError(400, f'previous terminated container "{container}" in pod "{name}" not found')
        waiting = status.get("state", {}).get("waiting", {}).get("reason", "")
        if not previous and waiting and not status.get("lastState"):
            raise ApiError(400, f'container "{container}" in pod "{name}" is waiting to start: {waiting}')
        text = self.logs.get((pod["metadata"]["namespace"], name, container, previous), "")
        if "tailLines" in query:
            text = "".join(text.splitlines(keepends=True)[-int(query["tailLines"]) :]) if query["tailLines"] != "0" else ""
        if "limitBytes" in query:
            text = text.encode()[: int(query["limitBytes"])].decode(errors="ignore")
        return text

    def _write(self, at: Address, request: Request, verb: str, identity: Identity) -> tuple[int, Json]:
        options = WriteOptions(request.dry_run, request.query.get("fieldManager", ""), request.query.get("force") == "true")
        if at.resource.kind == "SelfSubjectAccessReview" and verb == "create":
            return 201, review(identity, request.body)
        if at.right == "pods/eviction" and verb == "create":
            return 201, self._evict(at, request)
        if verb == "create" and not at.name:
            return 201, copy.deepcopy(self.writes.create(at, request.body, options))
        if verb == "update" and at.name and not at.sub:
            return 200, copy.deepcopy(self.writes.replace(at, request.body, options))
        if verb == "patch" and at.name:
            change = Patch(request.content_type, request.body, request.operations)
            return 200, copy.deepcopy(self.writes.patch(at, change, options))
        if verb == "delete" and at.name and not at.sub:
            dry = request.dry_run or request.body.get("dryRun") == ["All"]
            return 200, copy.deepcopy(self.writes.delete(at, request.body, dry))
        raise unimplemented(f"{verb} {at.right}{'' if at.name else ' as a collection'}")

    def _evict(self, at: Address, request: Request) -> Json:
        options = request.body.get("deleteOptions") or {}
        inside = options.get("dryRun", [])
        if request.dry_run and inside not in ([], ["All"]):
            raise ApiError(400, "Non-matching dry-run options in request and content")
        if request.body.get("metadata", {}).get("name", at.name) != at.name:
            raise ApiError(400, "name in URL does not match name in Eviction object")
        dry = request.dry_run or inside == ["All"]
        pod = self.store.get(at.resource, at.namespace, at.name)
        evict(self.controllers, pod, options, dry)
        if not dry:
            self.evictions.append(pod["metadata"]["uid"])
        return success(201)
