"""Facts about the incident and its evidence."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.change import Change, ChangeKind
from sre_agent.evidence.diagnosis import Claim, Diagnosis, Outcome
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.evidence.window import Window
from sre_agent.facts.incident import IncidentFacts
from sre_agent.incident.alert import Alert, AlertClass, AlertStatus
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.facts import BOUND, FactContext, TargetDeclaration
from sre_agent.runbook.proposal import Proposal
from sre_agent.triage.triage import Triage

NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=7)
DAY = timedelta(hours=24)


def evidence(id: str, kind: EvidenceKind, age_s: float = 10, payload: object = None, **more) -> Evidence:
    fields = {"source": "s", "query": "q", "status": EvidenceStatus.OK, "observed_at": NOW - timedelta(seconds=age_s)}
    return Evidence(id=id, kind=kind, payload=payload, **{**fields, **more})


METRICS, REDIS = evidence("e1", EvidenceKind.METRICS), evidence("e2", EvidenceKind.REDIS)
NO_CHANGES = evidence(
    "e3", EvidenceKind.CHANGES, status=EvidenceStatus.NO_DATA, window=Window.before(NOW, DAY + timedelta(hours=1))
)
SLOW = FindingKind.REDIS_PRIMARY_SLOW


def finding(kind=SLOW, object="redis/cache", strength=0.9, cites=("e1", "e2"), **more) -> Finding:
    return Finding(kind=kind, object=object, cause="c", strength=strength, evidence=cites, **more)


def diagnosis(*findings: Finding, seen: tuple[Evidence, ...] = (METRICS, REDIS, NO_CHANGES), **more) -> Diagnosis:
    found = findings or (finding(),)
    causes = tuple(
        RootCause(kind=f.kind, object=f.object, namespace=f.namespace, score=f.strength, evidence=f.evidence) for f in found
    )
    return Diagnosis(findings=found, root_causes=causes, evidence=seen, **more)


def changes(*made: Change, **more) -> Evidence:
    return NO_CHANGES.model_copy(update={"status": EvidenceStatus.OK, "payload": [c.model_dump(mode="json") for c in made], **more})


def incident(**more) -> Incident:
    fields = {
        "id": "Q1",
        "status": IncidentStatus.TRIGGERED,
        "created_at": ONSET + timedelta(minutes=2),
        "service": Reference(id="PSVC1", name="Voice"),
        "alerts": (Alert(labels={"alert_type": "infra"}, starts_at=ONSET),),
    }
    return Incident(**{**fields, **more})


def context(
    d: Diagnosis | None = None, i: Incident | None = None, *, nominated: bool = False, acknowledged: bool = False, **triage
):
    proposal = Proposal(
        incident_id="Q1",
        runbook="redis-failover",
        action="redis_failover",
        target=Target(kind="RedisMaster", name="cache", uid="r1"),
        cause="redis_primary_slow",
        nominated_by_model=nominated,
    )
    whose = {"labelled": AlertClass.INFRA, "alert_class": AlertClass.INFRA, "owner": "platform", "receiver": "pd-platform"}
    return FactContext(
        incident=i or incident(),
        triage=Triage(**{**whose, **triage}),
        diagnosis=d or diagnosis(),
        proposal=proposal,
        declaration=TargetDeclaration(managed=True, team="platform", service="voice-platform"),
        human_acknowledged=acknowledged,
        now=NOW,
    )


async def facts(*args, langfuse: bool = False, **kwargs) -> dict[str, object]:
    return await IncidentFacts(langfuse=langfuse).collect(context(*args, **kwargs))


async def test_a_well_supported_infra_incident() -> None:
    assert await facts() == {
        "alert_class": AlertClass.INFRA,
        "labelled_class": AlertClass.INFRA,
        "class_disputed": False,
        "evidence_kinds": 2,
        "evidence_conflict": False,
        "facts_age_s": 10,
        "model_change_in_lookback": False,
        "lookback_covered": True,
        "alert_firing": True,
        "incident_open": True,
        "human_acknowledged": False,
        "nominated_by_model": False,
    }


@pytest.mark.parametrize("label", [c for c in AlertClass if c is not AlertClass.INFRA])
async def test_evidence_never_turns_another_label_into_infra(label) -> None:
    found = await facts(labelled=label, alert_class=AlertClass.INFRA)
    assert found["alert_class"] is AlertClass.UNKNOWN
    assert found["class_disputed"] is True


async def test_a_model_that_names_another_class_disputes_it() -> None:
    assert (await facts(diagnosis(claimed_class=Claim(value=AlertClass.MODEL))))["class_disputed"]
    assert not (await facts(diagnosis(claimed_class=Claim(value=AlertClass.INFRA))))["class_disputed"]


KINDS = {
    "two readings of one kind": ((METRICS, evidence("e2", EvidenceKind.METRICS)), 1),
    "logs as the second": ((METRICS, evidence("e2", EvidenceKind.LOGS)), 1),
    "the alert as the second": ((METRICS, evidence("e2", EvidenceKind.ALERT)), 1),
    "text as the second": ((METRICS, evidence("e2", EvidenceKind.TEXT)), 1),
    "the call graph as the second": ((METRICS, evidence("e2", EvidenceKind.TOPOLOGY)), 1),
    "only logs": ((evidence("e1", EvidenceKind.LOGS),), 0),
    "a source that failed": ((METRICS, evidence("e2", EvidenceKind.REDIS, status=EvidenceStatus.ERROR)), 1),
    "a source without data": ((METRICS, evidence("e2", EvidenceKind.REDIS, status=EvidenceStatus.NO_DATA)), 1),
    "evidence the finding does not cite": ((METRICS, evidence("e9", EvidenceKind.REDIS)), 1),
    "a cited id that is not there": ((METRICS,), 1),
}


@pytest.mark.parametrize("case", KINDS)
async def test_only_independent_observations_corroborate(case) -> None:
    seen, expected = KINDS[case]
    assert (await facts(diagnosis(seen=seen)))["evidence_kinds"] == expected


async def test_no_finding_supports_nothing_and_contradicts_everything() -> None:
    found = await facts(Diagnosis(evidence=(METRICS, REDIS, NO_CHANGES)))
    assert (found["evidence_kinds"], found["evidence_conflict"], found["facts_age_s"]) == (0, True, BOUND)


@pytest.mark.parametrize(
    ("kind", "strength", "conflict"),
    [
        (FindingKind.TOOL_ERRORS, 0.9, True),
        (FindingKind.TOOL_ERRORS, 0.89, False),
        (FindingKind.PROMPT_REGRESSION, 1.0, True),
        (FindingKind.METRIC_SHIFTED, 1.0, False),
        (FindingKind.NODE_NOT_READY, 1.0, False),
    ],
)
async def test_an_equally_strong_finding_of_another_class_conflicts(kind, strength, conflict) -> None:
    other = finding(kind, "tool/crm", strength, ("e1",))
    assert (await facts(diagnosis(finding(), other)))["evidence_conflict"] is conflict


@pytest.mark.parametrize("outcome", [Outcome(several_causes=True), Outcome(healthy=True)])
async def test_an_outcome_that_names_no_single_sickness_conflicts(outcome) -> None:
    assert (await facts(diagnosis(outcome=outcome)))["evidence_conflict"]


@pytest.mark.parametrize(
    ("metrics_age", "redis_age", "expected"),
    [(10, 20, 20), (10, 120.2, 121), (0, 0, 0), (-30, 5, 5), (-61, 5, BOUND), (10**9, 1, BOUND)],
)
async def test_facts_are_as_old_as_the_stalest_kind_they_rest_on(metrics_age, redis_age, expected) -> None:
    seen = (evidence("e1", EvidenceKind.METRICS, metrics_age), evidence("e2", EvidenceKind.REDIS, redis_age))
    assert (await facts(diagnosis(seen=seen)))["facts_age_s"] == expected


async def test_a_newer_reading_of_a_kind_makes_an_old_one_harmless() -> None:
    seen = (METRICS, REDIS, evidence("e3", EvidenceKind.METRICS, 900))
    assert (await facts(diagnosis(finding(cites=("e1", "e2", "e3")), seen=seen)))["facts_age_s"] == 10


def change(at: datetime, kind: ChangeKind = ChangeKind.PROMPT, *services: str) -> Change:
    return Change(at=at, kind=kind, target="prompt/intent-router", services=services)


CREATED = ONSET + timedelta(minutes=2)
CHANGES = {
    "a prompt an hour before": (change(ONSET - timedelta(hours=1)), True),
    "a model an hour before": (change(ONSET - timedelta(hours=1), ChangeKind.MODEL), True),
    "a prompt exactly 24 h before": (change(ONSET - DAY), True),
    "a prompt more than 24 h before": (change(ONSET - DAY - timedelta(seconds=1)), False),
    "a prompt between the alert and the page": (change(CREATED), True),
    "a prompt after the page": (change(CREATED + timedelta(seconds=1)), False),
    "a deploy": (change(ONSET - timedelta(hours=1), ChangeKind.DEPLOY), False),
    "a prompt of other services": (change(ONSET - timedelta(hours=1), ChangeKind.PROMPT, "sales"), False),
    "a prompt of ours by its declared name": (change(ONSET, ChangeKind.PROMPT, "sales", "voice-platform"), True),
    "a prompt of ours by PagerDuty's id": (change(ONSET, ChangeKind.PROMPT, "PSVC1"), True),
    "a prompt of ours by PagerDuty's name": (change(ONSET, ChangeKind.PROMPT, "Voice"), True),
}


@pytest.mark.parametrize("case", CHANGES)
async def test_model_changes_before_the_onset(case) -> None:
    made, expected = CHANGES[case]
    found = await facts(diagnosis(seen=(METRICS, REDIS, changes(made))))
    assert found["model_change_in_lookback"] is expected
    assert found["lookback_covered"]


async def test_a_target_without_a_declared_service_is_touched_by_every_prompt() -> None:
    it = context(diagnosis(seen=(METRICS, REDIS, changes(change(ONSET, ChangeKind.PROMPT, "sales")))))
    it = it.model_copy(update={"declaration": TargetDeclaration()})
    assert (await IncidentFacts().collect(it))["model_change_in_lookback"]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ({"created_at": ONSET.isoformat(), "labels": ["production"]}, True),
        ({"created_at": "2025-01-01T00:00:00Z", "updated_at": ONSET.isoformat(), "labels": ["production"]}, True),
        ({"created_at": ONSET.isoformat()}, True),
        ({"created_at": ONSET.isoformat(), "labels": ["experiment"]}, False),
        ({"created_at": "2025-01-01T00:00:00Z", "labels": ["production"]}, False),
        ({}, False),
    ],
)
async def test_langfuse_prompt_versions_are_changes_too(prompt, expected) -> None:
    seen = evidence("e4", EvidenceKind.LANGFUSE, payload={"scores": [], "prompts": [{"name": "intent-router", **prompt}]})
    found = await facts(diagnosis(seen=(METRICS, REDIS, NO_CHANGES, seen)))
    assert found["model_change_in_lookback"] is expected


def langfuse_answer(status: EvidenceStatus) -> Evidence:
    return evidence("e4", EvidenceKind.LANGFUSE, status=status, payload={"prompts": []})


COVERED = {
    "no feed at all": ((), False, False),
    "a feed that failed": ((changes(status=EvidenceStatus.ERROR),), False, False),
    "one good and one failed": ((NO_CHANGES, changes(status=EvidenceStatus.ERROR)), False, False),
    "a feed cut short": ((changes(truncated=True),), False, False),
    "half a day of feed": ((changes(window=Window.before(NOW, timedelta(hours=12))),), False, False),
    "a feed that does not say how far it looked": ((changes(window=None),), False, True),
    "no Langfuse where there is one": ((NO_CHANGES,), True, False),
    "Langfuse failed": ((NO_CHANGES, langfuse_answer(EvidenceStatus.ERROR)), True, False),
    "Langfuse failed though nobody configured it": ((NO_CHANGES, langfuse_answer(EvidenceStatus.ERROR)), False, False),
    "Langfuse has nothing": ((NO_CHANGES, langfuse_answer(EvidenceStatus.NO_DATA)), True, True),
    "Langfuse answered": ((NO_CHANGES, langfuse_answer(EvidenceStatus.OK)), True, True),
}


@pytest.mark.parametrize("case", COVERED)
async def test_the_lookback_is_covered_only_when_every_feed_was_really_read(case) -> None:
    seen, langfuse, expected = COVERED[case]
    assert (await facts(diagnosis(seen=(METRICS, REDIS, *seen)), langfuse=langfuse))["lookback_covered"] is expected


@pytest.mark.parametrize(
    ("more", "field", "expected"),
    [
        ({"alerts": (Alert(labels={}, status=AlertStatus.RESOLVED),)}, "alert_firing", False),
        ({"alerts": ()}, "alert_firing", False),
        ({"status": IncidentStatus.RESOLVED}, "incident_open", False),
        ({"merged_into": "Q2"}, "incident_open", False),
        ({"snoozed": True}, "incident_open", False),
        ({"status": IncidentStatus.ACKNOWLEDGED}, "human_acknowledged", False),
        ({"acknowledged_by": (Reference(id="PUSER"),)}, "human_acknowledged", True),
    ],
)
async def test_what_the_incident_itself_says(more, field, expected) -> None:
    assert (await facts(None, incident(**more)))[field] is expected


async def test_an_acknowledgement_seen_earlier_still_counts() -> None:
    assert (await facts(acknowledged=True))["human_acknowledged"]


async def test_a_nominated_runbook_rests_on_the_evidence_about_its_own_target() -> None:
    crash = finding(FindingKind.POD_CRASH_LOOP, "pod/api-1", 1.0, ("e1", "e2"), namespace="voice")
    weak = finding(strength=0.4, cites=("e1",))
    found = await facts(diagnosis(crash, weak), nominated=True)
    assert (found["evidence_kinds"], found["nominated_by_model"]) == (1, True)
    of_another_kind = finding(FindingKind.REDIS_EVICTING, strength=0.9, cites=("e1", "e2"))
    assert (await facts(diagnosis(crash, weak, of_another_kind), nominated=True))["evidence_kinds"] == 1
    nothing = await facts(diagnosis(crash), nominated=True)
    assert (nothing["evidence_kinds"], nothing["evidence_conflict"]) == (0, True)


async def test_what_the_cluster_s_objects_tell_of_changes_is_no_second_witness_beside_them_and_no_change_feed():
    objects = evidence("e1", EvidenceKind.KUBERNETES)
    told = evidence("e2", EvidenceKind.CHANGES, payload=[], source="kubernetes", window=Window.before(NOW, DAY))
    facts = await IncidentFacts().collect(context(diagnosis(finding(), seen=(objects, told))))
    assert (facts["evidence_kinds"], facts["lookback_covered"]) == (1, False)
    feed = evidence("e2", EvidenceKind.CHANGES, payload=[], window=Window.before(NOW, DAY))
    facts = await IncidentFacts().collect(context(diagnosis(finding(), seen=(objects, feed))))
    assert (facts["evidence_kinds"], facts["lookback_covered"]) == (2, True)
