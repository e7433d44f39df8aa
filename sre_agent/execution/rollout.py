"""What a Deployment says of its rollout, and how an action names the one it looked at. Pure."""

from datetime import UTC, datetime
from typing import Any

from sre_agent.evidence.kubernetes.deployment_surroundings import PROGRESS_DEADLINE_S, DeploymentSurroundings
from sre_agent.evidence.kubernetes.state import JsonObject, condition, number, text
from sre_agent.evidence.source import KubernetesReader
from sre_agent.execution.action import Outcome, Workbench
from sre_agent.execution.hands import DeploymentHands, DeploymentRef
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target

MARGIN_S = 60.0
"""On top of the Deployment's own progress deadline."""


class WallClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)


def stamp(now: datetime) -> str:
    """The moment as Kubernetes writes moments: UTC, whole seconds."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tools(bench: Workbench) -> tuple[KubernetesReader, DeploymentHands]:
    """What an action on a Deployment reads and writes with. Refused where this process has not both."""
    if bench.readers.kubernetes is None or bench.hands.deployments is None:
        raise Refused("deployment-no-access", "this process has no Kubernetes reader or no write kubeconfig")
    return bench.readers.kubernetes, bench.hands.deployments


def named(seen: DeploymentSurroundings) -> dict[str, Any]:
    """The identity of what was looked at, for the ledger: {namespace, name, uid, resource_version, generation, deadline_s}."""
    meta = seen.deployment["metadata"]
    return {
        "namespace": text(meta, "namespace"),
        "name": text(meta, "name"),
        "uid": text(meta, "uid"),
        "resource_version": text(meta, "resourceVersion"),
        "generation": number(meta, "generation"),
        "replicas": seen.replicas,
        "deadline_s": number(seen.deployment, "spec", "progressDeadlineSeconds") or PROGRESS_DEADLINE_S,
    }


def reference(precondition: dict[str, Any], resource_version: str) -> DeploymentRef:
    """What a write is addressed to."""
    p = precondition
    return DeploymentRef(namespace=p["namespace"], name=p["name"], uid=p["uid"], resource_version=resource_version)


def target_of(precondition: dict[str, Any]) -> Target:
    """The target of an intent, from its ledger row."""
    p = precondition
    return Target(kind="Deployment", namespace=p["namespace"], name=p["name"], uid=p["uid"])


def complete(deployment: JsonObject) -> bool:
    """Every wanted pod is of the present template and ready, and no other is left."""
    status, wanted = deployment.get("status") or {}, number(deployment, "spec", "replicas")
    seen = number(status, "observedGeneration") >= number(deployment, "metadata", "generation")
    counts = {number(status, key) for key in ("replicas", "updatedReplicas", "readyReplicas")}
    return seen and counts == {wanted} and text(condition(deployment, "Progressing"), "reason") in ("NewReplicaSetAvailable", "")


def progress(deployment: JsonObject, since: float, done: str) -> Outcome | None:
    """DONE once complete, FAILED when the controller gives up, None while it works. `since`: seconds since the write."""
    ready, wanted = number(deployment, "status", "readyReplicas"), number(deployment, "spec", "replicas")
    if complete(deployment):
        return Outcome(IntentState.DONE, f"{done}; {ready} of {wanted} replicas are ready", {"ready_s": since, "replicas": wanted})
    # What the conditions say is about the last generation the controller has seen, which may not be ours yet.
    seen = number(deployment, "status", "observedGeneration") >= number(deployment, "metadata", "generation")
    if seen and text(condition(deployment, "Progressing"), "reason") == "ProgressDeadlineExceeded":
        return Outcome(
            IntentState.FAILED, f"the rollout stopped: {ready} of {wanted} replicas are ready and no new one becomes ready"
        )
    return None
