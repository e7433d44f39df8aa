"""Writes to Kubernetes: the Eviction API, and the logs saved before it. The only file that writes with this SDK.

Uses the write kubeconfig it is given and nothing else: no default file, no in-cluster identity, no fallback. Retries are
off; a redirect is not followed. Eviction: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre_agent.execution.hands import PodRef
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Refused, SreAgentError, Transient

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

FIELD_MANAGER = "sre-agent"
TAIL_LINES = 400
_MAX_LOG_READ = 4_000_000


@dataclass(frozen=True)
class _Call:
    """What is being asked, for messages: "evict pod voice/api-1", and the right it needs."""

    what: str
    right: str
    may_have_happened: bool


class KubernetesPodHands:
    """PodHands with one kubeconfig. Timeouts in seconds: `connect_s` to connect, `answer_s` for the whole answer.

    ConfigurationError at the first call when the kubeconfig is missing or unreadable.
    """

    def __init__(self, kubeconfig: Path, *, context: str | None = None, connect_s: float = 3.0, answer_s: float = 15.0) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeouts = (connect_s, answer_s)
        self._lock = threading.Lock()
        self._client: Any = None

    async def evict(self, pod: PodRef, *, dry_run: bool) -> None:
        """Evict exactly this version of the pod. See PodHands; rules k8s-pdb-exhausted, k8s-precondition-conflict, k8s-gone.

        OutcomeUnknown only for a real eviction that was sent and not answered by the API server.
        """
        call = _Call(f"evict pod {pod.namespace}/{pod.name}", f"create pods/eviction in namespace {pod.namespace}", not dry_run)

        def ask(api: "CoreV1Api") -> bytes:
            from kubernetes.client import V1DeleteOptions, V1Eviction, V1ObjectMeta, V1Preconditions

            # SAFETY: both preconditions, always: a pod that changed since it was judged is another pod.
            same = V1Preconditions(uid=pod.uid, resource_version=pod.resource_version)
            body = V1Eviction(
                api_version="policy/v1",
                kind="Eviction",
                metadata=V1ObjectMeta(name=pod.name, namespace=pod.namespace),
                delete_options=V1DeleteOptions(preconditions=same, dry_run=["All"] if dry_run else None),
            )
            answer: Any = api.create_namespaced_pod_eviction(
                pod.name,
                pod.namespace,
                body,
                dry_run="All" if dry_run else None,
                field_manager=FIELD_MANAGER,
                _preload_content=False,
                _request_timeout=self._timeouts,
            )
            return bytes(answer.data)

        if not (pod.uid and pod.resource_version):
            raise Refused("k8s-precondition-conflict", f"pod {pod.namespace}/{pod.name} was named without uid and resourceVersion")
        _expect_status(await self._ask(call, ask), call)

    async def previous_logs(self, pod: PodRef, container: str, *, max_bytes: int) -> str:
        """The last `max_bytes` of the container's previous run; "" when there was none or the pod is gone."""
        call = _Call(f"read logs of {pod.namespace}/{pod.name}", f"get pods/log in namespace {pod.namespace}", False)

        def ask(api: "CoreV1Api") -> bytes:
            answer: Any = api.read_namespaced_pod_log(
                pod.name,
                pod.namespace,
                container=container,
                previous=True,
                tail_lines=TAIL_LINES,
                _preload_content=False,
                _request_timeout=self._timeouts,
            )
            try:
                return bytes(answer.read(_MAX_LOG_READ))
            finally:
                answer.close()

        try:
            raw = await self._ask(call, ask)
        except _NoLog:
            return ""
        return raw[-max_bytes:].decode(errors="replace") if max_bytes > 0 else ""

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    async def _ask(self, call: _Call, ask: "Callable[[CoreV1Api], bytes]") -> bytes:
        try:
            async with asyncio.timeout(sum(self._timeouts) + 1.0):
                return await asyncio.to_thread(self._in_thread, call, ask)
        except TimeoutError:
            raise _unanswered(call, "no complete answer in time") from None

    def _in_thread(self, call: _Call, ask: "Callable[[CoreV1Api], bytes]") -> bytes:
        from kubernetes.client import CoreV1Api
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

        api = CoreV1Api(self._connected())
        try:
            return ask(api)
        except ApiException as error:
            raise _translated(call, error.status or 0, error.body or "", dict(error.headers or {})) from error
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise Transient(f"could not {call.what}: no connection to the API server ({type(error).__name__})") from error
        except (HTTPError, OSError) as error:
            raise _unanswered(call, type(error).__name__) from error

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._kubeconfig, self._context)
            return self._client


