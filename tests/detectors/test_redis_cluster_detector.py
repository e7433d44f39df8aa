from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.stores.redis import detect as detect_sentinel
from sre_agent.detectors.stores.redis_cluster import DISPUTED, SEEN_ONCE, SEEN_TWICE, detect
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.facts.redis_cluster import RedisClusterFacts
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.facts import FactContext, TargetDeclaration
from sre_agent.runbook.proposal import Proposal
from sre_agent.runbook.resolve import resolve
from sre_agent.testing.redis_cluster_states import (
    CLUSTER,
    IDS,
    PRIMARIES,
    REPLICAS,
    SICK,
    RecordedCluster,
    cluster_nodes,
    cluster_state,
    promoted_nodes,
)
from sre_agent.testing.redis_states import primary_view
from sre_agent.triage.triage import Triage

ONSET = datetime(2026, 3, 4, 3, 8, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=3)
LABELS = {"redis_cluster": CLUSTER, "redis_node": PRIMARIES[0]}


def latency(after=0.48, node=PRIMARIES[0]):
    at = ONSET.timestamp()
    samples = [(at + s, after if s >= -20 else 0.002 * (1 + s % 3 / 50)) for s in range(-900, 181, 15)]
    labels = {"__name__": "redis_probe_latency_seconds", "redis_cluster": CLUSTER, "instance": node}
    return Series(labels=labels, samples=tuple(samples))


def view(state, *series, labels=None):
    window = Window(start=ONSET - timedelta(minutes=15), end=NOW)
    alerts = (Alert(labels=LABELS if labels is None else labels),)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"), alerts=alerts)
    told = [("redis_cluster", EvidenceKind.REDIS, state.model_dump(mode="json"))]
    told += [("prometheus", EvidenceKind.METRICS, [s.model_dump(mode="json")]) for s in series]
    found = tuple(
        Evidence(id=f"e{n}", source=source, kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, payload=payload)
        for n, (source, kind, payload) in enumerate(told, start=1)
    )
    scope = Scope(incident=incident, now=NOW, onset=ONSET, window=window, change_window=window)
    return EvidenceView(scope=scope, evidence=found)


def test_a_sick_primary_seen_by_two_kinds_of_evidence_is_a_strong_finding_about_the_cluster():
    (found,) = detect(view(cluster_state(), latency()))
    assert (found.kind, found.object, found.strength) == (FindingKind.REDIS_CLUSTER_PRIMARY_SLOW, "redis/sessions", SEEN_TWICE)
    assert found.evidence == ("e1", "e2")
    assert PRIMARIES[0] in found.cause


@pytest.mark.parametrize(
    ("series", "strength"), [((), SEEN_ONCE), ((latency(after=0.002),), DISPUTED), ((latency(node="10.9.9.9:1"),), SEEN_ONCE)]
)
def test_without_a_series_that_rose_it_is_weak(series, strength):
    assert [f.strength for f in detect(view(cluster_state(), *series))] == [strength]


def test_a_sick_primary_that_the_alert_does_not_name_is_told_under_its_own_address():
    (found,) = detect(view(cluster_state(), labels={"redis_cluster": CLUSTER, "redis_node": PRIMARIES[1]}))
    assert found.object == f"redis/{PRIMARIES[0]}"


def test_a_well_cluster_has_no_finding_and_a_full_one_another():
    well = cluster_state(views={PRIMARIES[0]: primary_view()})
    full = cluster_state(views={PRIMARIES[0]: primary_view(p50=210.0, p99=300.0, timeouts=4, used_memory=999_000_000)})
    assert detect(view(well, latency())) == ()
    assert [f.kind for f in detect(view(full, latency()))] == [FindingKind.REDIS_MEMORY_FULL]


def test_a_cluster_is_not_taken_for_a_sentinel_managed_redis():
    assert detect_sentinel(view(cluster_state(), latency())) == ()


def test_the_target_is_the_very_node_that_the_alert_names():
    seen = view(cluster_state(), latency())
    (found,) = detect(seen)
    resolved = resolve("RedisCluster", found, seen)
    assert resolved.target == Target(kind="RedisCluster", name=CLUSTER, uid=SICK)
    assert resolved.generation == f"{SICK}@1"


@pytest.mark.parametrize(
    "labels",
    [{"redis_cluster": CLUSTER}, {"redis_node": PRIMARIES[0]}, LABELS | {"redis_node": REPLICAS[0]}, LABELS | {"redis_node": "x"}],
)
def test_a_label_that_names_no_primary_resolves_to_nothing(labels):
    (found,) = detect(view(cluster_state()))
    assert resolve("RedisCluster", found, view(cluster_state(), labels=labels)) is None


async def facts(state, target=None):
    target = target or Target(kind="RedisCluster", name=CLUSTER, uid=SICK)
    context = FactContext(
        incident=view(state).scope.incident,
        triage=Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd"),
        diagnosis=Diagnosis(),
        proposal=Proposal(incident_id="Q1", runbook="redis-cluster-failover", action="redis_cluster_failover", target=target),
        declaration=TargetDeclaration(managed=True),
        human_acknowledged=False,
        now=NOW,
    )
    return await RedisClusterFacts(RecordedCluster(state)).collect(context)


async def test_the_guard_is_told_that_all_is_met_or_what_is_not():
    assert await facts(cluster_state()) == {"target_resolved": True, "unmet": (), "touches_behaviour": False}
    moving = await facts(cluster_state(cluster_nodes(p1={"moving": True})))
    assert moving["unmet"] == ("cluster-slots-moving",)
    gone = await facts(cluster_state(promoted_nodes()))
    assert gone["target_resolved"] is False
    assert "cluster-node-not-primary" in gone["unmet"]
    assert await facts(cluster_state(), Target(kind="Pod", name="x", uid=IDS[PRIMARIES[0]])) == {}


def _told(state, broken, **info):
    """The state as seen when the first `broken` nodes tell other cluster info."""
    vantages = [v.model_copy(update={"info": v.info | info}) if i < broken else v for i, v in enumerate(state.vantages)]
    return state.model_copy(update={"vantages": tuple(vantages)})


def test_slots_that_most_nodes_say_nobody_serves_are_told_and_one_that_is_cut_off_is_not_believed():
    well = cluster_state()
    lost = {"cluster_state": "fail", "cluster_slots_ok": "10923"}
    told = [f for f in detect(view(_told(well, 4, **lost))) if f.kind is FindingKind.REDIS_CLUSTER_INCOMPLETE]
    assert [f.object for f in told] == ["redis/sessions"]
    assert "5461 of 16384 slots" in told[0].cause
    for broken in (0, 1):
        kinds = {f.kind for f in detect(view(_told(well, broken, **lost)))}
        assert FindingKind.REDIS_CLUSTER_INCOMPLETE not in kinds
