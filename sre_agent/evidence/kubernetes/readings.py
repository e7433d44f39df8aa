"""What the objects of a view say together, read once for all who ask: events by object, owners, Services, revisions. Pure."""

from sre_agent.evidence.kubernetes.deployment_surroundings import NAMESPACED_KINDS, DeploymentSurroundings, every_deployment
from sre_agent.evidence.kubernetes.events import ObjectEvents
from sre_agent.evidence.kubernetes.node_surroundings import failing_by_node
from sre_agent.evidence.kubernetes.service_map import ServiceMap
from sre_agent.evidence.kubernetes.state import Container, JsonObject, Trouble, pod_trouble, text
from sre_agent.evidence.kubernetes.template_difference import Revisions
from sre_agent.evidence.kubernetes.workload_owner import OWNER_KINDS, Owner, Owners
from sre_agent.evidence.view import EvidenceView


def events(view: EvidenceView) -> ObjectEvents:
    """The events by the object they are about."""
    return view.once(_events)


def owners(view: EvidenceView) -> Owners:
    """Who is above whom."""
    return view.once(_owners)


def pods_of(owner: Owner, view: EvidenceView) -> list[tuple[str, JsonObject]]:
    """(evidence id, pod) of every pod of a workload."""
    return view.once(_pods_of).get(owner, [])


def _pods_of(view: EvidenceView) -> dict[Owner, list[tuple[str, JsonObject]]]:
    found: dict[Owner, list[tuple[str, JsonObject]]] = {}
    for evidence_id, pod in view.objects("Pod"):
        found.setdefault(owners(view).of_pod(pod), []).append((evidence_id, pod))
    return found


def service_map(view: EvidenceView) -> ServiceMap:
    """The Services with what stands behind them."""
    return view.once(ServiceMap)


def revisions(view: EvidenceView) -> Revisions:
    """The ReplicaSets of each Deployment."""
    return view.once(_revisions)


def deployments(view: EvidenceView) -> list[tuple[str, DeploymentSurroundings]]:
    """(evidence id, what stands around it) of each Deployment with a uid."""
    return view.once(_deployments)


def trouble_of(pod: JsonObject, view: EvidenceView) -> tuple[Trouble, Container | None] | None:
    """`pod_trouble` at the time of the view."""
    known = view.once(_troubles)
    return known[id(pod)] if id(pod) in known else pod_trouble(pod, view.scope.now)


def failing_on(node: str, view: EvidenceView) -> tuple[JsonObject, ...]:
    """The pods that fail on this node and nowhere else, as node_surroundings.failing_only_on says."""
    return tuple(view.once(_failing).get(node, ()))


def _failing(view: EvidenceView) -> dict[str, list[JsonObject]]:
    sick = [p for _, p in view.objects("Pod") if trouble_of(p, view) is not None]
    return failing_by_node(sick, view.scope.now)


def _events(view: EvidenceView) -> ObjectEvents:
    return ObjectEvents(view.objects("Event"))


def _owners(view: EvidenceView) -> Owners:
    return Owners(o for kind in OWNER_KINDS for _, o in view.objects(kind))


def _revisions(view: EvidenceView) -> Revisions:
    return Revisions(o for _, o in view.objects("ReplicaSet"))


def _deployments(view: EvidenceView) -> list[tuple[str, DeploymentSurroundings]]:
    lists = {kind: [o for _, o in view.objects(kind)] for kind in NAMESPACED_KINDS}
    known: dict[str, DeploymentSurroundings] = {}
    for seen in every_deployment(lists):
        known.setdefault(text(seen.deployment, "metadata", "uid"), seen)
    told = ((i, text(d, "metadata", "uid")) for i, d in view.objects("Deployment"))
    return [(i, known[uid]) for i, uid in told if uid]


def _troubles(view: EvidenceView) -> dict[int, tuple[Trouble, Container | None] | None]:
    # By identity: the view holds every pod as long as it holds this.
    return {id(p): pod_trouble(p, view.scope.now) for _, p in view.objects("Pod")}
