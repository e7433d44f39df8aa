"""Pods, their owners, events, nodes, budgets and logs, read with the read kubeconfig. The only file that reads with this SDK.

Lists only: what a label of an alert names is searched for among listed objects, never put into a path unchecked.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.kubernetes_kept import METADATA_ONLY, stripped
from sre_agent.evidence.kubernetes_scope import LOG_CONTAINERS, Subject, log_subjects, relevant, subjects
from sre_agent.evidence.kubernetes_state import JsonObject, text
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import ConfigurationError, Permanent, SreAgentError, Transient

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

# kind -> (API class, method over one namespace or None, method over the cluster)
_LISTS: dict[str, tuple[str, str | None, str]] = {
    "Pod": ("CoreV1Api", "list_namespaced_pod", "list_pod_for_all_namespaces"),
    "Event": ("CoreV1Api", "list_namespaced_event", "list_event_for_all_namespaces"),
    "Service": ("CoreV1Api", "list_namespaced_service", "list_service_for_all_namespaces"),
    "Node": ("CoreV1Api", None, "list_node"),
    "ReplicaSet": ("AppsV1Api", "list_namespaced_replica_set", "list_replica_set_for_all_namespaces"),
    "Deployment": ("AppsV1Api", "list_namespaced_deployment", "list_deployment_for_all_namespaces"),
    "StatefulSet": ("AppsV1Api", "list_namespaced_stateful_set", "list_stateful_set_for_all_namespaces"),
    "DaemonSet": ("AppsV1Api", "list_namespaced_daemon_set", "list_daemon_set_for_all_namespaces"),
    "Job": ("BatchV1Api", "list_namespaced_job", "list_job_for_all_namespaces"),
    "PodDisruptionBudget": (
        "PolicyV1Api",
        "list_namespaced_pod_disruption_budget",
        "list_pod_disruption_budget_for_all_namespaces",
    ),
    "ResourceQuota": ("CoreV1Api", "list_namespaced_resource_quota", "list_resource_quota_for_all_namespaces"),
    "HorizontalPodAutoscaler": (
        "AutoscalingV2Api",
        "list_namespaced_horizontal_pod_autoscaler",
        "list_horizontal_pod_autoscaler_for_all_namespaces",
    ),
    "ConfigMap": ("CoreV1Api", "list_namespaced_config_map", "list_config_map_for_all_namespaces"),
}
# A right that is not asked for by default: who may list secrets may read them. Without it, what needs it is handed back.
_ON_REQUEST: dict[str, tuple[str, str | None, str]] = {
    "Secret": ("CoreV1Api", "list_namespaced_secret", "list_secret_for_all_namespaces"),
}
_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_API_GROUPS = {
    "CoreV1Api": "",
    "AppsV1Api": "apps",
    "BatchV1Api": "batch",
    "PolicyV1Api": "policy",
    "AutoscalingV2Api": "autoscaling",
}
RIGHTS = (("get", "", "pods/log"), *(("list", _API_GROUPS[api], f"{kind.lower()}s") for kind, (api, _, _) in _LISTS.items()))
"""(verb, API group, resource) of everything this file can ask for: what the read identity needs."""
_OWNERS = ("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job")
_GROUPS = {"pods": ("Pod",), "owners": _OWNERS, "events": ("Event",), "nodes": ("Node",), "budgets": ("PodDisruptionBudget",)}
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
PAGE = 500
MAX_OBJECTS = 5_000
MAX_ITEMS = 200
MAX_BYTES = 400_000
LOG_LINES = 200
LOG_BYTES = 32_768


class KubernetesCluster:
    """KubernetesReader over one kubeconfig (None: the in-cluster identity). Seconds: `connect_s`, `answer_s` per request.

    Raises Transient (unreachable, 429, 5xx), Permanent (401, 403 naming the right, not an API server), ConfigurationError.
    """

    def __init__(
        self, kubeconfig: Path | None = None, *, context: str | None = None, connect_s: float = 3.0, answer_s: float = 10.0
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeouts = (connect_s, answer_s)
        self._lock = threading.Lock()
        self._client: Any = None

    async def objects(self, kind: str, namespace: str | None) -> list[dict[str, object]]:
        """All objects of a kind, all pages, with kind set and without managedFields. Permanent above MAX_OBJECTS."""
        return await self.select(kind, namespace, "")

    async def select(self, kind: str, namespace: str | None, fields: str) -> list[dict[str, object]]:
        """As `objects`, with a field selector ("spec.nodeName=n1")."""
        if kind not in _LISTS and kind not in _ON_REQUEST:
            raise Permanent(f"this agent does not read Kubernetes objects of kind {kind!r}")
        if namespace is not None and not _NAME.match(namespace):
            raise Permanent(f"{namespace!r} is not a namespace name")
        return await asyncio.to_thread(self._listed, kind, namespace, fields)

    async def log(self, namespace: str, pod: str, container: str, *, previous: bool) -> str:
        """The last LOG_LINES lines, at most LOG_BYTES of them; "" when there is no such log."""
        if not all(_NAME.match(n) for n in (namespace, pod, container)):
            raise Permanent(f"{namespace}/{pod}/{container} is not a container")
        raw = await asyncio.to_thread(self._logged, namespace, pod, container, previous)
        return raw[-LOG_BYTES:].decode(errors="replace")

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _listed(self, kind: str, namespace: str | None, fields: str) -> list[dict[str, object]]:
        from kubernetes import client

        api_name, inside, everywhere = _LISTS.get(kind) or _ON_REQUEST[kind]
        api = getattr(client, api_name)(self._connected())
        call = getattr(api, everywhere) if namespace is None or inside is None else getattr(api, inside)
        where = (namespace,) if namespace is not None and inside is not None else ()
        right = f"list {kind}s" + (f" in namespace {where[0]}" if where else "")
        found: list[dict[str, object]] = []
        token: str | None = None
        while True:
            options: dict[str, Any] = {"limit": PAGE, "_continue": token, "field_selector": fields or None}
            if kind in METADATA_ONLY:
                options["_headers"] = {"Accept": _METADATA}
            raw = self._ask(right, partial(_body, call, where, {**options, **self._raw()}))
            page = _list_object(raw, right)
            found += [stripped(item, kind) for item in page["items"]]
            if len(found) > MAX_OBJECTS:
                raise Permanent(f"more than {MAX_OBJECTS} objects of kind {kind}: refusing to read on")
            token = text(page, "metadata", "continue")
            if not token:
                return found

    def _logged(self, namespace: str, pod: str, container: str, previous: bool) -> bytes:
        from kubernetes.client import CoreV1Api

        api: Any = CoreV1Api(self._connected())
        options = {"container": container, "previous": previous, "tail_lines": LOG_LINES}

        def read() -> bytes:
            answer = api.read_namespaced_pod_log(pod, namespace, **options, **self._raw())
            try:
                return bytes(answer.read(64 * LOG_BYTES))
            finally:
                answer.close()

        try:
            return self._ask(f"get pods/log in namespace {namespace}", read)
        except _Absent:
            return b""

    def _raw(self) -> dict[str, Any]:
        return {"_preload_content": False, "_request_timeout": self._timeouts}

    def _ask(self, right: str, ask: Callable[[], bytes]) -> bytes:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return ask()
        except ApiException as error:
            raise _translated(right, error.status or 0, str(error.body or "")) from error
        except (HTTPError, OSError) as error:
            raise Transient(f"Kubernetes: could not {right}: {type(error).__name__}") from error

    def _connected(self) -> "ApiClient":
        with self._lock:
            if self._client is None:
                self._client = _client(self._kubeconfig, self._context)
            client: ApiClient = self._client
            return client


class KubernetesSource:
    """EvidenceSource over the objects the alerts' labels name, and the logs of the unhealthy among them."""

    name = "kubernetes"
    kind = EvidenceKind.KUBERNETES

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """KUBERNETES evidence per namespace and group (pods, owners, events, nodes, budgets), LOGS per unhealthy container.

        () when no alert names a namespace or a node. A kind that cannot be read is ERROR evidence; when pods cannot, it raises.
        """
        wanted = [s for s in subjects(scope.incident) if all(_NAME.match(n) for n in s.names)]
        answers = await asyncio.gather(*(self._about(s, scope) for s in wanted))
        return tuple(e for answer in answers for e in answer)

    async def _about(self, subject: Subject, scope: Scope) -> list[Evidence]:
        kinds = [k for group in _GROUPS.values() for k in group]
        answers = await asyncio.gather(*(self._read(k, subject) for k in kinds), return_exceptions=True)
        objects: dict[str, list[JsonObject]] = {}
        errors: dict[str, SreAgentError] = {}
        for kind, answer in zip(kinds, answers, strict=True):
            if isinstance(answer, SreAgentError):
                errors[kind] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                objects[kind] = answer
        if "Pod" in errors:
            raise errors["Pod"]
        found = relevant(subject, objects, scope.now)
        evidence = [e for name, group in _GROUPS.items() for e in _evidence(name, group, subject, (found, errors), scope)]
        logs = [log_subjects(p, scope.now) for p in found.get("Pod", ())]
        wanted = [entry for each in logs for entry in each][:LOG_CONTAINERS]
        return evidence + list(await asyncio.gather(*(self._log(*entry, scope) for entry in wanted)))

    async def _read(self, kind: str, subject: Subject) -> list[JsonObject]:
        if kind == "Node":
            return await self._cluster.objects(kind, None)
        if subject.namespace is not None:
            return await self._cluster.objects(kind, subject.namespace)
        # A node alone: its pods wherever they live, and its own events (kept in "default").
        if kind == "Pod":
            return await self._cluster.select(kind, None, f"spec.nodeName={subject.node}")
        if kind == "Event":
            return await self._cluster.select(kind, "default", f"involvedObject.kind=Node,involvedObject.name={subject.node}")
        return []

    async def _log(self, namespace: str, pod: str, container: str, previous: bool, scope: Scope) -> Evidence:
        query = f"logs {namespace}/{pod} {container}{' (previous run)' if previous else ''}"
        try:
            lines = (await self._cluster.log(namespace, pod, container, previous=previous)).splitlines()
        except SreAgentError as error:
            return _plain(EvidenceKind.LOGS, query, scope, EvidenceStatus.ERROR, error=str(error))
        payload = {"namespace": namespace, "pod": pod, "container": container, "previous": previous, "lines": lines}
        status = EvidenceStatus.OK if lines else EvidenceStatus.NO_DATA
        return _plain(EvidenceKind.LOGS, query, scope, status, payload=payload, truncated=len(lines) >= LOG_LINES)


