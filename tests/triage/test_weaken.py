"""Evidence can only weaken the class a label claims."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.evidence.diagnosis import Claim, Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.incident.alert import AlertClass
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.triage import Triage
from sre_agent.triage.weaken import weaken

OWNERSHIP = Ownership(prompt_owners={"intent-router": "dana"}, tool_owners={"crm": "Sales systems"})
INFRA = Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd-platform")
UNTAGGED = Triage(
    labelled=AlertClass.UNKNOWN, alert_class=AlertClass.UNKNOWN, owner="default", receiver="default", flags=("untagged",)
)


def finding(kind: FindingKind, obj: str, strength: float = 0.9) -> Finding:
    return Finding(id=f"f-{kind.value}", kind=kind, object=obj, cause=f"{kind.value} seen", strength=strength, evidence=("e1",))


REDIS = finding(FindingKind.REDIS_PRIMARY_SLOW, "redis/cache")
PROMPT = finding(FindingKind.PROMPT_REGRESSION, "prompt/intent-router", 0.8)
CHANGED = finding(FindingKind.PROMPT_CHANGED, "prompt/intent-router", 0.4)
TOOL = finding(FindingKind.TOOL_RATE_LIMITED, "tool/crm", 0.7)
DEPLOY = finding(FindingKind.DEPLOYED_BEFORE_ONSET, "deployment/api", 0.95)
SHIFT = finding(FindingKind.METRIC_SHIFTED, "service/api", 0.95)


def diagnosis(*findings: Finding, **more) -> Diagnosis:
    causes = tuple(RootCause(kind=f.kind, object=f.object, namespace=None, score=f.strength, evidence=f.evidence) for f in findings)
    return Diagnosis(findings=findings, root_causes=causes, **more)


@pytest.mark.parametrize(
    "found",
    [
        (PROMPT,),
        (CHANGED,),
        (PROMPT, REDIS),
        (DEPLOY, CHANGED),
        (SHIFT, CHANGED),
        (REDIS.model_copy(update={"strength": 0.3}), CHANGED),
    ],
)
def test_infra_with_a_prompt_change_and_no_explaining_fault_becomes_model(found):
    result = weaken(INFRA, diagnosis(*found), OWNERSHIP)
    assert (result.labelled, result.alert_class) == (AlertClass.INFRA, AlertClass.MODEL)
    assert (result.owner, result.receiver) == ("dana", "pd-ai-eng")
    assert "weakened" in result.flags
    assert any("labelled infra" in reason for reason in result.reasons)


def test_a_model_change_without_a_prompt_goes_to_the_ai_engineers():
    result = weaken(INFRA, diagnosis(finding(FindingKind.MODEL_CHANGED, "app/voice")), OWNERSHIP)
    assert (result.alert_class, result.owner) == (AlertClass.MODEL, "ai-eng")


def test_infra_stays_infra_when_a_fault_explains_it_and_the_change_is_mentioned():
    result = weaken(INFRA, diagnosis(REDIS, CHANGED), OWNERSHIP)
    assert (result.alert_class, result.owner) == (AlertClass.INFRA, "platform")
    assert any("prompt_changed" in reason for reason in result.reasons)


@pytest.mark.parametrize("kind", [EvidenceKind.TEXT, EvidenceKind.LOGS, EvidenceKind.ALERT, EvidenceKind.TOPOLOGY])
def test_words_alone_never_stand_for_infrastructure_against_a_prompt_change(kind):
    at = datetime(2026, 3, 4, tzinfo=UTC)
    told = Evidence(id="e1", source="s", kind=kind, query="", status=EvidenceStatus.OK, observed_at=at)
    said = weaken(INFRA, diagnosis(REDIS, CHANGED, evidence=(told,)), OWNERSHIP)
    assert said.alert_class is AlertClass.MODEL
    measured = told.model_copy(update={"kind": EvidenceKind.REDIS})
    assert weaken(INFRA, diagnosis(REDIS, CHANGED, evidence=(measured,)), OWNERSHIP).alert_class is AlertClass.INFRA


def test_a_fault_that_is_not_among_the_causes_explains_nothing_however_weak_the_change_is():
    five = tuple(finding(FindingKind.METRIC_SHIFTED, f"app/{n}") for n in range(5))
    first = diagnosis(*five)
    outside = first.model_copy(update={"findings": (*five, REDIS, CHANGED)})
    assert weaken(INFRA, outside, OWNERSHIP).alert_class is AlertClass.MODEL


def test_infra_with_nothing_but_a_failing_tool_becomes_tool():
    result = weaken(INFRA, diagnosis(TOOL), OWNERSHIP)
    assert (result.alert_class, result.owner, result.receiver) == (AlertClass.TOOL, "crm", "pd-integration-owners")


@pytest.mark.parametrize("found", [(), (REDIS,), (DEPLOY,), (SHIFT,)])
def test_infra_without_contrary_evidence_is_unchanged(found):
    assert weaken(INFRA, diagnosis(*found), OWNERSHIP) == INFRA


def test_what_was_weakened_once_is_not_given_back():
    weaker = weaken(INFRA, diagnosis(CHANGED), OWNERSHIP)
    assert weaken(weaker, diagnosis(REDIS), OWNERSHIP).alert_class is AlertClass.MODEL


@pytest.mark.parametrize(
    ("found", "owner", "receiver"),
    [
        (REDIS, "platform", "pd-platform"),
        (PROMPT, "dana", "pd-ai-eng"),
        (TOOL, "crm", "pd-integration-owners"),
        (SHIFT, "default", "default"),
    ],
)
def test_an_untagged_symptom_is_routed_by_the_finding_and_stays_unknown(found, owner, receiver):
    result = weaken(UNTAGGED, diagnosis(found), OWNERSHIP)
    assert (result.alert_class, result.owner, result.receiver) == (AlertClass.UNKNOWN, owner, receiver)


def test_a_malformed_label_stays_with_the_default_receiver():
    malformed = UNTAGGED.model_copy(update={"flags": ("malformed",)})
    assert weaken(malformed, diagnosis(REDIS), OWNERSHIP) == malformed


def test_a_model_alert_goes_to_the_owner_of_the_prompt_that_was_found():
    model = Triage(labelled=AlertClass.MODEL, alert_class=AlertClass.MODEL, owner="ai-eng", receiver="pd-ai-eng")
    assert weaken(model, diagnosis(REDIS, PROMPT), OWNERSHIP).owner == "dana"
    assert weaken(model, diagnosis(REDIS), OWNERSHIP) == model


def test_a_model_that_disagrees_is_noted_and_changes_no_class():
    result = weaken(INFRA, diagnosis(REDIS, claimed_class=Claim[AlertClass](value=AlertClass.MODEL)), OWNERSHIP)
    assert result.alert_class is AlertClass.INFRA
    assert any("the model takes it for model" in reason for reason in result.reasons)


FINDINGS = st.builds(
    finding,
    st.sampled_from(FindingKind),
    st.sampled_from(["redis/cache", "prompt/intent-router", "tool/crm", "app/x", "odd"]),
    st.floats(0.0, 1.0),
)
TRIAGES = st.builds(
    Triage,
    labelled=st.sampled_from(AlertClass),
    alert_class=st.sampled_from(AlertClass),
    owner=st.sampled_from(["platform", "ai-eng", "default", "crm"]),
    receiver=st.sampled_from(["pd-platform", "pd-ai-eng", "default"]),
    flags=st.lists(st.sampled_from(["untagged", "malformed", "labels_unknown"]), unique=True).map(tuple),
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(TRIAGES, st.lists(FINDINGS, max_size=4), st.none() | st.sampled_from(AlertClass))
def test_no_evidence_and_no_claim_ever_makes_an_incident_infra(before, found, claim):
    claimed = None if claim is None else Claim[AlertClass](value=claim)
    after = weaken(before, diagnosis(*found, claimed_class=claimed), OWNERSHIP)
    assert after.labelled is before.labelled
    if after.alert_class is AlertClass.INFRA:
        assert before.labelled is AlertClass.INFRA
        assert before.alert_class is AlertClass.INFRA
    assert set(before.flags) <= set(after.flags)
    assert set(before.reasons) <= set(after.reasons)
