"""From what the store, the ledger and the tracker keep to the attempts and onsets that breakers judge. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from sre_agent.evidence.kubernetes.state import text
from sre_agent.evidence.redact import redact_json
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.event import RECONCILED, EventKind, IncidentEvent
from sre_agent.incident.incident import Incident
from sre_agent.incident.target import Target
from sre_agent.policy.breakers import STORM_CALM, STORM_WINDOW, Attempt, Ending, Onset, place_of, place_of_key
from sre_agent.response.record import PastIncident, State

BEGINNINGS: Final = frozenset({EventKind.TRIGGERED, EventKind.REOPENED})
NOBODYS: Final = frozenset({EventKind.TRIGGERED, EventKind.PING, EventKind.OTHER})
"""Events that say nothing of a person being at work, whoever caused them."""

SAME_MOMENT: Final = timedelta(seconds=5)
"""A list gives whole seconds of the tracker's, a delivery its own moment."""

VOLATILE: Final = frozenset({"uid", "container_id", "prometheus", "prometheus_replica", "replica"})
"""Labels that differ each time the same alert begins."""

Pods = Mapping[str, frozenset[tuple[str, str]]]
"""Place to (namespace, name) of pods."""


def attempts(intents: Iterable[Intent], past: Iterable[PastIncident]) -> tuple[Attempt, ...]:
    """Every row of the ledger with how it ended."""
    known = {p.id: p for p in past}
    return tuple(
        Attempt(
            action=i.action,
            place=place_of_key(i.target_key),
            service=i.service,
            pre_state=i.pre_state,
            ending=_ending(i, known.get(i.incident_id)),
            at=i.closed_at or i.created_at,
        )
        for i in intents
    )


def _ending(intent: Intent, incident: PastIncident | None) -> Ending:
    match intent.state:
        case IntentState.INTENT:
            return Ending.OPEN
        case IntentState.NOT_DONE:
            return Ending.NOTHING
        case IntentState.FAILED | IntentState.UNKNOWN:
            return Ending.FAILED
        case IntentState.DONE:
            # SAFETY: an action whose incident is not there to say that it helped did not help.
            if incident is None or intent.action in incident.tried_in_vain:
                return Ending.FAILED
            return Ending.UNVERIFIED if incident.state in (State.EXECUTING, State.VERIFYING) else Ending.HELPED


def onsets(events: Iterable[IncidentEvent], incidents: Mapping[str, Incident]) -> Iterator[Onset]:
    """Everything that began, as the doors heard it and as the incidents' alerts tell. `incidents` are those that are known."""
    for event in _told_once([e for e in events if e.kind in BEGINNINGS and e.incident_id is not None]):
        yield Onset(at=event.occurred_at, service=_service(event, incidents), identities=_keys(event, incidents))
    for incident in incidents.values():
        service = incident.service.id or incident.id
        for alert in incident.alerts:
            at = alert.starts_at or incident.created_at
            yield Onset(at=at, service=service, part=alert.labels.get("service", ""), identities=_identities(alert, service))
        if not incident.alerts:
            yield Onset(at=incident.created_at, service=service)


def _told_once(beginnings: list[IncidentEvent]) -> Iterator[IncidentEvent]:
    """Without what comparing with the tracker found, where the delivery came after all: it is the same beginning."""
    heard = [e for e in beginnings if e.door != RECONCILED]
    for event in beginnings:
        twins = (e for e in heard if (e.incident_id, e.kind) == (event.incident_id, event.kind))
        if event.door != RECONCILED or not any(abs(e.occurred_at - event.occurred_at) < SAME_MOMENT for e in twins):
            yield event


def identities_of(incident: Incident, events: Iterable[IncidentEvent]) -> frozenset[str]:
    """What an incident's own alerts are recognised by."""
    service, known = incident.service.id or incident.id, {incident.id: incident}
    own = [_keys(e, known) for e in events if e.incident_id == incident.id]
    return frozenset({f"incident {incident.id}"}.union(*own, *(_identities(a, service) for a in incident.alerts)))


def _service(event: IncidentEvent, incidents: Mapping[str, Incident]) -> str:
    """SAFETY: an incident whose service is not known counts as one of its own."""
    known = incidents.get(event.incident_id or "")
    return event.service_id or (known.service.id if known else "") or (event.incident_id or "")


def _keys(event: IncidentEvent, incidents: Mapping[str, Incident]) -> frozenset[str]:
    key = {f"key {_service(event, incidents)} {event.incident_key}"} if event.incident_key else set()
    return frozenset({f"incident {event.incident_id}", *key})


def _identities(alert: Alert, service: str) -> frozenset[str]:
    # What is stored was redacted: the same alert must look the same fetched now and read back (redacting twice changes nothing).
    stable = {name: value for name, value in redact_json(alert.labels).items() if name not in VOLATILE}
    return frozenset({f"alert {service} {json.dumps(stable, sort_keys=True)}"} if stable else ())


def alerting_pods(current: Incident, others: Iterable[Incident], now: datetime) -> Pods:
    """The pods that alert, or did less than STORM_CALM ago: of our incident all, of others those that began lately.

    What is known of another incident may be old, so an alert of it that began long ago is not counted.
    """
    lately = now - STORM_WINDOW - STORM_CALM
    found = [a for a in current.alerts if _alerting(a, now)]
    found += [a for o in others for a in o.alerts if _alerting(a, now) and (a.starts_at or o.created_at) > lately]
    places: dict[str, set[tuple[str, str]]] = {}
    for namespace, name in {(a.labels.get("namespace", ""), a.labels.get("pod", "")) for a in found}:
        if namespace and name:
            places.setdefault(_pod_place(namespace, name), set()).add((namespace, name))
    return {place: frozenset(pods) for place, pods in places.items()}


def _alerting(alert: Alert, now: datetime) -> bool:
    return alert.status is AlertStatus.FIRING or (alert.ends_at is not None and alert.ends_at > now - STORM_CALM)


def existing_pods(namespace: str, pods: Iterable[Mapping[str, object]]) -> Counter[str]:
    """How many live pods each place of a namespace has, from API objects."""
    live = (
        p for p in pods if not text(p, "metadata", "deletionTimestamp") and text(p, "status", "phase") in ("Pending", "Running")
    )
    return Counter(_pod_place(namespace, text(p, "metadata", "name")) for p in live)


def _pod_place(namespace: str, name: str) -> str:
    return place_of(Target(kind="Pod", namespace=namespace, name=name))
