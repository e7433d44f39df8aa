"""What people did about an incident beside what the agent proposed, as something a person can sign for. Pure.

It feeds the ladder of policy.autonomy: nothing read here earns anything by itself, only the audit entry that a person signs.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.redact import redact
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.target import Target
from sre_agent.policy.autonomy import SHADOW_AGREED, SHADOW_DISAGREED
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.replay.agreement import Agreement, AgreementKind, agreement
from sre_agent.replay.replayed import Replayed
from sre_agent.response.record import IncidentRecord, State

OBSERVED = ("deny-mode-observe",)
"""What alone keeps a plan from being carried out while the agent only watches."""
LONGEST = 200
NOTHING, OTHER = "nothing", "other"
"""What a person may say was done, besides the name of an action."""

_SAME = frozenset({AgreementKind.AGREE})
_OTHERWISE = frozenset({AgreementKind.DISAGREE, AgreementKind.PEOPLE_DID_NOTHING})


class Observation(BaseModel):
    """One incident's proposal beside what people did. `agreed` None: it counts neither way, and `why` says why not.

    `harmful`: the agent would have acted where people did not do that, or on what was not infrastructure. `content_sha256` is that
    of the case's folder, "" for a live incident. `target` is what was proposed for, None where nothing was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Literal["replay", "live"]
    case: str
    incident_id: str
    agreed: bool | None
    harmful: bool = False
    why: str
    action: str = ""
    service: str = ""
    target: Target | None = None
    content_sha256: str = ""
    decision_sha256: str = ""
    bundle: str = ""

    @property
    def words(self) -> str:
        """For people: what it counts as."""
        if self.agreed is None:
            return "not counted"
        return "agreed" if self.agreed else "HARMFUL" if self.harmful else "disagreed"

    def signed(self, person: str, now: datetime) -> AuditEntry:
        """The audit entry by which a person answers for it. `agreed` is not None."""
        detail = self.model_dump(mode="json", exclude={"agreed", "target"}) | {"person": person}
        detail["target"] = self.target.key if self.target is not None else ""
        kind = SHADOW_AGREED if self.agreed else SHADOW_DISAGREED
        return AuditEntry(at=now, incident_id=self.incident_id, kind=kind, actor=person, detail=detail)


def of_case(done: Replayed, now: datetime) -> Observation:
    """A replayed case with its outcome. What cannot be told, and what is dated in the future, counts neither way."""
    result, told = done.result, done.told
    if result is None or told is None:
        return Observation(origin="replay", case=_short(done.case), incident_id="", agreed=None, why=done.error)
    found = agreement(done)
    known: dict[str, Any] = {
        "origin": "replay",
        "case": _short(done.case),
        "incident_id": told.incident_id,
        "content_sha256": done.content_sha256,
        "decision_sha256": told.decision_sha256,
        "bundle": told.bundle_hash,
    }
    if result.proposal is not None:
        known |= {"action": result.proposal.action, "service": told.declared_service, "target": result.proposal.target}
    if told.at > now:
        return Observation(**known, agreed=None, why="the case is dated in the future")
    true_class = told.outcome.true_class if told.outcome is not None else None
    return Observation(**known, **_judged(found, _reach(result.verdict), true_class))


class Said(BaseModel):
    """What a person says was done about a live incident. `did`: an action of ours, NOTHING or OTHER. `target`: "kind/name" or
    "kind/namespace/name", "" for not told. `true_class` None: nobody says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    did: str
    target: str = ""
    true_class: AlertClass | None = None


def of_incident(record: IncidentRecord, said: Said, in_auto: Decision | None) -> Observation:
    """A live incident that the agent left to people, and what was done. `agreed` None when it is not such an incident.

    `in_auto`: how its plan would have been judged in mode auto, where it was only watched; None where that cannot be told.
    """
    known: dict[str, Any] = {"origin": "live", "case": record.id, "incident_id": record.id}
    plan, decision = record.proposal, record.decision
    if plan is None or decision is None:
        return Observation(**known, agreed=None, why="the agent proposed nothing")
    service = _mapping(decision.request.get("declaration")).get("service")
    known |= {"action": plan.action, "target": plan.target, "service": service if isinstance(service, str) else ""}
    known |= {"decision_sha256": decision.sha256, "bundle": decision.bundle_hash}
    if record.state is not State.HANDED_BACK:
        return Observation(**known, agreed=None, why=f"it is {record.state.value.replace('_', ' ')}, and not handed back to people")
    if record.outcome is not None:
        return Observation(**known, agreed=None, why=f"the agent acted itself ({record.outcome})")
    found, reach = _said(plan.action, plan.target, said.did, said.target), _reach_live(decision, in_auto)
    if reach is None and found.kind is AgreementKind.AGREE:
        return Observation(**known, agreed=None, why="whether the policies would have let the agent cannot be told any more")
    return Observation(**known, **_judged(found, 2 if reach is None else reach, said.true_class))


def _judged(found: Agreement, reach: int, true_class: AlertClass | None) -> dict[str, Any]:
    """`reach`: 0 the plan would not have been carried out, 1 people would have been asked, 2 the agent would have acted alone.

    SAFETY: only a plan that could have been carried out agrees, and only with what people surely did themselves; whatever the
    class turns out not to have been is harm as soon as the plan got that far.
    """
    if found.kind in (AgreementKind.NO_PROPOSAL, AgreementKind.FAILED):
        return {"agreed": None, "why": found.reason}
    if true_class not in (None, AlertClass.INFRA) and reach > 0:
        return {"agreed": False, "harmful": True, "why": f"it was {true_class.value}, and something was proposed"}
    if found.kind in _OTHERWISE:
        return {"agreed": False, "harmful": reach == 2, "why": found.reason}
    if found.kind not in _SAME:
        return {"agreed": None, "why": found.reason}
    if reach == 0:
        return {"agreed": None, "why": "people did the same, but the policies would not have let the agent"}
    return {"agreed": True, "why": found.reason}


def _reach(verdict: Verdict) -> int:
    return {Verdict.ALLOW: 2, Verdict.NEEDS_APPROVAL: 1}.get(verdict, 0)


def _reach_live(decision: Decision, in_auto: Decision | None) -> int | None:
    """None where it cannot be told. SAFETY: harm is then assumed, and agreement is not."""
    if decision.policy_ids != OBSERVED:
        return _reach(decision.verdict)
    return None if in_auto is None or in_auto.fault else _reach(in_auto.verdict)


def _said(action: str, at: Target, did: str, target: str) -> Agreement:
    if did == NOTHING:
        return Agreement(kind=AgreementKind.PEOPLE_DID_NOTHING, reason="people did nothing", action=action)
    if did != action:
        what = "" if did == OTHER else f": {did}"
        return Agreement(kind=AgreementKind.DISAGREE, reason=f"people did something else{what}", action=action)
    if not target:
        return Agreement(kind=AgreementKind.SAME_ACTION, reason=f"to which object? say --target {object_of(at)}", action=action)
    if target.lower() != object_of(at):
        return Agreement(kind=AgreementKind.DISAGREE, reason="people did the same to another object", action=action)
    return Agreement(kind=AgreementKind.AGREE, reason="people did the same to the same object", action=action)


def object_of(target: Target) -> str:
    """How a target is written by people: kind/name, or kind/namespace/name, in lower case."""
    return "/".join(part for part in (target.kind, target.namespace, target.name) if part).lower()


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _short(text: str) -> str:
    return redact(text)[:LONGEST]
