"""The moments of an incident that charts and the timeline mark: onset, changes, the action, the recovery. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from sre_agent.evidence.change import Change
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.redact import redact
from sre_agent.evidence.visible import one_line
from sre_agent.replay.charts import Mark
from sre_agent.response.record import IncidentRecord

MOST_CHANGES = 8
_MARKED = {
    "execution_started": ("action", "action"),
    "recovery_verified": ("recovered", "recovery"),
    "recovery_failed": ("not recovered", "failure"),
    "incident_handed_back": ("handed back", "failure"),
    "action_failed": ("failed", "failure"),
}


def listed(evidence: Evidence) -> Sequence[Any]:
    """The payload of evidence that is a list; () for any other shape."""
    return evidence.payload if isinstance(evidence.payload, list | tuple) else ()


def onset_of(record: IncidentRecord) -> datetime:
    """When it began: the earliest alert, else the first cause, else when the incident was heard of."""
    alerts = [a.starts_at for a in record.incident.alerts if a.starts_at is not None] if record.incident else []
    top = record.diagnosis.top if record.diagnosis else None
    return min(alerts) if alerts else (top.onset if top is not None and top.onset is not None else record.received_at)


def changes_of(record: IncidentRecord) -> tuple[Change, ...]:
    """Deploys, prompts and the like that the investigation was told of, oldest first; what cannot be read is left out."""
    found: list[Change] = []
    for evidence in record.diagnosis.evidence if record.diagnosis else ():
        if evidence.kind is EvidenceKind.CHANGES and evidence.status is EvidenceStatus.OK:
            for raw in listed(evidence):
                try:
                    found.append(Change.model_validate(raw))
                except ValidationError:
                    continue
    return tuple(sorted(found, key=lambda c: c.at))


def marks_of(record: IncidentRecord) -> tuple[Mark, ...]:
    """Deploys, prompt changes, the alert, the action and the recovery, oldest first."""
    found = [Mark(c.at.timestamp(), _change_words(c), c.kind.value) for c in changes_of(record)[-MOST_CHANGES:]]
    if record.incident and any(a.starts_at for a in record.incident.alerts):
        found.append(Mark(onset_of(record).timestamp(), "alert", "alert"))
    for entry in record.timeline:
        if entry.kind in _MARKED:
            text, kind = _MARKED[entry.kind]
            found.append(Mark(entry.at.timestamp(), text, kind))
    return tuple(sorted(found, key=lambda m: m.at))


def _change_words(change: Change) -> str:
    version = f" {change.to_version}" if change.to_version else ""
    return one_line(redact(f"{change.kind.value}{version}"), 18)
