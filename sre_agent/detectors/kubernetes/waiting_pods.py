"""POD_UNSCHEDULABLE: no node takes a pod, by the scheduler's words and the pod's own wishes.

Pure. An event alone is history: the pod must be without a node still. A pod whose volume claim waits is a symptom of that claim.
"""

from dataclasses import replace
from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.events import Told, first_seen, ids, message, newest_first
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.placement import asked
from sre_agent.evidence.kubernetes.scheduling import Unplaced, unplaced
from sre_agent.evidence.kubernetes.state import JsonObject, condition, dig, entries, instant, terminating, text
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

STRENGTH, OF_A_CLAIM = 0.85, 0.6
UNCLAIMED = timedelta(minutes=3)
"""After this a pod that no scheduler and no kubelet has spoken of is forgotten, not new."""
_CLAIMS = (R.CLAIM_WAITS, R.STORAGE_CLASS_MISSING)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod that waits for a node, strongest first."""
    events = readings.events(view)
    owners = readings.owners(view)
    nodes = list({text(n, "metadata", "name"): n for _, n in view.objects("Node")}.values())
    found: list[tuple[Owner, Finding]] = []
    for evidence_id, pod in view.objects("Pod"):
        if text(pod, "status", "phase") not in ("Pending", "") or terminating(pod):
            continue
        refused = events.about(pod, "FailedScheduling")
        made = _unscheduled(evidence_id, pod, refused, nodes) or _forgotten(evidence_id, pod, nodes, view)
        if made is not None:
            found.append((owners.of_pod(pod), made))
    return foremost(found)


def _unscheduled(evidence_id: str, pod: JsonObject, refused: Told, nodes: list[JsonObject]) -> Finding | None:
    placed = condition(pod, "PodScheduled")
    if text(placed, "status") != "False" or text(pod, "spec", "nodeName"):
        return None
    told = next((message(e) for _, e in newest_first(refused)), "")
    why = text(placed, "message") or told or "no node takes it"
    found = unplaced(why)
    if found.reason is None and told:
        found = unplaced(told)
    if text(placed, "reason") == "SchedulingGated" or (found.reason is None and entries(pod, "spec", "schedulingGates")):
        found = Unplaced((), R.GATED, None, None)
    if found.reason is R.NODE_SELECTOR and not dig(pod, "spec", "nodeSelector") and dig(pod, "spec", "affinity", "nodeAffinity"):
        found = replace(found, reason=R.AFFINITY)
    decisive = _decisive(found)
    figures = asked(pod, found, nodes)
    said = one_line(why.partition("preemption:")[0].strip(), 300)
    more = f"; {decisive}{figures}".rstrip("; ")
    firsts = [at for _, e in refused if (at := first_seen(e)) is not None]
    since = [*firsts, *(at for at in [instant(dig(placed, "lastTransitionTime"))] if at is not None)]
    return _finding(
        (evidence_id, pod),
        f"pod {text(pod, 'metadata', 'name')} is Unschedulable: {said}{more}",
        found.reason,
        OF_A_CLAIM if found.reason in _CLAIMS else STRENGTH,
        refused,
    ).model_copy(update={"onset": min(since, default=None)})


def _decisive(found: Unplaced) -> str:
    """Which of several reasons decides, for people."""
    if found.decisive is None or len(found.refusals) < 2:
        return ""
    return f"{one_line(found.decisive.words, 120)} on {found.decisive.count} nodes decides; "


def _forgotten(evidence_id: str, pod: JsonObject, nodes: list[JsonObject], view: EvidenceView) -> Finding | None:
    """A pod bound to a node that does not exist, or left to a scheduler that does not run: nobody says anything about it."""
    made = instant(dig(pod, "metadata", "creationTimestamp"))
    silent = not entries(pod, "status", "containerStatuses") and not text(pod, "status", "startTime")
    if not silent or made is None or view.scope.now - made < UNCLAIMED:
        return None
    name, node = text(pod, "metadata", "name"), text(pod, "spec", "nodeName")
    if node and nodes and node not in {text(n, "metadata", "name") for n in nodes}:
        there = ", ".join(sorted(text(n, "metadata", "name") for n in nodes)[:6])
        cause = f"pod {name} is bound to node {node}, which does not exist (nodes read: {there})"
        return _finding((evidence_id, pod), cause, R.NODE_SELECTOR, STRENGTH, [])
    scheduler = text(pod, "spec", "schedulerName")
    if not node and condition(pod, "PodScheduled") is None and scheduler not in ("", "default-scheduler"):
        cause = f"pod {name} waits for the scheduler {scheduler}, which has said nothing about it"
        return _finding((evidence_id, pod), cause, None, STRENGTH, [])
    return None


def _finding(pod: tuple[str, JsonObject], cause: str, reason: R | None, strength: float, told: Told) -> Finding:
    return Finding(
        kind=FindingKind.POD_UNSCHEDULABLE,
        object=f"pod/{text(pod[1], 'metadata', 'name').lower()}",
        namespace=text(pod[1], "metadata", "namespace") or None,
        cause=cause[:600],
        reason=reason,
        onset=instant(dig(pod[1], "metadata", "creationTimestamp")),
        strength=strength,
        evidence=tuple(dict.fromkeys([pod[0], *ids(told)])),
        refuted_by="a node has room for it now and it was placed",
    )
