import json
from pathlib import Path

import pytest

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.target import Target
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.replay.case_file import MalformedCase
from sre_agent.replay.expectation import differences, expectation_of, outcome_of
from sre_agent.replay.result import FailedCase, result_of
from sre_agent.runbook.proposal import Proposal
from sre_agent.triage.triage import Triage

INCIDENTS = Path(__file__).parent.parent / "incidents"
KEYS = [
    "case",
    "labelled_class",
    "class",
    "owner",
    "receiver",
    "root_causes",
    "summary",
    "proposal",
    "verdict",
    "approvals_required",
    "policy_ids",
    "reasons",
    "would_execute",
    "note",
    "findings",
    "model",
    "duration_ms",
]
CAUSE = RootCause(kind=FindingKind.REDIS_PRIMARY_SLOW, object="redis/cache", score=0.93, evidence=("e2", "e5"))
FINDING = Finding(
    id="f1", kind=FindingKind.REDIS_PRIMARY_SLOW, object="redis/cache", cause="slow", strength=0.9, evidence=("e2",), refuted_by="x"
)
PROPOSAL = Proposal(
    incident_id="Q1", runbook="redis-failover", action="redis_failover", target=Target(kind="RedisMaster", name="cache", uid="abc")
)


def printed(decision, proposal=PROPOSAL, causes=(CAUSE,)):
    triage = Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.MODEL, owner="platform", receiver="pd-platform")
    diagnosis = Diagnosis(findings=(FINDING,), root_causes=causes, summary="why")
    return json.loads(result_of("c1", triage, diagnosis, proposal, decision, "a note").line())


def test_the_keys_come_in_the_documented_order_with_the_documented_shapes():
    line = printed(Decision(verdict=Verdict.NEEDS_APPROVAL, approvals_required=2, policy_ids=("p",), reasons=("r",)))
    assert list(line) == KEYS
    assert (line["labelled_class"], line["class"]) == ("infra", "model")
    assert list(line["root_causes"][0]) == ["kind", "object", "namespace", "score", "evidence"]
    assert list(line["proposal"]) == ["runbook", "action", "target", "parameters"]
    assert line["proposal"]["target"] == {"kind": "RedisMaster", "namespace": None, "name": "cache", "uid": "abc"}
    assert line["findings"] == [{"id": "f1", "kind": "redis_primary_slow", "object": "redis/cache", "evidence": ["e2"]}]
    assert list(line["model"]) == ["reasoner", "calls", "input_tokens", "output_tokens", "usd", "fallback"]
    assert line["duration_ms"] is None


@pytest.mark.parametrize(
    ("decision", "approvals", "executes", "policies"),
    [
        (Decision(verdict=Verdict.ALLOW, approvals_required=0, policy_ids=("g",)), 0, True, ["g"]),
        (Decision(verdict=Verdict.NEEDS_APPROVAL, approvals_required=2, policy_ids=("g",)), 2, False, ["g"]),
        (Decision(verdict=Verdict.DENY, approvals_required=1, policy_ids=("d",)), None, False, ["d"]),
        (Decision(verdict=Verdict.HAND_BACK, policy_ids=("no-runbook",)), None, False, ["no-runbook"]),
        (Decision(verdict=Verdict.NO_ACTION, policy_ids=("x",)), None, False, []),
    ],
)
def test_only_allow_executes_and_only_allow_and_needs_approval_count_approvals(decision, approvals, executes, policies):
    line = printed(decision, None)
    assert (line["approvals_required"], line["would_execute"], line["policy_ids"]) == (approvals, executes, policies)
    assert line["proposal"] is None


def test_at_most_five_causes_are_printed():
    assert len(printed(Decision(verdict=Verdict.ALLOW), causes=(CAUSE,) * 7)["root_causes"]) == 5


def test_a_failed_case_is_a_line_of_its_own():
    assert json.loads(FailedCase(case="x", error="why").line()) == {"case": "x", "error": "why"}


def test_differences_compare_what_is_expected_and_nothing_else():
    actual = {"a": 1, "b": {"c": [1, 2, 3], "d": None}, "e": []}
    assert list(differences({"a": 1, "b": {"c": [1, 2], "d": None}, "e": []}, actual)) == []
    assert list(differences({"a": 2, "b": {"c": [1, 9]}, "z": 0}, actual)) == [
        "a: 2 expected, 1 found",
        "b.c[1]: 9 expected, 2 found",
        "z: missing",
    ]
    assert list(differences({"b": {"c": []}}, actual)) == ["b.c: 0 expected, 3 found"]
    assert list(differences({"e": [1]}, actual)) == ["e: 1 expected, 0 found"]
    assert list(differences({"b": None}, actual)) == ["b: None expected, {'c': [1, 2, 3], 'd': None} found"]


def test_what_people_did_is_read_for_the_report_only(tmp_path):
    outcome = outcome_of(INCIDENTS / "redis-slow-primary")
    assert outcome is not None
    assert outcome.true_class is AlertClass.INFRA
    assert "40 sessions lost" in outcome.actions[0].what
    assert outcome_of(tmp_path) is None
    assert expectation_of(tmp_path) is None
    (tmp_path / "outcome.json").write_text('{"actions": [\n {"at": "now"}]}')
    with pytest.raises(MalformedCase, match=r"outcome\.json, line 2, field actions\[0\]\.at"):
        outcome_of(tmp_path)
