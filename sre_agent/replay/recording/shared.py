"""What an exported recording holds besides: what people did, and what a test expects. Pure; nobody is named in it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sre_agent.evidence.redact import redact_json
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.policy.decision import Decision
from sre_agent.policy.declarations import keys_of
from sre_agent.policy.facts import TargetDeclaration
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.recording.recording import Recording
from sre_agent.replay.result import CaseResult
from sre_agent.response.record import IncidentRecord

AGENT = "sre-agent"
_DONE = {
    "approval_given": "approved the plan",
    "approval_denied": "said no to the plan",
    "approval_expired": "nobody answered in time",
    "plan_withdrawn": "the plan was withdrawn",
    "action_executed": "did what was planned",
    "action_failed": "tried what was planned, and failed",
    "action_not_done": "did not do what was planned",
    "recovery_verified": "found it recovered",
    "recovery_failed": "found it not recovered",
    "incident_handed_back": "handed it back",
    "action_refused": "handed it back",
}
"""Kinds of the timeline that say what was done, in words without names."""
_BY_PEOPLE = frozenset({"approval_given", "approval_denied"})
_EXPECTED = ("labelled_class", "class", "root_causes", "proposal", "verdict", "approvals_required", "policy_ids")


def outcome_of_round(
    recording: Recording, record: IncidentRecord | None, heard: Iterable[IncidentEvent], own_user: str | None = None
) -> JsonObject:
    """outcome.json of a round: from the incident's timeline and the events that the pager told of it.

    `heard`: events since the round was decided, in any order. Of a round that was reopened, only what came before counts.
    """
    since, until = recording.judged.at, _end(recording, record)
    mine = sorted(
        (e for e in heard if e.incident_id == recording.incident.id and since <= e.occurred_at < until and e.agent_id != own_user),
        key=lambda e: e.occurred_at,
    )
    entries = [] if record is None else [e for e in record.timeline if since <= e.at < until and e.kind in _DONE]
    actions = [
        {"at": e.at.isoformat(), "by": "a person" if e.kind in _BY_PEOPLE else AGENT, "what": _DONE[e.kind]} for e in entries
    ]
    known = {
        "acknowledged_at": _first(mine, EventKind.ACKNOWLEDGED),
        "resolved_at": _first(mine, EventKind.RESOLVED),
        "actions": actions,
        "notes": "" if record is None or record.round != recording.round else f"ended {record.state.value}",
    }
    redacted: JsonObject = redact_json({k: v for k, v in known.items() if v or (k == "actions" and record is not None)})
    return redacted


def _end(recording: Recording, record: IncidentRecord | None) -> datetime:
    """When the next round began."""
    later = [e.at for e in (record.timeline if record else ()) if e.kind == "incident_reopened" and e.at > recording.judged.at]
    return min(later, default=datetime.max.replace(tzinfo=recording.judged.at.tzinfo))


def _first(events: Sequence[IncidentEvent], kind: EventKind) -> str | None:
    return next((e.occurred_at.isoformat() for e in events if e.kind is kind), None)


def expected(result: CaseResult, decided: Decision) -> JsonObject:
    """expect.json: of the printed result as recorded, the keys that a good engineer would hold it to."""
    line = result.model_dump(mode="json", by_alias=True)
    line |= {"verdict": decided.verdict.value, "policy_ids": list(decided.policy_ids)}
    line["approvals_required"] = result.approvals_required if result.verdict is decided.verdict else decided.approvals_required
    line["root_causes"] = [{"kind": c["kind"], "object": c["object"]} for c in line["root_causes"][:1]]
    if line["proposal"] is not None:
        line["proposal"] = {name: line["proposal"][name] for name in ("runbook", "action", "target")}
    return {name: line[name] for name in _EXPECTED}


def declared(recording: Recording) -> dict[str, Any]:
    """targets.json: what the owners of the plan's target had declared; {} where there is no plan, or nothing was declared."""
    situation = recording.judged.situation
    if situation is None or situation.declaration == TargetDeclaration():
        return {}
    return {keys_of(situation.proposal.target)[0]: situation.declaration.model_dump(mode="json")}
