"""NodeHands: whether a node takes new pods. Nothing else of a node can be written."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre_agent.adapters.kubernetes.connection import FIELD_MANAGER, ApiServer, Call, expect
from sre_agent.execution.hands import NodeRef, ObjectState
from sre_agent.incident.errors import Refused

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api


class KubernetesNodeHands:
    """NodeHands with one kubeconfig. Rules: k8s-precondition-conflict, k8s-gone, k8s-admission-denied.

    OutcomeUnknown only for a real patch that was sent and not answered by the API server.
    """

    def __init__(self, kubeconfig: Path, *, context: str | None = None, connect_s: float = 3.0, answer_s: float = 15.0) -> None:
        self._server = ApiServer(kubeconfig, context=context, connect_s=connect_s, answer_s=answer_s)

    async def set_unschedulable(
        self, node: NodeRef, unschedulable: bool, annotations: Mapping[str, str | None], *, dry_run: bool
    ) -> ObjectState:
        """Cordon or uncordon exactly this version of the node, and set (None: remove) annotations with it."""
        call = Call(f"{'cordon' if unschedulable else 'uncordon'} node {node.name}", "patch nodes", not dry_run, "node")
        # SAFETY: both, always: a node that changed since it was judged is another node.
        same = {"uid": node.uid, "resourceVersion": node.resource_version}
        spec = {"unschedulable": True if unschedulable else None}
        body = {"metadata": {**same, "annotations": dict(annotations)}, "spec": spec}

        def ask(api: "CoreV1Api") -> bytes:
            answer: Any = api.patch_node(
                node.name,
                body,
                dry_run="All" if dry_run else None,
                field_manager=FIELD_MANAGER,
                field_validation="Strict",
                _content_type="application/merge-patch+json",
                _preload_content=False,
                _request_timeout=self._server.timeouts,
            )
            return bytes(answer.data)

        if not (node.uid and node.resource_version):
            raise Refused("k8s-precondition-conflict", f"node {node.name} was named without uid and resourceVersion")
        return ObjectState.of(expect(await self._server.ask(call, "CoreV1Api", ask), call, "Node"))

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
