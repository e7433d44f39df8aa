"""POD_CREATION_REFUSED: the API server refuses a workload's pods: quota, limit range, security standard, webhook, account.

Pure. No pod tells of it: it was never made. Told by the controller's FailedCreate events and by the condition ReplicaFailure, and
only while the controller lacks pods still. The finding is about the workload people know: the Deployment, not its ReplicaSet.
"""

from datetime import datetime, timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.events import first_seen, ids, last_seen, message, newest_first
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.refusal_cause import refusal_reason
from sre_agent.evidence.kubernetes.state import JsonObject, condition, dig, instant, number, terminating, text
from sre_agent.evidence.kubernetes.workload_owner import Owner, Owners, named
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

STRENGTH = 0.88
UNKNOWN_REASON = 0.75
RETRIED = timedelta(minutes=30)
"""Controllers try again at least every quarter of an hour: an older refusal was followed by a success."""
_CREATORS = ("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding a workload, strongest first."""
    events = readings.events(view)
    owners = readings.owners(view)
    found: dict[Owner, Finding] = {}
    for kind in _CREATORS:
        for evidence_id, item in view.objects(kind):
            told = [(i, e) for i, e in events.about(item, "FailedCreate") if _new(last_seen(e), view.scope.now)]
            failed = condition(item, "ReplicaFailure")
            refused = text(failed, "status") == "True" and "elete" not in text(failed, "reason")
            lacking = _lacks(item)
            if terminating(item) or not lacking or not (told or refused):
                continue
            said = next((message(e) for _, e in newest_first(told)), "") or text(failed, "message")
            owner = _known_as(item, owners)
            words = f"{lacking} of {named(owner).replace('/', ' ')} are refused: {one_line(_bare(said), 400)}"
            made = _finding(owner, words, refusal_reason(said), [evidence_id, *ids(told)])
            since = [at for _, e in told if (at := first_seen(e)) is not None] or [
                at for at in [instant(dig(failed, "lastTransitionTime"))] if at is not None
            ]
            if owner not in found or not found[owner].reason:
                found[owner] = made.model_copy(update={"onset": min(since, default=None)})
    return foremost(found.items())


def _new(at: datetime | None, now: datetime) -> bool:
    return at is None or now - at <= RETRIED


def _known_as(item: JsonObject, owners: Owners) -> Owner:
    """A Job stays a Job: its CronJob makes others."""
    if text(item, "kind") == "Job":
        return "Job", text(item, "metadata", "namespace"), text(item, "metadata", "name")
    return owners.root(item)


def _lacks(item: JsonObject) -> str:
    """ "2 of 3 pods": how many it still lacks; "" when none."""
    match text(item, "kind"):
        case "DaemonSet":
            wanted, there = number(item, "status", "desiredNumberScheduled"), number(item, "status", "currentNumberScheduled")
        case "Job":
            over = any(text(condition(item, c), "status") == "True" for c in ("Complete", "Failed"))
            busy = number(item, "status", "active") + number(item, "status", "succeeded")
            wanted, there = (0, 0) if over or dig(item, "spec", "suspend") is True else (_one(item, "parallelism"), busy)
        case _:
            wanted, there = _one(item, "replicas"), number(item, "status", "replicas")
    return f"{wanted - there} of {wanted} pods" if there < wanted else ""


def _one(item: JsonObject, field: str) -> int:
    """A number of the spec that is 1 where it is not written."""
    return 1 if dig(item, "spec", field) is None else number(item, "spec", field)


def _bare(said: str) -> str:
    """The controller's preface left out."""
    return said.removeprefix("Error creating: ").removeprefix("create Pod ")


def _finding(owner: Owner, cause: str, reason: R | None, cited: list[str]) -> Finding:
    return Finding(
        kind=FindingKind.POD_CREATION_REFUSED,
        object=named(owner),
        namespace=owner[1] or None,
        cause=cause,
        reason=reason,
        strength=STRENGTH if reason is not None else UNKNOWN_REASON,
        evidence=tuple(dict.fromkeys(cited)),
        refuted_by="its pods were created since",
    )
