"""PodHands: the Eviction API, and the logs saved before it.

https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre_agent.adapters.kubernetes.connection import FIELD_MANAGER, ApiServer, Call, NoLog, expect
from sre_agent.evidence.kubernetes.loading import LOADING
from sre_agent.execution.hands import PodRef
from sre_agent.incident.errors import Refused

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

TAIL_LINES = 400
_MAX_LOG_READ = 4_000_000


class KubernetesPodHands:
    """PodHands with one kubeconfig. Timeouts in seconds: `connect_s` to connect, `answer_s` for the whole answer.

    ConfigurationError at the first call when the kubeconfig is missing or unreadable.
    """

    def __init__(self, kubeconfig: Path, *, context: str | None = None, connect_s: float = 3.0, answer_s: float = 15.0) -> None:
        self._server = ApiServer(kubeconfig, context=context, connect_s=connect_s, answer_s=answer_s)

    async def evict(self, pod: PodRef, *, dry_run: bool) -> None:
        """Evict exactly this version of the pod. See PodHands; rules k8s-pdb-exhausted, k8s-precondition-conflict, k8s-gone.

        OutcomeUnknown only for a real eviction that was sent and not answered by the API server.
        """
        call = Call(f"evict pod {pod.namespace}/{pod.name}", f"create pods/eviction in namespace {pod.namespace}", not dry_run)

        def ask(api: "CoreV1Api") -> bytes:
            with LOADING:
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
                _request_timeout=self._server.timeouts,
            )
            return bytes(answer.data)

        if not (pod.uid and pod.resource_version):
            raise Refused("k8s-precondition-conflict", f"pod {pod.namespace}/{pod.name} was named without uid and resourceVersion")
        expect(await self._server.ask(call, "CoreV1Api", ask), call, "Status", "Eviction")

    async def previous_logs(self, pod: PodRef, container: str, *, max_bytes: int) -> str:
        """The last `max_bytes` of the container's previous run; "" when there was none or the pod is gone."""
        call = Call(f"read logs of {pod.namespace}/{pod.name}", f"get pods/log in namespace {pod.namespace}", False)

        def ask(api: "CoreV1Api") -> bytes:
            answer: Any = api.read_namespaced_pod_log(
                pod.name,
                pod.namespace,
                container=container,
                previous=True,
                tail_lines=TAIL_LINES,
                _preload_content=False,
                _request_timeout=self._server.timeouts,
            )
            try:
                return bytes(answer.read(_MAX_LOG_READ))
            finally:
                answer.close()

        try:
            raw = await self._server.ask(call, "CoreV1Api", ask)
        except NoLog:
            return ""
        return raw[-max_bytes:].decode(errors="replace") if max_bytes > 0 else ""

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
