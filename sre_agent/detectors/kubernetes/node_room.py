"""NODE_CORDONED, NODE_FULL: nodes that take no further pod while pods wait for a place.

Pure, from API objects. A cordon is somebody's purpose and a full node does its work: without a pod that waits because of it, a
cordon is context and a full node nothing at all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.kubernetes.kept import OUR_HAND, cordoned_by
from sre_agent.evidence.kubernetes.node_surroundings import unschedulable
from sre_agent.evidence.kubernetes.service_map import Told, place
from sre_agent.evidence.kubernetes.state import JsonObject, condition, dig, entries, instant, ready, terminating, text
from sre_agent.evidence.view import EvidenceView

BLOCKS, CONTEXT = 0.8, 0.35
_CORDON = re.compile(r"(\d{1,5}) node\(s\) were unschedulable")
_FULL = re.compile(r"(\d{1,5}) (?:node\(s\) )?[Tt]oo many pods")
_TAINT = "node.kubernetes.io/unschedulable"


@dataclass(frozen=True)
class _Waiting:
    """A pod without a node: what the scheduler says of it, since when."""

    told: Told
    message: str
    since: datetime | None


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding per cordoned node, and per full one for which pods wait; the strongest first."""
    nodes = {place(n)[1]: (i, n) for i, n in view.objects("Node") if place(n)[1]}
    if not nodes:
        return ()
    waiting = list(_waiting(view))
    found = [*_cordoned(nodes, waiting), *_full(nodes, waiting, view)]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.object)))


def _waiting(view: EvidenceView) -> Iterator[_Waiting]:
    for i, pod in view.objects("Pod"):
        told = condition(pod, "PodScheduled") or {}
        if text(pod, "status", "phase") == "Pending" and not text(pod, "spec", "nodeName") and not terminating(pod):
            message = text(told, "message") or _said(pod, view)
            yield _Waiting((i, pod), message[:2_000], instant(told.get("lastTransitionTime")))


def _said(pod: JsonObject, view: EvidenceView) -> str:
    """The scheduler's newest event about it, where the condition has no message."""
    for _, event in view.objects("Event"):
        about = event.get("involvedObject")
        if text(event, "reason") == "FailedScheduling" and (text(about, "namespace"), text(about, "name")) == place(pod):
            return text(event, "message")
    return ""


def _cordoned(nodes: dict[str, Told], waiting: list[_Waiting]) -> Iterator[Finding]:
    cordoned = {name: told for name, told in nodes.items() if unschedulable(told[1])}
    stuck = [w for w in waiting if _CORDON.search(w.message)]
    for name, told in cordoned.items():
        hands = sorted(h for h in cordoned_by(told[1]) if h)
        if hands == [OUR_HAND] and not stuck:
            continue
        by = f" by {', '.join(hands)[:80]}" if hands else ""
        since = next(
            (at for t in entries(told[1], "spec", "taints") if t.get("key") == _TAINT and (at := instant(t.get("timeAdded")))), None
        )
        names = ", ".join(place(w.told[1])[1] for w in stuck[:3])
        suffer = f"; {len(stuck)} pods find no other place ({names})" if stuck else "; no pod waits because of it"
        others = f" ({len(cordoned)} of {len(nodes)} nodes are)" if len(cordoned) > 1 else ""
        yield Finding(
            kind=FindingKind.NODE_CORDONED,
            object=f"node/{name.lower()}",
            cause=f"node {name} is cordoned{by}{others}: it takes no new pods{suffer}"[:400],
            reason=FindingReason.NODES_CORDONED if stuck else None,
            onset=since or min((w.since for w in stuck if w.since is not None), default=None),
            strength=BLOCKS if stuck else CONTEXT,
            evidence=tuple(dict.fromkeys([told[0], *(w.told[0] for w in stuck)])),
            refuted_by="the waiting pods still find no place after it is uncordoned",
        )


def _full(nodes: dict[str, Told], waiting: list[_Waiting], view: EvidenceView) -> Iterator[Finding]:
    stuck = [w for w in waiting if _FULL.search(w.message)]
    if not stuck:
        return
    counted: dict[str, int] = {}
    for _, pod in view.objects("Pod"):
        if text(pod, "status", "phase") not in ("Succeeded", "Failed"):
            counted[text(pod, "spec", "nodeName")] = counted.get(text(pod, "spec", "nodeName"), 0) + 1
    usable = {n: t for n, t in nodes.items() if ready(t[1]) and not unschedulable(t[1])}
    full = {n: t for n, t in usable.items() if (most := _most(t[1])) is not None and counted.get(n, 0) >= most}
    # Pods of other namespaces are not in view: with one usable node alone the scheduler's word names it.
    for name, told in (full or (usable if len(usable) == 1 else {})).items():
        most = _most(told[1])
        yield Finding(
            kind=FindingKind.NODE_FULL,
            object=f"node/{name.lower()}",
            cause=f"node {name} has as many pods as it may have (allocatable pods: {most if most is not None else 'unknown'}); "
            f"{len(stuck)} pods wait: {stuck[0].message}"[:400],
            reason=FindingReason.PODS_FULL,
            onset=min((w.since for w in stuck if w.since is not None), default=None),
            strength=BLOCKS,
            evidence=tuple(dict.fromkeys([told[0], *(w.told[0] for w in stuck)])),
            refuted_by="the waiting pods are placed there without any other pod having left",
        )


def _most(node: JsonObject) -> int | None:
    """status.allocatable.pods, which the API writes as a string."""
    written = dig(node, "status", "allocatable", "pods")
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    return int(written) if isinstance(written, str) and written.isdecimal() and len(written) < 7 else None
