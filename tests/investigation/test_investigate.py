import json

import pytest

from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.incident.alert import AlertClass, AlertStatus
from sre_agent.incident.errors import Transient
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.rules import RulesReasoner
from sre_agent.testing.reasoning import StaticSource


def investigator(made, sources=None, detectors=None, runbooks=None):
    return build_investigator(
        made.slow_redis_sources() if sources is None else sources,
        [made.detect_slow] if detectors is None else detectors,
        RulesReasoner(),
        made.RUNBOOKS if runbooks is None else runbooks,
        source_deadline_s=5.0,
    )


async def test_a_slow_primary_ends_in_a_failover_proposed_for_its_run_id(made):
    done = await investigator(made).investigate(made.scope(), made.triage(), "Q1/1")
    assert done.reason == ""
    assert done.proposal is not None
    assert done.proposal.model_dump() == {
        "incident_id": "Q1",
        "runbook": "redis-failover",
        "action": "redis_failover",
        "target": {"kind": "RedisMaster", "namespace": None, "name": "cache", "uid": made.RUN_ID},
        "parameters": {},
        "generation": made.RUN_ID,
        "cause": "redis_primary_slow",
        "nominated_by_model": False,
    }
    assert done.applicable == ("redis-failover", "redis-failover-other")
    assert [(c.kind, c.evidence) for c in done.diagnosis.root_causes] == [(K.REDIS_PRIMARY_SLOW, ("e1", "e2"))]
    assert done.diagnosis.usage.reasoner == "rules"
    assert done.diagnosis.claimed_class is None
    assert done.diagnosis.confidence_bp.value == 10_000
    assert "redis/cache since 03:08:09 UTC: redis/cache is in trouble (e1, e2)" in done.diagnosis.summary


async def test_the_same_incident_is_diagnosed_the_same_byte_for_byte(made):
    first = await investigator(made).investigate(made.scope(), made.triage(), "a")
    second = await investigator(made).investigate(made.scope(), made.triage(), "b")
    assert first.model_dump_json() == second.model_dump_json()


@pytest.mark.parametrize("labelled", [c for c in AlertClass if c is not AlertClass.INFRA])
async def test_no_class_but_infra_is_ever_proposed_for(made, labelled):
    done = await investigator(made).investigate(made.scope(), made.triage(labelled), "t")
    assert (done.proposal, done.reason, done.applicable) == (None, "not-infra", ())


async def test_an_infra_cause_without_an_action_is_no_runbook(made):
    memory = [lambda view: (made.finding(K.REDIS_MEMORY_FULL), made.finding())]
    done = await investigator(made, detectors=memory).investigate(made.scope(), made.triage(), "t")
    assert (done.proposal, done.reason) == (None, "no-runbook")


async def test_a_target_that_is_ambiguous_is_unresolved(made):
    sources = [
        StaticSource(
            "redis",
            EvidenceKind.REDIS,
            [made.evidence(EvidenceKind.REDIS, made.redis_state(addresses=("10.0.0.1:1", "10.0.0.2:1")))],
        )
    ]
    done = await investigator(made, sources).investigate(made.scope(), made.triage(), "t")
    assert (done.proposal, done.reason) == (None, "target-unresolved")
    assert "redis-failover" in done.applicable


async def test_state_that_cannot_be_read_names_no_target_and_raises_nothing(made):
    broken = made.evidence(EvidenceKind.KUBERNETES, {"items": [{"kind": "Pod"}, {"kind": "Pod", "metadata": {"name": 3}}]})
    crash = [lambda view: (made.finding(K.POD_CRASH_LOOP, "pod/a", namespace="voice"),)]
    labels = {"namespace": "voice", "pod": "a"}
    sources = [StaticSource("kubernetes", EvidenceKind.KUBERNETES, [broken])]
    done = await investigator(made, sources, crash).investigate(made.scope(labels), made.triage(), "t")
    assert (done.proposal, done.reason) == (None, "target-unresolved")


async def test_nothing_found_where_everything_was_seen_is_healthy(made):
    done = await investigator(made, detectors=[]).investigate(made.scope(), made.triage(), "t")
    assert (done.proposal, done.reason) == (None, "healthy")
    assert done.diagnosis.outcome.healthy
    assert done.diagnosis.summary.startswith("Nothing is wrong at redis_master cache now")
    resolved = await investigator(made, detectors=[]).investigate(made.scope(status=AlertStatus.RESOLVED), made.triage(), "t")
    assert resolved.reason == "healthy"


async def test_no_source_that_answers_is_not_enough_data(made):
    sources = [StaticSource("prometheus", EvidenceKind.METRICS, error=Transient("503")), StaticSource("x", EvidenceKind.LOGS)]
    done = await investigator(made, sources).investigate(made.scope(), made.triage(), "t")
    assert (done.proposal, done.reason) == (None, "not-enough-data")
    assert "Could not ask: prometheus (503)." in done.diagnosis.summary
    assert [e.status for e in done.diagnosis.evidence] == [EvidenceStatus.ERROR]


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), TypeError("x"), AttributeError("x"), ZeroDivisionError("x")])
async def test_a_detector_that_fails_is_named_and_stops_the_proposal_but_not_the_investigation(made, error):
    def broken(view):
        raise error

    done = await investigator(made, detectors=[broken, made.detect_slow]).investigate(made.scope(), made.triage(), "t")
    assert (done.proposal, done.reason) == (None, "not-enough-data")
    assert not done.diagnosis.outcome.enough_data
    assert done.diagnosis.root_causes[0].kind is K.REDIS_PRIMARY_SLOW
    assert f"detector could not read its evidence ({type(error).__name__})" in done.diagnosis.summary


async def test_a_finding_that_cites_evidence_nobody_gathered_is_dropped(made):
    invented = [lambda view: (made.finding(evidence=("e9",)), made.finding(evidence=()))]
    done = await investigator(made, detectors=invented).investigate(made.scope(), made.triage(), "t")
    assert done.diagnosis.findings == ()
    assert done.proposal is None
    assert "cited evidence that does not exist" in done.diagnosis.summary


async def test_secrets_of_the_incident_itself_never_reach_state_or_detectors(made):
    seen = []

    def look(view):
        seen.append(view.scope.model_dump_json())
        return ()

    scope = made.scope(annotations={"summary": "redis://default:hunter2@cache:6379 is slow, ask jane@example.com"})
    done = await investigator(made, detectors=[look]).investigate(scope, made.triage(), "t")
    assert not any(secret in json.dumps(seen) + done.model_dump_json() for secret in ("hunter2", "jane@"))


async def test_reexamine_looks_again_without_the_model_and_keeps_its_claims(made):
    sources = made.slow_redis_sources()
    built = investigator(made, sources)
    first = await built.investigate(made.scope(), made.triage(), "t")
    claims = {"claimed_class": {"value": "model"}, "veto": {"value": "no"}, "confidence_bp": {"value": 10}, "usage": {"calls": 3}}
    before = type(first.diagnosis).model_validate(
        {**first.diagnosis.model_dump(mode="json"), **claims, "findings": [], "root_causes": []}
    )
    again = await built.reexamine(made.scope(), before)
    assert [len(s.scopes) for s in sources] == [2, 2, 2]
    assert again.findings == first.diagnosis.findings
    assert again.root_causes == first.diagnosis.root_causes
    assert (again.claimed_class, again.veto, again.confidence_bp, again.usage) == (
        before.claimed_class,
        before.veto,
        before.confidence_bp,
        before.usage,
    )