def _evidence(
    name: str,
    kinds: Iterable[str],
    subject: Subject,
    answers: tuple[dict[str, list[JsonObject]], dict[str, SreAgentError]],
    scope: Scope,
) -> list[Evidence]:
    """What one group of kinds answered: at most one OK or NO_DATA, and one ERROR per kind that could not be read."""
    found, errors = answers
    query = f"{name} of {subject.text}"
    made = [
        _plain(EvidenceKind.KUBERNETES, f"{k}s of {subject.text}", scope, EvidenceStatus.ERROR, error=str(errors[k]))
        for k in kinds
        if k in errors
    ]
    items, cut = _capped([item for k in kinds for item in found.get(k, ())])
    if items:
        made.append(_plain(EvidenceKind.KUBERNETES, query, scope, EvidenceStatus.OK, payload={"items": items}, truncated=cut))
    elif not made and name in ("pods", "events"):
        made.append(_plain(EvidenceKind.KUBERNETES, query, scope, EvidenceStatus.NO_DATA, payload={"items": []}))
    return made


def _capped(items: list[JsonObject]) -> tuple[list[JsonObject], bool]:
    """The first items that fit MAX_ITEMS and MAX_BYTES; the most telling come first."""
    kept: list[JsonObject] = []
    size = 0
    for item in items[:MAX_ITEMS]:
        size += len(json.dumps(item))
        if size > MAX_BYTES:
            break
        kept.append(item)
    return kept, len(kept) < len(items)


