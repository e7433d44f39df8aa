"""POD_VOLUME_FAILED: a volume of a pod that cannot be attached or mounted, or a sandbox without a network.

Pure. Only while the pod waits for it still, and not in its first moments: attaching takes a while. A ConfigMap or Secret that does
not exist is configuration (pods.py), and so is a claim that is not bound (claims.py).
"""

import re
from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.events import Told, first_seen, ids, message, newest_first, times_seen
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.pull_cause import MISSING_MOUNT
from sre_agent.evidence.kubernetes.state import JsonObject, containers, dig, instant, terminating, text
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

STRENGTH = 0.87
PATIENCE = timedelta(minutes=2)
MIN_SEEN = 3
_IN_USE = re.compile(
    r"multi-attach|exclusively attached|already used by|volume is in use|still attached|already attached", re.IGNORECASE
)
_NOISE = re.compile(r"not registered|failed to sync (?:configmap|secret) cache", re.IGNORECASE)
_GENERIC = re.compile(r"unable to attach or mount volumes", re.IGNORECASE)
_VOLUME = re.compile(r"for volume \"([^\"]{1,253})\"")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod that waits for a volume, strongest first."""
    events = readings.events(view)
    owners = readings.owners(view)
    found: list[tuple[Owner, Finding]] = []
    for evidence_id, pod in view.objects("Pod"):
        if not _waits(pod, view):
            continue
        told = [
            (i, e)
            for i, e in events.about(pod, "FailedMount", "FailedAttachVolume", "FailedMapVolume")
            if not MISSING_MOUNT.search(message(e)) and not _NOISE.search(message(e))
        ]
        sandbox = events.about(pod, "FailedCreatePodSandBox")
        missing = any(MISSING_MOUNT.search(message(e)) for _, e in events.about(pod, "FailedMount"))
        if told and not missing and _lasts(pod, told, view):
            found.append((owners.of_pod(pod), _volume((evidence_id, pod), told)))
        elif sandbox and _lasts(pod, sandbox, view):
            found.append((owners.of_pod(pod), _sandbox((evidence_id, pod), sandbox)))
    return foremost(found)


def _waits(pod: JsonObject, view: EvidenceView) -> bool:
    """Whether it has a node and none of its containers was ever made."""
    if terminating(pod) or text(pod, "status", "phase") != "Pending" or not text(pod, "spec", "nodeName"):
        return False
    started = any(c.running or c.exit_code is not None for c in containers(pod))
    return not started and readings.trouble_of(pod, view) is None


def _lasts(pod: JsonObject, told: Told, view: EvidenceView) -> bool:
    made = instant(dig(pod, "metadata", "creationTimestamp"))
    return times_seen(told) >= MIN_SEEN or (made is not None and view.scope.now - made >= PATIENCE)


def _volume(pod: tuple[str, JsonObject], told: Told) -> Finding:
    newest = newest_first(told)
    said = next((message(e) for _, e in newest if not _GENERIC.search(message(e))), message(newest[0][1]))
    in_use = next((message(e) for _, e in newest if _IN_USE.search(message(e))), "")
    named = _VOLUME.search(in_use or said)
    which = f"volume {named[1]}" if named else "a volume"
    node = text(pod[1], "spec", "nodeName")
    words = f"pod {text(pod[1], 'metadata', 'name')} on node {node} cannot start, {which} cannot be mounted: "
    return _finding(
        FindingKind.POD_VOLUME_FAILED,
        pod,
        words + one_line(in_use or said, 300),
        R.VOLUME_IN_USE if in_use else R.MOUNT_FAILED,
        told,
    )


def _sandbox(pod: tuple[str, JsonObject], told: Told) -> Finding:
    said = one_line(message(newest_first(told)[0][1]), 300)
    words = f"pod {text(pod[1], 'metadata', 'name')} on node {text(pod[1], 'spec', 'nodeName')} gets no sandbox: {said}"
    network = re.search(r"network|cni|ipam|address", said, re.IGNORECASE) is not None
    return _finding(FindingKind.POD_NOT_READY, pod, words, R.NETWORK_UNAVAILABLE if network else None, told)


def _finding(kind: FindingKind, pod: tuple[str, JsonObject], cause: str, reason: R | None, told: Told) -> Finding:
    onsets = [at for _, e in told if (at := first_seen(e)) is not None]
    return Finding(
        kind=kind,
        object=f"pod/{text(pod[1], 'metadata', 'name').lower()}",
        namespace=text(pod[1], "metadata", "namespace") or None,
        cause=cause,
        reason=reason,
        onset=min(onsets, default=None),
        strength=STRENGTH,
        evidence=tuple(dict.fromkeys([pod[0], *ids(told)])),
        refuted_by="the pod's containers were made since",
    )
