"""What may become of an incident in the tracker: its labels, its alerts, its status."""

from datetime import datetime

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from tests.properties.world import INCIDENTS, honest, labels


def relabelled(incident: Incident, what: str, now: datetime) -> Incident:
    """The incident after something happened to its labels, its alerts or its status."""
    first = incident.alerts[0] if incident.alerts else Alert(labels=labels(INCIDENTS[incident.id]))
    kind = {"malformed": "Infra ", "shouted": "INFRA"}.get(what, what)
    match what:
        case "model" | "tool" | "malformed" | "shouted":
            other = first.model_copy(update={"labels": {**first.labels, "alert_type": kind}})
            return incident.model_copy(update={"alerts": (other,)})
        case "untagged":
            bare = {k: v for k, v in first.labels.items() if k != "alert_type"}
            return incident.model_copy(update={"alerts": (first.model_copy(update={"labels": bare}),)})
        case "unread":
            return incident.model_copy(update={"alerts": (first.model_copy(update={"labels_known": False}),)})
        case "joined":
            other = Alert(labels={"alertname": "Evals", "alert_type": "model"})
            return incident.model_copy(update={"alerts": (*incident.alerts, other)})
        case "twin":
            return incident.model_copy(update={"alerts": (*incident.alerts, first)})
        case "empty":
            return incident.model_copy(update={"alerts": ()})
        case "cleared":
            off = tuple(a.model_copy(update={"status": AlertStatus.RESOLVED}) for a in incident.alerts)
            return incident.model_copy(update={"alerts": off})
        case "resolved":
            return incident.model_copy(update={"status": IncidentStatus.RESOLVED})
        case "merged":
            return incident.model_copy(update={"merged_into": "QZ"})
        case "snoozed":
            return incident.model_copy(update={"status": IncidentStatus.ACKNOWLEDGED, "snoozed": True})
        case "acknowledged":
            by = (Reference(id="PPERSON"),)
            return incident.model_copy(update={"status": IncidentStatus.ACKNOWLEDGED, "acknowledged_by": by})
        case _:
            return honest(incident.id, now)


CHANGES = (
    *("good", "model", "tool", "malformed", "shouted", "untagged", "unread", "joined", "twin", "empty"),
    *("cleared", "resolved", "merged", "snoozed", "acknowledged"),
)