def _plain(kind: EvidenceKind, query: str, scope: Scope, status: EvidenceStatus, **rest: Any) -> Evidence:
    size = len(json.dumps(rest.get("payload"))) if rest.get("payload") else 0
    return Evidence(
        id="", source="kubernetes", kind=kind, query=query, status=status, observed_at=scope.now, size_bytes=size, **rest
    )


class _Absent(SreAgentError):
    """There is no such log."""


def _client(kubeconfig: Path | None, context: str | None) -> Any:
    """An ApiClient of the kubeconfig, or of the pod's own identity."""
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
    from yaml import YAMLError

    file: Any = load_kube_config
    inside: Any = load_incluster_config
    configuration = Configuration()
    where = f"kubeconfig {kubeconfig}" if kubeconfig is not None else "the in-cluster identity"
    try:
        if kubeconfig is None:
            inside(client_configuration=configuration)
        else:
            file(str(kubeconfig), context, client_configuration=configuration, persist_config=False)
    except (ConfigException, YAMLError, OSError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{where} cannot be used: {error}; set KUBECONFIG to a readable file") from error
    configuration.retries = False
    return ApiClient(configuration)


def _body(call: Callable[..., Any], where: tuple[str, ...], options: dict[str, Any]) -> bytes:
    return bytes(call(*where, **options).data)


def _list_object(raw: bytes, right: str) -> JsonObject:
    try:
        page = json.loads(raw)
    except ValueError:
        page = None
    if not isinstance(page, dict) or not isinstance(page.get("items", []), list) or not str(page.get("kind", "")).endswith("List"):
        raise Permanent(f"could not {right}: the answer is not from a Kubernetes API server (a proxy or a sign-in page?)")
    return {**page, "items": [i for i in page.get("items") or [] if isinstance(i, dict)]}


def _translated(right: str, code: int, body: str) -> SreAgentError:
    try:
        message = str(json.loads(body).get("message", ""))[:300]
    except (ValueError, AttributeError):
        message = ""
    match code:
        case 401:
            return Permanent("Kubernetes does not accept the read kubeconfig's credentials")
        case 403:
            return Permanent(f"the read identity lacks the right to {right}")
        case 404:
            return _Absent(message) if "log" in right else Permanent(f"could not {right}: {message or 'not found'}")
        case 400 if "log" in right:
            return _Absent(message)
        case 410:
            return Transient(f"could not {right}: the list changed while it was read")
        case _ if code == 0 or code == 429 or code >= 500:
            return Transient(f"could not {right}: {message or f'HTTP {code}'}")
    return Permanent(f"could not {right}: {message or f'HTTP {code}'}")
