"""Alerts as alerting systems tell of them now: the payload of ALERT evidence, and which of many bear on an incident. Pure.

Alerts are somebody's claim about the world: they say where to look and corroborate nothing.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.incident import Incident
from sre_agent.intake.untrusted import moment, storable

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
MOST_COMPARED = 20
"""Own alerts of one name that another of that name is compared with, label by label; those equal to it are always found."""


OWN_ALERTS = "own_alerts"
"""The source of what an incident's own alerts say, where no alerting system is asked."""


class AlertState(StrEnum):
    """Alertmanager's states, and Prometheus' own: PENDING has not held for its `for` yet."""

    ACTIVE = "active"
    SUPPRESSED = "suppressed"
    UNPROCESSED = "unprocessed"
    FIRING = "firing"
    PENDING = "pending"


def _moment(value: object) -> datetime | None:
    """An aware time; None for none, for what cannot be read, and for the year 1 that Go writes for "never"."""
    return value if isinstance(value, datetime) and value.tzinfo is not None else moment(value)


Moment = Annotated[datetime | None, BeforeValidator(_moment)]


class ActiveAlert(BaseModel):
    """One alert that an alerting system holds now.

    `ends_at` of an alert that fires is when it would count as resolved without another word. `silenced_by` and
    `inhibited_by` are ids of silences and fingerprints of alerts.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: Moment = Field(default=None, alias="startsAt")
    ends_at: Moment = Field(default=None, alias="endsAt")
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


def own_alerts(scope: Scope) -> tuple[Evidence, ...]:
    """The incident's own firing alerts as ALERT evidence; () when none fires."""
    told = [ActiveAlert(labels=a.labels, annotations=a.annotations, starts_at=a.starts_at).payload() for a in scope.incident.firing]
    if not told:
        return ()
    return (
        Evidence(
            id="",
            source=OWN_ALERTS,
            kind=EvidenceKind.ALERT,
            query="the incident's own alerts",
            status=EvidenceStatus.OK,
            observed_at=scope.now,
            payload=told,
            size_bytes=len(str(told)),
        ),
    )


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


class Surroundings:
    """An incident's own alerts, arranged so that thousands of others can be compared with a thousand of them."""

    def __init__(self, incident: Incident) -> None:
        self._exact = {frozenset(a.labels.items()) for a in incident.alerts}
        self._by_name: dict[str, list[dict[str, str]]] = {}
        self._places: dict[tuple[str, str], set[str]] = {}
        for labels in {frozenset(a.labels.items()): a.labels for a in incident.alerts}.values():
            self._by_name.setdefault(labels.get("alertname", ""), []).append(labels)
            for name in PLACE_LABELS:
                if labels.get(name):
                    self._places.setdefault((name, labels[name]), set()).add(labels.get("cluster", ""))

    def owns(self, alert: ActiveAlert) -> bool:
        """Whether it is one of the incident's own: same name, and no label that both carry differs."""
        if frozenset(alert.labels.items()) in self._exact:
            return True
        alike = self._by_name.get(alert.labels.get("alertname", ""), ())[:MOST_COMPARED]
        return any(all(alert.labels.get(k, v) == v for k, v in own.items()) for own in alike)

    def shared(self, alert: ActiveAlert) -> tuple[str, ...]:
        """The place labels whose value it has in common with one of the incident's alerts; none across clusters."""
        cluster = alert.labels.get("cluster", "")
        return tuple(n for n in PLACE_LABELS if _same(self._places.get((n, alert.labels.get(n, "")), ()), cluster))


def _same(clusters: Collection[str], cluster: str) -> bool:
    """Whether one of them may be this cluster: "" is not said, and may be any."""
    return bool(clusters) and (not cluster or "" in clusters or cluster in clusters)


def nearest(alerts: Iterable[ActiveAlert], incident: Incident, onset: datetime, most: int) -> tuple[ActiveAlert, ...]:
    """At most `most`: the incident's own first, then those of the same place, then by how near to the onset they began."""
    around = Surroundings(incident)

    def order(alert: ActiveAlert) -> tuple[int, float, str, str]:
        place = 0 if around.owns(alert) else 1 if around.shared(alert) else 2
        away = abs((alert.starts_at - onset).total_seconds()) if alert.starts_at is not None else float("inf")
        return place, away, alert.name, alert.fingerprint

    return tuple(sorted(alerts, key=order)[:most])
