"""One runbook step, filled in by code: what people approve and what the guard judges."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.incident.target import Target


class Proposal(BaseModel):
    """A concrete action on one live object.

    `generation` is what identifies the *state* of the target the plan was made for (controller
    generation for a Pod's owner; primary run id for Redis): a change voids approvals.
    `cause` is the kind of the finding that led here: what a loop is recognised by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident_id: str
    runbook: str
    action: str
    target: Target
    parameters: dict[str, str | int | bool] = {}
    generation: str = ""
    cause: str = ""
    nominated_by_model: bool = False


def plan_hash(proposal: Proposal, alert_class: str, bundle_hash: str) -> str:
    """sha256 over what a person judges: action, arguments, target identity, class, policy bundle.

    Deliberately without anything that changes every second (offsets, restart counts, resourceVersion).
    """
    judged = {
        "incident": proposal.incident_id,
        "action": proposal.action,
        "parameters": dict(sorted(proposal.parameters.items())),
        "target": proposal.target.model_dump(),
        "generation": proposal.generation,
        "class": alert_class,
        "bundle": bundle_hash,
    }
    return hashlib.sha256(json.dumps(judged, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Investigated(BaseModel):
    """What an investigation hands over. `reason` says why there is no proposal ("no-runbook", ...).

    `applicable` are the ids of the runbooks that code found applicable, the proposed one first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    diagnosis: Diagnosis
    proposal: Proposal | None = None
    reason: str = ""
    applicable: tuple[str, ...] = ()
