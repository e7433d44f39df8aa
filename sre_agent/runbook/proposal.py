"""One runbook step, filled in by code: what people approve and what the guard judges."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.source import Scope
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


class Basis(BaseModel):
    """What an investigation went by besides its evidence: with both, its end can be reached again without asking anybody.

    All of it is redacted. `triage` is what the labels said, and `opinion` what the reasoner said before it was held against
    the evidence, as JSON. `planned`: how many pieces of evidence code's own plan brought; a model asked for the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: Scope
    triage: dict[str, Any]
    planned: int
    opinion: dict[str, Any]


class Investigated(BaseModel):
    """What an investigation hands over. `reason` says why there is no proposal ("no-runbook", ...).

    `applicable` are the ids of the runbooks that code found applicable, the proposed one first. `basis` is None where the
    investigator does not say what it went by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    diagnosis: Diagnosis
    proposal: Proposal | None = None
    reason: str = ""
    applicable: tuple[str, ...] = ()
    basis: Basis | None = None
