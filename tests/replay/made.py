"""Small hand-made Replayed values, for the tests of what is computed from them."""

from datetime import UTC, datetime
from typing import Any

from sre_agent.replay.expectation import HumanOutcome
from sre_agent.replay.replayed import Replayed, Told
from sre_agent.replay.result import CaseResult

AT = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


def told(**changes: Any) -> Told:
    """What the report tells of a case; `changes` as the model's fields."""
    plain = {
        "at": AT,
        "onset": AT,
        "incident_id": "Q1",
        "title": "a title",
        "service": "voice",
        "urgency": "high",
        "alert_names": ("PodDown",),
        "firing": 1,
        "alerts": 1,
        "answers": (),
        "lines": (),
        "fault": None,
        "bundle_hash": "b",
        "decision_sha256": "d",
        "plan_hash": None,
        "declared_service": "voice",
    }
    return Told.model_validate(plain | changes)


def result(proposal: dict[str, Any] | None = None, **changes: Any) -> CaseResult:
    """A printed result: handed back, or needing one person where there is a proposal ({action, kind, namespace, name})."""
    proposed = None if proposal is None else _proposed(**proposal)
    plain = {
        "case": "c1",
        "labelled_class": "infra",
        "class": "infra",
        "owner": "platform",
        "receiver": "pd-platform",
        "root_causes": (),
        "summary": "a summary",
        "proposal": proposed,
        "verdict": "needs_approval" if proposal else "hand_back",
        "approvals_required": 1 if proposal else None,
        "policy_ids": ("grant-it",) if proposal else ("no-runbook",),
        "reasons": ("a reason",),
        "would_execute": changes.get("verdict") == "allow",
        "note": "a note",
        "findings": (),
        "model": {"reasoner": "rules", "calls": 0, "input_tokens": 0, "output_tokens": 0, "usd": 0.0, "fallback": None},
    }
    return CaseResult.model_validate(plain | changes)


def made(proposal: dict[str, Any] | None = None, outcome: HumanOutcome | None = None, **changes: Any) -> Replayed:
    """A case: `changes` go to the result or, by their names, to what is told of it."""
    of_told = {k: v for k, v in changes.items() if k in Told.model_fields}
    of_result = {k: v for k, v in changes.items() if k not in Told.model_fields}
    done = result(proposal, **of_result)
    return Replayed(case=done.case, place=f"cases/{done.case}", result=done, told=told(outcome=outcome, **of_told))


def _proposed(action: str, kind: str = "Pod", namespace: str | None = "voice", name: str = "api-1") -> dict[str, Any]:
    return {"runbook": action.replace("_", "-"), "action": action, "target": {"kind": kind, "namespace": namespace, "name": name}}
