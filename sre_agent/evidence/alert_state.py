"""Alerts as alerting systems tell of them now: the payload of ALERT evidence, and which of many bear on an incident. Pure.

Alerts are somebody's claim about the world: they say where to look and corroborate nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.incident import Incident
from sre_agent.intake.untrusted import storable

SUBJECT_LABELS = (
    "pod",
    "statefulset",
    "daemonset",
    "deployment",
    "redis_master",
    "redis_cluster",
    "queue",
    "node",
    "service",
    "service_name",
    "app",
)
"""Labels that name one thing, most specific first."""
PLACE_LABELS = (*SUBJECT_LABELS, "namespace")
SERVICE_LABELS = ("service", "service_name", "app", "deployment")
LONGEST_VALUE, MOST_LABELS = 500, 64


class AlertState(StrEnum):
    """Alertmanager's states, and Prometheus' own: PENDING has not held for its `for` yet."""

    ACTIVE = "active"
    SUPPRESSED = "suppressed"
    UNPROCESSED = "unprocessed"
    FIRING = "firing"
    PENDING = "pending"


class ActiveAlert(BaseModel):
    """One alert that an alerting system holds now.

    `ends_at` of an alert that fires is when it would count as resolved without another word. `silenced_by` and
    `inhibited_by` are ids of silences and fingerprints of alerts.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime | None = Field(default=None, alias="startsAt")
    ends_at: datetime | None = Field(default=None, alias="endsAt")
    state: AlertState = AlertState.ACTIVE
    silenced_by: tuple[str, ...] = Field(default=(), alias="silencedBy")
    inhibited_by: tuple[str, ...] = Field(default=(), alias="inhibitedBy")
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """The rule's name, or a placeholder."""
        return self.labels.get("alertname", "unnamed alert")

    @property
    def subject(self) -> str:
        """What it is about, as "kind/name" of a finding; the namespace where its labels name nothing closer, else ""."""
        for label in SUBJECT_LABELS:
            if self.labels.get(label):
                kind = {"redis_master": "redis", "redis_cluster": "redis", "service_name": "service"}.get(label, label)
                return f"{kind}/{self.labels[label].lower()}"
        return f"namespace/{self.labels['namespace'].lower()}" if self.labels.get("namespace") else ""

    def payload(self) -> dict[str, Any]:
        """As ALERT evidence holds it; docs/evidence.md, "Payloads"."""
        return self.model_dump(mode="json", by_alias=True)


def short_labels(value: object) -> dict[str, str]:
    """Labels or annotations from outside: what is text, no more than fits."""
    pairs = value.items() if isinstance(value, dict) else ()
    return {
        storable(str(k))[:LONGEST_VALUE]: storable(v)[:LONGEST_VALUE] for k, v in list(pairs)[:MOST_LABELS] if isinstance(v, str)
    }


def alerts_of(view: EvidenceView) -> Iterator[tuple[str, ActiveAlert]]:
    """(evidence id, alert) over every list of alerts; what is malformed is skipped."""
    for e in view.ok(EvidenceKind.ALERT):
        for raw in e.payload if isinstance(e.payload, list) else ():
            try:
                yield e.id, ActiveAlert.model_validate(raw)
            except ValidationError:
                continue


def rules_of(view: EvidenceView) -> Iterator[tuple[str, str, str]]:
    """(evidence id, name, expression) of every alerting rule that was read."""
    for e in view.ok(EvidenceKind.ALERT):
        rules = e.payload.get("rules") if isinstance(e.payload, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, dict) and isinstance(rule.get("name"), str) and isinstance(rule.get("query"), str):
                yield e.id, rule["name"], rule["query"]


def is_own(alert: ActiveAlert, incident: Incident) -> bool:
    """Whether it is one of the incident's own: same name, and no label that both carry differs."""
    return any(
        a.labels.get("alertname", "") == alert.labels.get("alertname")
        and all(alert.labels.get(k, v) == v for k, v in a.labels.items())
        for a in incident.alerts
    )


def shared_places(alert: ActiveAlert, incident: Incident) -> tuple[str, ...]:
    """The place labels whose value it has in common with one of the incident's alerts; none across clusters."""
    found: dict[str, None] = {}
    for own in incident.alerts:
        clusters = {labels["cluster"] for labels in (own.labels, alert.labels) if labels.get("cluster")}
        if len(clusters) < 2:
            found |= dict.fromkeys(n for n in PLACE_LABELS if own.labels.get(n) and own.labels[n] == alert.labels.get(n))
    return tuple(found)


def nearest(alerts: Iterable[ActiveAlert], incident: Incident, onset: datetime, most: int) -> tuple[ActiveAlert, ...]:
    """At most `most`: the incident's own first, then those of the same place, then by how near to the onset they began."""

    def order(alert: ActiveAlert) -> tuple[int, float, str, str]:
        place = 0 if is_own(alert, incident) else 1 if shared_places(alert, incident) else 2
        away = abs((alert.starts_at - onset).total_seconds()) if alert.starts_at is not None else float("inf")
        return place, away, alert.name, alert.fingerprint

    return tuple(sorted(alerts, key=order)[:most])
