"""The read-only client of the Kubernetes API: lists and logs with the read kubeconfig. The only file that reads with this SDK.

Lists only: what a label of an alert names is searched for among listed objects, never put into a path unchecked.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sre_agent.evidence.kubernetes.kept import METADATA_ONLY, stripped
from sre_agent.evidence.kubernetes.loading import LOADING
from sre_agent.evidence.kubernetes.review import Right, allowed, question, version
from sre_agent.evidence.kubernetes.state import JsonObject, text
from sre_agent.incident.errors import ConfigurationError, Permanent, SreAgentError, Transient


@dataclass(frozen=True)
class Listed:
    """How a kind is listed: the SDK's API class, its name in rights, and its name in the SDK's methods."""

    api: str
    resource: str
    method: str
    namespaced: bool = True

    @property
    def inside(self) -> str:
        """The SDK's method over one namespace."""
        return f"list_namespaced_{self.method}"

    @property
    def everywhere(self) -> str:
        """The SDK's method over the cluster."""
        return f"list_{self.method}_for_all_namespaces" if self.namespaced else f"list_{self.method}"


LISTED: dict[str, Listed] = {
    "Pod": Listed("CoreV1Api", "pods", "pod"),
    "Event": Listed("CoreV1Api", "events", "event"),
    "Service": Listed("CoreV1Api", "services", "service"),
    "Endpoints": Listed("CoreV1Api", "endpoints", "endpoints"),
    "ConfigMap": Listed("CoreV1Api", "configmaps", "config_map"),
    "ServiceAccount": Listed("CoreV1Api", "serviceaccounts", "service_account"),
    "ResourceQuota": Listed("CoreV1Api", "resourcequotas", "resource_quota"),
    "LimitRange": Listed("CoreV1Api", "limitranges", "limit_range"),
    "PersistentVolumeClaim": Listed("CoreV1Api", "persistentvolumeclaims", "persistent_volume_claim"),
    "PersistentVolume": Listed("CoreV1Api", "persistentvolumes", "persistent_volume", namespaced=False),
    "Namespace": Listed("CoreV1Api", "namespaces", "namespace", namespaced=False),
    "Node": Listed("CoreV1Api", "nodes", "node", namespaced=False),
    "ReplicaSet": Listed("AppsV1Api", "replicasets", "replica_set"),
    "Deployment": Listed("AppsV1Api", "deployments", "deployment"),
    "StatefulSet": Listed("AppsV1Api", "statefulsets", "stateful_set"),
    "DaemonSet": Listed("AppsV1Api", "daemonsets", "daemon_set"),
    "Job": Listed("BatchV1Api", "jobs", "job"),
    "CronJob": Listed("BatchV1Api", "cronjobs", "cron_job"),
    "PodDisruptionBudget": Listed("PolicyV1Api", "poddisruptionbudgets", "pod_disruption_budget"),
    "HorizontalPodAutoscaler": Listed("AutoscalingV2Api", "horizontalpodautoscalers", "horizontal_pod_autoscaler"),
    "EndpointSlice": Listed("DiscoveryV1Api", "endpointslices", "endpoint_slice"),
    "NetworkPolicy": Listed("NetworkingV1Api", "networkpolicies", "network_policy"),
    "Ingress": Listed("NetworkingV1Api", "ingresses", "ingress"),
    "IngressClass": Listed("NetworkingV1Api", "ingressclasses", "ingress_class", namespaced=False),
    "StorageClass": Listed("StorageV1Api", "storageclasses", "storage_class", namespaced=False),
    "PriorityClass": Listed("SchedulingV1Api", "priorityclasses", "priority_class", namespaced=False),
}
# A right that is not asked for by default: who may list secrets may read them. Without it, what needs it is handed back.
_ON_REQUEST = {"Secret": Listed("CoreV1Api", "secrets", "secret")}
_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_API_GROUPS = {
    "CoreV1Api": "",
    "AppsV1Api": "apps",
    "BatchV1Api": "batch",
    "PolicyV1Api": "policy",
    "AutoscalingV2Api": "autoscaling",
    "DiscoveryV1Api": "discovery.k8s.io",
    "NetworkingV1Api": "networking.k8s.io",
    "StorageV1Api": "storage.k8s.io",
    "SchedulingV1Api": "scheduling.k8s.io",
}
RIGHTS = (("get", "", "pods/log"), *(("list", _API_GROUPS[each.api], each.resource) for each in LISTED.values()))
"""(verb, API group, resource) of everything this file can ask for: what the read identity needs."""
NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
PAGE = 500
MAX_OBJECTS = 5_000
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

    async def select(self, kind: str, namespace: str | None, fields: str, labels: str = "") -> list[dict[str, object]]:
        """As `objects`, with a field selector ("spec.nodeName=n1") and a label selector ("k8s-app in (kube-dns)")."""
        if kind not in LISTED and kind not in _ON_REQUEST:
            raise Permanent(f"this agent does not read Kubernetes objects of kind {kind!r}")
        if namespace is not None and not NAME.match(namespace):
            raise Permanent(f"{namespace!r} is not a namespace name")
        return await asyncio.to_thread(self._listed, kind, namespace, fields, labels)

    async def log(self, namespace: str, pod: str, container: str, *, previous: bool) -> str:
        """The last LOG_LINES lines, at most LOG_BYTES of them; "" when there is no such log."""
        if not all(NAME.match(n) for n in (namespace, pod, container)):
            raise Permanent(f"{namespace}/{pod}/{container} is not a container")
        raw = await asyncio.to_thread(self._logged, namespace, pod, container, previous)
        return raw[-LOG_BYTES:].decode(errors="replace")

    async def version(self) -> str:
        """The API server's version. Raises as `objects`."""
        return await asyncio.to_thread(self._version)

    async def may(self, right: Right, namespace: str) -> bool:
        """Whether this identity has a right in a namespace ("": everywhere). Raises as `objects`."""
        return await asyncio.to_thread(self._may, right, namespace)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _listed(self, kind: str, namespace: str | None, fields: str, labels: str) -> list[dict[str, object]]:
        listed = LISTED.get(kind) or _ON_REQUEST[kind]
        where = (namespace,) if namespace is not None and listed.namespaced else ()
        call = getattr(self._api(listed.api), listed.inside if where else listed.everywhere)
        right = f"list {plural(kind)}" + (f" in namespace {where[0]}" if where else "")
        found: list[dict[str, object]] = []
        token: str | None = None
        while True:
            options: dict[str, Any] = {"limit": PAGE, "_continue": token, "field_selector": fields or None}
            options |= {"label_selector": labels} if labels else {}
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
        api = self._api("CoreV1Api")
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

    def _version(self) -> str:
        api = self._api("VersionApi")
        told = version(self._ask("read its version", partial(_body, api.get_code, (), self._raw())))
        if told is None:
            raise Permanent("could not read its version: the answer is not from a Kubernetes API server (a proxy?)")
        return told

    def _may(self, right: Right, namespace: str) -> bool:
        api = self._api("AuthorizationV1Api")
        what = f"ask about the right to {right[0]} {right[2]}"
        asked = partial(_body, api.create_self_subject_access_review, (question(right, namespace),), self._raw())
        told = allowed(self._ask(what, asked))
        if told is None:
            raise Permanent(f"could not {what}: the answer is not from a Kubernetes API server (a proxy?)")
        return told

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

    def _api(self, name: str) -> Any:
        """One of the SDK's API classes over the connection, which is made at the first use."""
        with LOADING:
            from kubernetes import client

            kind, *_ = [getattr(client, part) for part in (name, "ApiClient", "Configuration")]
        with self._lock:
            if self._client is None:
                self._client = _client(self._kubeconfig, self._context)
            return kind(self._client)


def plural(kind: str) -> str:
    """The kind's name for many of it: "Pods", "Ingresses", "NetworkPolicies"."""
    if kind.endswith("s"):
        return kind if kind == "Endpoints" else f"{kind}es"
    return f"{kind[:-1]}ies" if kind.endswith("cy") else f"{kind}s"


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


def _body(call: Callable[..., Any], where: tuple[Any, ...], options: dict[str, Any]) -> bytes:
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
