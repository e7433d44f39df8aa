"""What a past incident's case folder holds besides evidence: case.json, outcome.json, history.json. Pure, and redacted."""

from datetime import datetime, timedelta
from typing import Any

from sre_agent.evidence.redact import case_key, redact_json, redaction_key
from sre_agent.incident.errors import Permanent
from sre_agent.intake.untrusted import moment, pagerduty_id
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.history.as_of import as_of
from sre_agent.replay.history.entry import HistoryEntry
from sre_agent.replay.history.outcome import outcome_of_entry

_PREFIX = "%Y-%m-%d-%H%M%S"


def folder_name(incident: JsonObject) -> str:
    """ "2026-03-04-031109-Q0EXAMPLE00001": sorted by name they are in the order of an IncidentArchive. Raises Permanent."""
    identity, began = pagerduty_id(incident.get("id")), moment(incident.get("created_at"))
    if identity is None or began is None:
        raise Permanent(f"incident {str(incident.get('id'))[:60]!r}: PagerDuty does not say when it began")
    return f"{prefix(began)}-{identity}"


def prefix(began: datetime) -> str:
    """How the names of folders of a second begin; names of earlier ones sort before it."""
    return began.strftime(_PREFIX)


def looked_at(incident: JsonObject, after_s: float, now: datetime) -> datetime:
    """The clock of the case: when the live agent would have looked, `after_s` seconds after it began. Never after `now`."""
    began = moment(incident.get("created_at")) or now
    return min(began + timedelta(seconds=after_s), now)


def case_files(entry: HistoryEntry, at: datetime, own_user: str | None) -> dict[str, Any]:
    """The files by name, as JSON. history.json holds everything that PagerDuty told, for reviews; the agent never reads it."""
    name = folder_name(entry.incident)
    then = as_of(entry, at, own_user)
    case = {"schema": 1, "id": name, "at": at.isoformat().replace("+00:00", "Z"), "environment": "prod"}
    files = {
        "case.json": {**case, "incident": then.incident, "alerts": list(then.alerts)},
        "outcome.json": outcome_of_entry(entry, own_user),
        "history.json": entry.model_dump(mode="json"),
    }
    with redaction_key(case_key(name)):
        return {file: redact_json(content) for file, content in files.items()}
