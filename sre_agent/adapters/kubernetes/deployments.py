"""DeploymentHands: the pod template and the number of replicas, each with the resourceVersion it was judged at.

A merge patch (RFC 7396) where something is added, a JSON patch (RFC 6902) where a whole template is replaced: a merge would
keep what the other template does not have. The API server compares a resourceVersion written by either with the stored one.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre_agent.adapters.kubernetes.connection import FIELD_MANAGER, ApiServer, Call, expect
from sre_agent.execution.hands import DeploymentRef, ObjectState
from sre_agent.incident.errors import Refused

if TYPE_CHECKING:
    from kubernetes.client import AppsV1Api

_MERGE = "application/merge-patch+json"
_OPERATIONS = "application/json-patch+json"
_PATCH = "patch deployments.apps in namespace {0}"
_SCALE = "patch deployments.apps/scale in namespace {0}"


class KubernetesDeploymentHands:
    """DeploymentHands with one kubeconfig. Rules: k8s-precondition-conflict, k8s-gone, k8s-admission-denied.

    OutcomeUnknown only for a real patch that was sent and not answered by the API server.
    """

    def __init__(self, kubeconfig: Path, *, context: str | None = None, connect_s: float = 3.0, answer_s: float = 15.0) -> None:
        self._server = ApiServer(kubeconfig, context=context, connect_s=connect_s, answer_s=answer_s)

    async def annotate_template(self, deployment: DeploymentRef, annotations: Mapping[str, str], *, dry_run: bool) -> ObjectState:
        """Add annotations to the pod template: what `kubectl rollout restart` does."""
        body = {"metadata": _same(deployment), "spec": {"template": {"metadata": {"annotations": dict(annotations)}}}}
        return await self._patch(_call(deployment, "restart", _PATCH, dry_run), deployment, (body, _MERGE), dry_run=dry_run)

    async def replace_template(
        self, deployment: DeploymentRef, template: Mapping[str, object], annotations: Mapping[str, str], *, dry_run: bool
    ) -> ObjectState:
        """Put this pod template in the place of the present one, and `annotations` beside the Deployment's own."""
        body = [
            *({"op": "replace", "path": f"/metadata/{key}", "value": value} for key, value in _same(deployment).items()),
            {"op": "replace", "path": "/spec/template", "value": dict(template)},
            *({"op": "add", "path": f"/metadata/annotations/{_escaped(k)}", "value": v} for k, v in annotations.items()),
        ]
        return await self._patch(_call(deployment, "roll back", _PATCH, dry_run), deployment, (body, _OPERATIONS), dry_run=dry_run)

    async def scale(self, deployment: DeploymentRef, replicas: int, *, dry_run: bool) -> ObjectState:
        """Want this many replicas, through the scale subresource: a right of its own that reaches nothing else."""
        body = {"metadata": _same(deployment), "spec": {"replicas": replicas}}
        call = _call(deployment, "scale", _SCALE, dry_run)
        return await self._patch(call, deployment, (body, _MERGE), dry_run=dry_run, sub="_scale")

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    async def _patch(
        self, call: Call, deployment: DeploymentRef, patch: tuple[object, str], *, dry_run: bool, sub: str = ""
    ) -> ObjectState:
        if not (deployment.uid and deployment.resource_version):
            where = f"{deployment.namespace}/{deployment.name}"
            raise Refused("k8s-precondition-conflict", f"deployment {where} was named without uid and resourceVersion")
        ask = partial(self._send, deployment, patch, f"patch_namespaced_deployment{sub}", dry_run)
        answer = expect(await self._server.ask(call, "AppsV1Api", ask), call, "Deployment", "Scale")
        return ObjectState.of(answer)

    def _send(self, deployment: DeploymentRef, patch: tuple[object, str], verb: str, dry_run: bool, api: "AppsV1Api") -> bytes:
        send: Callable[..., Any] = getattr(api, verb)
        answer = send(
            deployment.name,
            deployment.namespace,
            patch[0],
            dry_run="All" if dry_run else None,
            field_manager=FIELD_MANAGER,
            field_validation="Strict",
            _content_type=patch[1],
            _preload_content=False,
            _request_timeout=self._server.timeouts,
        )
        return bytes(answer.data)


def _escaped(key: str) -> str:
    """A key inside a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _same(deployment: DeploymentRef) -> dict[str, str]:
    # SAFETY: both, always: a Deployment that changed since it was judged is another Deployment.
    return {"uid": deployment.uid, "resourceVersion": deployment.resource_version}


def _call(deployment: DeploymentRef, verb: str, right: str, dry_run: bool) -> Call:
    what = f"{verb} deployment {deployment.namespace}/{deployment.name}"
    return Call(what, right.format(deployment.namespace), not dry_run, "deployment")
