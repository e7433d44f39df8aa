"""POD_BAD_CONFIG for a pod that waits for a ConfigMap or Secret that does not exist, where no event says so (any more).

Pure. Events are kept for an hour; the pod waits on. A reference is missing only when objects of that kind were read in its
namespace, none was left out, and it is not among them. What is marked optional may be missing.
"""

from collections.abc import Iterator
from datetime import timedelta

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import JsonObject, containers, dig, entries, instant, terminating, text
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.view import EvidenceView

STRENGTH = 0.8
PATIENCE = timedelta(minutes=2)
_REASONS = {"ConfigMap": R.CONFIG_MAP_MISSING, "Secret": R.SECRET_MISSING}


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod that waits for configuration nobody made, strongest first."""
    if any(e.truncated for e in view.ok(EvidenceKind.KUBERNETES)):
        return ()
    read: dict[tuple[str, str], dict[str, str]] = {}
    for kind in _REASONS:
        for i, item in view.objects(kind):
            read.setdefault((kind, text(item, "metadata", "namespace")), {})[text(item, "metadata", "name")] = i
    events = readings.events(view)
    owners = readings.owners(view)
    found: list[tuple[Owner, Finding]] = []
    for evidence_id, pod in view.objects("Pod"):
        if not _waits(pod, view) or events.about(pod, "FailedMount", "FailedAttachVolume", "FailedScheduling"):
            continue
        namespace = text(pod, "metadata", "namespace")
        missing = [(k, n) for k, n in _mounted(pod) if (k, namespace) in read and n not in read[k, namespace]]
        if missing:
            cited = [evidence_id, *read[missing[0][0], namespace].values()]
            found.append((owners.of_pod(pod), _finding(pod, missing[0], cited)))
    return foremost(found)


def _waits(pod: JsonObject, view: EvidenceView) -> bool:
    made = instant(dig(pod, "metadata", "creationTimestamp"))
    young = made is None or view.scope.now - made < PATIENCE
    if young or terminating(pod) or text(pod, "status", "phase") != "Pending" or not text(pod, "spec", "nodeName"):
        return False
    started = any(c.running or c.exit_code is not None for c in containers(pod))
    return not started and readings.trouble_of(pod, view) is None


def _mounted(pod: JsonObject) -> Iterator[tuple[str, str]]:
    """(kind, name) of what its volumes need: without it, none of its containers is made."""
    for volume in entries(pod, "spec", "volumes"):
        for part in (volume, *entries(volume, "projected", "sources")):
            for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                source = part.get(key)
                name = text(source, "name") or text(source, "secretName")
                if name and dig(source, "optional") is not True:
                    yield kind, name


def _finding(pod: JsonObject, missing: tuple[str, str], cited: list[str]) -> Finding:
    name = text(pod, "metadata", "name")
    return Finding(
        kind=FindingKind.POD_BAD_CONFIG,
        object=f"pod/{name.lower()}",
        namespace=text(pod, "metadata", "namespace") or None,
        cause=f"pod {name} cannot start: it mounts the {missing[0]} {missing[1]}, which does not exist",
        reason=_REASONS[missing[0]],
        onset=instant(dig(pod, "metadata", "creationTimestamp")),
        strength=STRENGTH,
        evidence=tuple(dict.fromkeys(cited)),
        refuted_by="the config, secret and command it names exist and another pod of the same template starts",
    )
