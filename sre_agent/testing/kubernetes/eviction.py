"""The Eviction subresource, as registry/core/pod/storage/eviction.go decides it."""

from sre_agent.testing.kubernetes.controllers import Controllers
from sre_agent.testing.kubernetes.resources import BY_KIND
from sre_agent.testing.kubernetes.rollouts import is_ready
from sre_agent.testing.kubernetes.selectors import selector_matches
from sre_agent.testing.kubernetes.status import ApiError, Json
from sre_agent.testing.kubernetes.store import stamp

_PODS = BY_KIND["Pod"]


def evict(controllers: Controllers, pod: Json, options: Json, dry_run: bool) -> None:
    """Evict or raise: 409 on preconditions, 429 when a budget is exhausted, 500 under two budgets.

    A real eviction first adds the DisruptionTarget condition, then deletes: two version bumps, as on a server.
    """
    controllers.store.check_preconditions(_PODS, pod, options.get("preconditions"))
    if pod.get("status", {}).get("phase") not in ("Pending", "Succeeded", "Failed") and "deletionTimestamp" not in pod["metadata"]:
        _check_budget(controllers, pod)
    if dry_run:
        return
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": stamp(controllers.store.clock.now()),
    }
    pod["status"].setdefault("conditions", []).append(condition)
    controllers.store.touch(pod)
    controllers.end_pod(pod)


def _check_budget(controllers: Controllers, pod: Json) -> None:
    labels, namespace = pod["metadata"].get("labels", {}), pod["metadata"]["namespace"]
    budgets = [
        b for b in controllers.store.of("PodDisruptionBudget", namespace) if selector_matches(b["spec"].get("selector"), labels)
    ]
    if len(budgets) > 1:
        raise ApiError(500, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
    if not budgets:
        return
    (budget,) = budgets
    status, name = budget["status"], budget["metadata"]["name"]
    if not is_ready(pod):
        policy = budget["spec"].get("unhealthyPodEvictionPolicy", "IfHealthyBudget")
        healthy_enough = status["currentHealthy"] >= status["desiredHealthy"] > 0
        if policy == "AlwaysAllow" or healthy_enough:
            return
    if status["disruptionsAllowed"] < 1:
        needs, has = status["desiredHealthy"], status["currentHealthy"]
        why = f"The disruption budget {name} needs {needs} healthy pods and has {has} currently"
        causes = [{"reason": "DisruptionBudget", "message": why}]
        raise ApiError(429, "Cannot evict pod as it would violate the pod's disruption budget.", {"causes": causes})
