"""CLAIM_UNBOUND: a volume claim that cannot be bound, by what its events, its class and the volumes there are say.

Pure. A claim whose class binds with its first pod waits for that pod and is well. What was not read is not missing.
"""

from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.cluster_room import quantity
from sre_agent.evidence.kubernetes.events import Told, first_seen, ids, message, newest_first
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.placement import claims
from sre_agent.evidence.kubernetes.state import JsonObject, dig, instant, terminating, text
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

USED, UNUSED = 0.9, 0.7
PATIENCE = timedelta(minutes=5)
DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_TOLD = (
    "ProvisioningFailed",
    "FailedBinding",
    "VolumeMismatch",
    "ClaimLost",
    "ClaimMisbound",
    "ExternalProvisioning",
    "Provisioning",
)
_NORMAL = ("ExternalProvisioning", "Provisioning")
_WAITS = "WaitForFirstConsumer"


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each claim that is not bound and should be, strongest first."""
    events = readings.events(view)
    used = {(text(p, "metadata", "namespace"), c) for _, p in view.objects("Pod") if not terminating(p) for c in claims(p)}
    found = []
    for evidence_id, claim in view.objects("PersistentVolumeClaim"):
        if text(claim, "status", "phase") not in ("Pending", "Lost") or terminating(claim):
            continue
        owner = ("PersistentVolumeClaim", text(claim, "metadata", "namespace"), text(claim, "metadata", "name"))
        told = events.about(claim, *_TOLD)
        why = _why(claim, told, owner[1:] in used, view)
        if why is not None:
            found.append((owner, _finding((evidence_id, claim), told, why, owner[1:] in used)))
    return foremost(found)


def _why(claim: JsonObject, told: Told, used: bool, view: EvidenceView) -> tuple[R | None, str] | None:
    """(reason, words); None when it only waits as it should."""
    if text(claim, "status", "phase") == "Lost":
        return R.NO_MATCHING_VOLUME, f"its volume {text(claim, 'spec', 'volumeName')} is gone"
    classes = {text(c, "metadata", "name"): c for _, c in view.objects("StorageClass")}
    said = [message(e) for _, e in newest_first(told) if text(e, "reason") not in _NORMAL]
    by_object = _by_class(claim, classes)
    if said:
        reason = _by_words(said[0], claim)
        volumes = _volumes(claim, view) if reason in (R.NO_MATCHING_VOLUME, R.NO_STORAGE_CLASS) else ""
        return reason, one_line(said[0], 300) + volumes
    if by_object is not None:
        return by_object
    mine = classes.get(text(claim, "spec", "storageClassName"), {})
    if mine.get("volumeBindingMode") == _WAITS:
        static = text(mine, "provisioner") == "kubernetes.io/no-provisioner" and used
        return (
            (R.NO_MATCHING_VOLUME, f"no volume of class {_class(claim)} fits{v}")
            if static and (v := _volumes(claim, view))
            else None
        )
    made = instant(dig(claim, "metadata", "creationTimestamp"))
    late = made is not None and view.scope.now - made >= PATIENCE
    if late and told:
        return R.PROVISIONER_FAILED, f"the provisioner has not answered: {one_line(message(newest_first(told)[0][1]), 200)}"
    return None


def _by_words(said: str, claim: JsonObject) -> R | None:
    words = said.lower()
    if "storageclass" in words and "not found" in words:
        return R.STORAGE_CLASS_MISSING
    if "no storage class is set" in words:
        return R.NO_MATCHING_VOLUME if dig(claim, "spec", "storageClassName") == "" else R.NO_STORAGE_CLASS
    if "cannot bind" in words or "no persistent volumes available" in words or "already bound" in words or "mismatch" in words:
        return R.NO_MATCHING_VOLUME
    return R.PROVISIONER_FAILED if "provision" in words or "rpc error" in words or "failed" in words else None


def _by_class(claim: JsonObject, classes: dict[str, JsonObject]) -> tuple[R, str] | None:
    """What the StorageClasses that were read say by themselves: events are gone after an hour."""
    if not classes or text(claim, "spec", "volumeName"):
        return None
    wanted = dig(claim, "spec", "storageClassName")
    if isinstance(wanted, str) and wanted and wanted not in classes:
        return R.STORAGE_CLASS_MISSING, f"its StorageClass {wanted} does not exist (there are: {', '.join(sorted(classes)[:6])})"
    default = any(text(c, "metadata", "annotations", note) == "true" for c in classes.values() for note in DEFAULT)
    if wanted is None and not default:
        return R.NO_STORAGE_CLASS, "it names no StorageClass and none is the default"
    return None


def _volumes(claim: JsonObject, view: EvidenceView) -> str:
    """What the free volumes lack, when any were read: "; free volumes: pv-1 (5Gi ReadWriteOnce), wanted 20Gi ReadWriteMany"."""
    volumes = [v for _, v in view.objects("PersistentVolume") if text(v, "status", "phase") in ("Available", "Released")]
    wanted = f"{dig(claim, 'spec', 'resources', 'requests', 'storage') or '?'} {_modes(claim)}".strip()
    if not volumes:
        return f"; it wants {wanted} of class {_class(claim)}"
    sized = sorted(volumes, key=lambda v: quantity(dig(v, "spec", "capacity", "storage")) or 0, reverse=True)
    free = [
        f"{text(v, 'metadata', 'name')} ({dig(v, 'spec', 'capacity', 'storage')} {_modes(v)} of class {_class(v)}, "
        f"{text(v, 'status', 'phase')})"
        for v in sized[:3]
    ]
    return f"; it wants {wanted} of class {_class(claim)}, free are: {', '.join(free)}"


def _class(item: JsonObject) -> str:
    return text(item, "spec", "storageClassName") or "none"


def _modes(item: JsonObject) -> str:
    modes = dig(item, "spec", "accessModes")
    return "/".join(map(str, modes)) if isinstance(modes, list) else ""


def _finding(claim: tuple[str, JsonObject], told: Told, why: tuple[R | None, str], used: bool) -> Finding:
    name = text(claim[1], "metadata", "name")
    onsets = [at for _, e in told if (at := first_seen(e)) is not None]
    made = instant(dig(claim[1], "metadata", "creationTimestamp"))
    needs = "so pods that mount it are not running" if used else "and no pod that was read mounts it"
    return Finding(
        kind=FindingKind.CLAIM_UNBOUND,
        object=f"claim/{name.lower()}",
        namespace=text(claim[1], "metadata", "namespace") or None,
        cause=f"the PVC {name} cannot bind, {needs}: {why[1]}"[:600],
        reason=why[0],
        onset=min(onsets, default=made),
        strength=USED if used else UNUSED,
        evidence=tuple(dict.fromkeys([claim[0], *ids(told)])),
        refuted_by="the claim is bound now",
    )
