"""What the agent makes of a frozen world: all readers, detectors and the ranking, without a network."""

import asyncio
from datetime import timedelta

from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.examine import examine
from sre_agent.investigation.fetch import fetch
from sre_agent.replay.case import Case, LogFile
from sre_agent.replay.recorded import recorded_sources
from sre_agent.response.assess import scope_of
from sre_agent.wiring import discovery
from tests.frozen.cluster import NAMESPACE, NOW


def examined(world):
    """What the agent makes of a world."""
    onset = NOW - timedelta(minutes=10)
    alert = Alert(labels=world.labels, annotations={}, status=AlertStatus.FIRING, starts_at=onset)
    service = Reference(id="P1", name="shop")
    status = IncidentStatus.TRIGGERED
    incident = Incident(id="Q1", title="shop errors", status=status, created_at=onset, service=service, alerts=(alert,))
    home = world.labels.get("namespace", NAMESPACE)
    logs = tuple(
        LogFile(namespace=home, pod=pod, container=container, previous=True, lines=tuple(lines), truncated=False)
        for (pod, container), lines in world.logs.items()
    )
    metrics = tuple(world.metrics) or None
    case = Case(id="frozen", at=NOW, incident=incident, kubernetes=tuple(world.items), logs=logs, metrics=metrics)
    scope = scope_of(incident, NOW)
    view = EvidenceView(scope=scope, evidence=asyncio.run(fetch(recorded_sources(case), scope, 30.0)))
    return examine(view, discovery.detectors())
