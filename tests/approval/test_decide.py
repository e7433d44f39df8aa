"""Whose yes counts, through the shipped policies."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sre_agent.approval.decide import Approvers
from sre_agent.approval.decide import answered as with_answer
from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.incident.errors import Conflict
from sre_agent.policy.decision import Verdict
from sre_agent.policy.load import load_bundle

NOW = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
PLAN = "a" * 64
# The shipped people: ana, ben and cleo are platform, dev is ai-eng.
APPROVERS = Approvers(load_bundle(Path(__file__).parents[2] / "policies"))


def asked(**more) -> ApprovalRequest:
    fields = {
        "id": "apr-1",
        "incident_id": "Q1",
        "plan_hash": PLAN,
        "required": 2,
        "team": "platform",
        "question": "fail over redis/cache?",
        "created_at": NOW - timedelta(minutes=1),
        "expires_at": NOW + timedelta(minutes=4),
    }
    return ApprovalRequest.model_validate({**fields, **more})


def yes(person: str, via: str = "cli") -> Answer:
    return Answer(person=person, approve=True, via=via, at=NOW)


def answered(request: ApprovalRequest, *answers: Answer) -> ApprovalRequest:
    for a in answers:
        request = with_answer(request, a, NOW)
    return request


def test_two_members_of_the_owning_team_grant_it() -> None:
    half = answered(asked(), yes("ana"))
    assert half.state is ApprovalState.PENDING
    assert answered(half, yes("ben")).state is ApprovalState.GRANTED


def test_one_person_through_two_doors_counts_once() -> None:
    with pytest.raises(Conflict, match="another person"):
        answered(asked(), yes("ana", "cli"), yes("ana", "slack"))
    smuggled = asked(answers=(yes("ana", "cli"), yes("ana", "slack")), state=ApprovalState.GRANTED)
    assert APPROVERS.count(smuggled, PLAN, NOW) == 1


REFUSED = {
    "a member of another team": (asked(), "dev", NOW, PLAN, "default-deny"),
    "somebody nobody knows": (asked(), "mallory", NOW, PLAN, "default-deny"),
    "nobody": (asked(), "", NOW, PLAN, "default-deny"),
    "a team that nobody is in": (asked(team=""), "ana", NOW, PLAN, "default-deny"),
    "the requester": (asked(requester="ana"), "ana", NOW, PLAN, "approve-not-requester"),
    "too late": (asked(), "ana", NOW + timedelta(minutes=4), PLAN, "approve-in-time"),
    "another plan": (asked(), "ana", NOW, "b" * 64, "approve-plan-unchanged"),
    "no plan": (asked(plan_hash=""), "ana", NOW, None, "approve-plan-unchanged"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_yes_does_not_count_from(why) -> None:
    request, person, now, plan, rule = REFUSED[why]
    decision = APPROVERS.eligible(request, person, now, plan)
    assert decision.verdict is Verdict.DENY
    assert decision.policy_ids == (rule,)
    assert decision.reasons
    counted = request.model_copy(update={"answers": (yes(person),)})
    assert APPROVERS.count(counted, plan or "", now) == 0


def test_the_requester_cannot_answer_at_all() -> None:
    with pytest.raises(Conflict, match="somebody else"):
        answered(asked(requester="ana"), yes("ana"))


def test_a_name_made_to_look_like_policy_text_is_only_a_name() -> None:
    for person in ('ana" || true || "', 'Sre::Person::"ana"', "ana\n", "ana\x00"):
        assert APPROVERS.eligible(asked(), person, NOW).verdict is Verdict.DENY


def test_one_no_is_final_and_voids_the_yes_before_it() -> None:
    no = Answer(person="ben", approve=False, via="slack", at=NOW, reason="peak hour")
    denied = answered(asked(), yes("ana"), no)
    assert denied.state is ApprovalState.DENIED
    assert APPROVERS.count(denied, PLAN, NOW) == 0
    with pytest.raises(Conflict, match="denied"):
        answered(denied, yes("cleo"))


def test_a_question_that_expired_is_a_denial_whatever_is_answered() -> None:
    late = NOW + timedelta(minutes=4)
    with pytest.raises(Conflict, match="expired"):
        with_answer(asked(), yes("ana"), late)
    granted = answered(asked(), yes("ana"), yes("ben"))
    assert APPROVERS.count(granted, PLAN, late) == 0


@pytest.mark.parametrize("state", [s for s in ApprovalState if s is not ApprovalState.PENDING])
def test_only_an_open_question_takes_answers(state) -> None:
    with pytest.raises(Conflict):
        answered(asked(state=state), yes("ana"))


@pytest.mark.parametrize("state", [ApprovalState.CONSUMED, ApprovalState.CANCELLED, ApprovalState.EXPIRED, ApprovalState.DENIED])
def test_a_closed_question_counts_for_nothing(state) -> None:
    assert APPROVERS.count(asked(state=state, answers=(yes("ana"), yes("ben"))), PLAN, NOW) == 0


def test_votes_are_counted_again_for_the_plan_as_it_is_now() -> None:
    granted = answered(asked(), yes("ana"), yes("ben"))
    assert APPROVERS.count(granted, PLAN, NOW) == 2
    assert APPROVERS.count(granted, "b" * 64, NOW) == 0
    assert APPROVERS.count(granted, "", NOW) == 0


def test_without_policies_nobody_may_approve() -> None:
    decision = Approvers(None).eligible(asked(), "ana", NOW)
    assert decision.verdict is Verdict.DENY
    assert decision.fault


def test_a_request_for_no_approvals_still_needs_one() -> None:
    assert asked(required=0).state is ApprovalState.PENDING
    assert answered(asked(required=0), yes("ana")).state is ApprovalState.GRANTED
