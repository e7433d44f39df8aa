"""Frozen clusters with one fault each: all detectors and the ranking together name the cause first, by kind and object.

The alert says no more than the namespace. A fault that is only found second or third counts as a miss here.
"""

import asyncio
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest

from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.examine import examine
from sre_agent.investigation.fetch import fetch
from sre_agent.replay.case import Case, LogFile
from sre_agent.replay.recorded import recorded_sources
from sre_agent.response.assess import scope_of
from sre_agent.wiring import discovery
from tests.frozen.cluster import NOW, World, ago
from tests.frozen.faults import FAULTS, namespace_of


def examined(world):
    """What the agent makes of a world."""
    onset = NOW - timedelta(minutes=10)
    alert = Alert(labels=world.labels, annotations={}, status=AlertStatus.FIRING, starts_at=onset)
    service = Reference(id="P1", name="shop")
    status = IncidentStatus.TRIGGERED
    incident = Incident(id="Q1", title="shop errors", status=status, created_at=onset, service=service, alerts=(alert,))
    logs = tuple(
        LogFile(namespace=namespace_of(world), pod=pod, container=container, previous=True, lines=tuple(lines), truncated=False)
        for (pod, container), lines in world.logs.items()
    )
    case = Case(id="frozen", at=NOW, incident=incident, kubernetes=tuple(world.items), logs=logs)
    scope = scope_of(incident, NOW)
    view = EvidenceView(scope=scope, evidence=asyncio.run(fetch(recorded_sources(case), scope, 30.0)))
    return examine(view, discovery.detectors())


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_named_first(name):
    change, kinds, objects = FAULTS[name]
    world = World()
    change(world)
    found = examined(world)
    assert found.notes == ()
    told = [(c.kind.value, c.object, c.score) for c in found.root_causes]
    assert told, "nothing was found"
    first = found.root_causes[0]
    assert first.kind in kinds, told
    assert any(fnmatchcase(first.object, wanted) for wanted in objects), told


def test_a_shop_that_is_well_is_left_alone():
    found = examined(World())
    assert found.findings == ()
    assert found.outcome.healthy


def test_a_shop_that_recovered_is_left_alone():
    world = World()
    for p in world.pods("cart"):
        p["status"]["containerStatuses"][0] |= {"restartCount": 4}
        p["status"]["containerStatuses"][0]["lastState"] = {
            "terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ago(hours=3)}
        }
        world.event(p, "BackOff", "Back-off restarting failed container cart", 3)
    assert [f.kind.value for f in examined(world).findings if f.strength >= 0.5] == []


def test_a_workload_that_lacks_pods_is_never_called_well_even_if_nobody_says_why():
    world = World()
    world.get("Deployment", "mailer")["status"] |= {"readyReplicas": 0, "availableReplicas": 0, "replicas": 0}
    world.get("ReplicaSet", "mailer-5d9c")["status"] = {"replicas": 1}
    found = examined(world)
    assert not found.outcome.healthy