class _NoLog(SreAgentError):
    """The container has no previous run."""


def _client(kubeconfig: Path, context: str | None) -> Any:
    """An ApiClient (untyped in the SDK where we need it)."""
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import ConfigException, load_kube_config
    from yaml import YAMLError

    if not kubeconfig.is_file():
        raise ConfigurationError(f"write kubeconfig {kubeconfig} does not exist; set SRE_AGENT_WRITE_KUBECONFIG to a readable file")
    load: Any = load_kube_config
    configuration = Configuration()
    try:
        load(str(kubeconfig), context, client_configuration=configuration, persist_config=False)
    except (ConfigException, YAMLError, OSError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(f"write kubeconfig {kubeconfig} cannot be used: {error}") from error
    # SAFETY: an eviction is sent at most once. False also makes urllib3 raise what really happened.
    configuration.retries = False
    return ApiClient(configuration)


def _unanswered(call: _Call, why: str) -> Transient:
    if call.may_have_happened:
        return OutcomeUnknown(f"{call.what} was sent and not answered ({why}): it may or may not have happened")
    return Transient(f"could not {call.what}: {why}")


def _status(body: str) -> dict[str, Any] | None:
    """The Status object of an answer; None when something other than an API server wrote it."""
    try:
        status = json.loads(body)
    except ValueError:
        return None
    return status if isinstance(status, dict) and status.get("kind") in ("Status", "Eviction") else None


def _expect_status(raw: bytes, call: _Call) -> None:
    if _status(raw.decode(errors="replace")) is not None:
        return
    why = "the answer is not from a Kubernetes API server (a proxy or a sign-in page?)"
    if call.may_have_happened:
        raise _unanswered(call, why)
    raise Permanent(f"could not {call.what}: {why}")


def _translated(call: _Call, code: int, body: str, headers: dict[str, str]) -> SreAgentError:
    """An HTTP error as ours. What provably was not applied is Refused or Permanent; 5xx of a real write is unknown."""
    status = _status(body)
    message = str((status or {}).get("message") or f"HTTP {code}")[:500]
    if status is None and code and call.may_have_happened:
        return _unanswered(call, f"HTTP {code} that is not from a Kubernetes API server")
    if code >= 500 or code == 0:
        return _unanswered(call, message)
    match code:
        case 400 if "pods/log" in call.right and ("not found" in message or "waiting to start" in message):
            return _NoLog(message)
        case 401:
            return Permanent(f"could not {call.what}: the API server does not accept the write kubeconfig's credentials")
        case 403 if " cannot " in message:
            return Permanent(f"could not {call.what}: the write identity lacks the right to {call.right}")
        case 403 | 422:
            return Refused("k8s-admission-denied", message)
        case 404 if "pods/log" in call.right:
            return _NoLog(message)
        case 404:
            return Refused("k8s-gone", f"the pod is gone: {message}")
        case 409:
            return Refused("k8s-precondition-conflict", f"the pod changed since it was looked at: {message}")
        case 429 if _budget_exhausted(status):
            return Refused("k8s-pdb-exhausted", message)
        case 429:
            wait = headers.get("Retry-After", "")
            return Transient(f"could not {call.what}: {message}", retry_after=float(wait) if wait.isdigit() else None)
        case _:
            return Permanent(f"could not {call.what}: {message}")


def _budget_exhausted(status: dict[str, Any] | None) -> bool:
    details = (status or {}).get("details") or {}
    return any(cause.get("reason") == "DisruptionBudget" for cause in details.get("causes") or [])
