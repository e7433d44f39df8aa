"""The state machine, without any I/O: who acts first wins, silence is no, and nothing is left hanging."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.incident.event import EventKind
from sre_agent.incident.target import Target
from sre_agent.response import lifecycle
from sre_agent.response.conclude import verification_plan
from sre_agent.response.failed import on_failure
from sre_agent.response.record import IncidentRecord, JobKind, State, Step
from sre_agent.runbook.load import load_runbooks
from sre_agent.runbook.proposal import Proposal
from sre_agent.settings.shipped import shipped
from sre_agent.verification.verify import Recovery, Sample

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
FINAL = [s for s in State if s.final]
MOVES_THE_FINISHED = (EventKind.REOPENED, EventKind.ACKNOWLEDGED, EventKind.REQUESTED)


def record(state: State, **more: object) -> IncidentRecord:
    return IncidentRecord(id="Q1EXAMPLE", received_at=NOW, updated_at=NOW, state=state, **more)


def question(required: int = 2, state: ApprovalState = ApprovalState.PENDING, *people: str) -> ApprovalRequest:
    answers = tuple(Answer(person=p, approve=True, via="cli", at=NOW) for p in people)
    return ApprovalRequest(
        id="apr_1",
        incident_id="Q1EXAMPLE",
        plan_hash="h",
        required=required,
        team="platform",
        question="?",
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
        state=state,
        answers=answers,
    )


def kinds(step: Step | None) -> list[JobKind]:
    return [j.kind for j in step.jobs] if step else []


@pytest.mark.parametrize("kind", [EventKind.RESOLVED, EventKind.REASSIGNED, EventKind.DELEGATED, EventKind.SNOOZED])
@pytest.mark.parametrize("state", [State.RECEIVED, State.INVESTIGATING, State.AWAITING_APPROVAL])
def test_a_person_who_moves_first_cancels_the_plan(kind: EventKind, state: State) -> None:
    step = lifecycle.on_event(record(state), kind, NOW)
    assert step is not None
    assert step.to is State.CANCELLED
    assert step.changes["reason"]
    assert kinds(step) == [JobKind.PUBLISH]


def test_a_withdrawal_during_execution_leaves_the_state_to_the_hands_but_sets_the_reason() -> None:
    step = lifecycle.on_event(record(State.EXECUTING), EventKind.RESOLVED, NOW)
    assert step is not None
    assert step.to is State.EXECUTING
    assert step.changes["reason"] == "the incident was resolved"


def test_acknowledged_by_a_person_is_remembered_and_changes_no_state() -> None:
    step = lifecycle.on_event(record(State.INVESTIGATING), EventKind.ACKNOWLEDGED, NOW)
    assert step is not None
    assert step.to is State.INVESTIGATING
    assert step.changes["human_acknowledged"] is True
    assert lifecycle.on_event(record(State.INVESTIGATING, human_acknowledged=True), EventKind.ACKNOWLEDGED, NOW) is None


def test_an_acknowledgement_that_overtook_the_trigger_is_remembered_while_the_investigation_starts() -> None:
    step = lifecycle.on_event(record(State.RECEIVED), EventKind.ACKNOWLEDGED, NOW)
    assert step is not None
    assert (step.to, step.changes["human_acknowledged"], kinds(step)) == (State.INVESTIGATING, True, [JobKind.INVESTIGATE])


def test_an_event_of_an_unknown_kind_starts_nothing() -> None:
    assert lifecycle.on_event(record(State.RECEIVED), EventKind.OTHER, NOW) is None


@pytest.mark.parametrize("state", FINAL)
def test_a_reopened_incident_starts_a_new_round_with_a_clean_plan(state: State) -> None:
    step = lifecycle.on_event(record(state, human_acknowledged=True, approvers=("ana",)), EventKind.REOPENED, NOW)
    assert step is not None
    assert step.to is State.INVESTIGATING
    assert (step.changes["round"], step.changes["approvers"], step.changes["human_acknowledged"]) == (2, (), False)
    assert kinds(step) == [JobKind.INVESTIGATE]


@pytest.mark.parametrize("state", FINAL)
@pytest.mark.parametrize("kind", [k for k in EventKind if k not in MOVES_THE_FINISHED])
def test_a_finished_incident_is_moved_by_nothing_else(state: State, kind: EventKind) -> None:
    step = lifecycle.on_event(record(state), kind, NOW)
    # That a handed-back incident is over is told, once: it moves nothing.
    told = (state, kind) == (State.HANDED_BACK, EventKind.RESOLVED)
    assert (step is not None) is told
    assert step is None or step.to is state


def test_the_first_of_two_approvals_waits_and_the_second_starts_and_spends_it() -> None:
    waiting = record(State.AWAITING_APPROVAL, approval_id="apr_1")
    first = lifecycle.on_answer(waiting, question(2, ApprovalState.PENDING, "ana"), NOW)
    assert first is not None
    assert first.to is State.AWAITING_APPROVAL
    second = lifecycle.on_answer(waiting, question(2, ApprovalState.GRANTED, "ana", "ben"), NOW)
    assert second is not None
    assert second.to is State.EXECUTING
    assert second.changes["approvers"] == ("ana", "ben")
    assert kinds(second) == [JobKind.EXECUTE, JobKind.ANNOUNCE, JobKind.PUBLISH]
    assert second.approval is not None
    assert second.approval.state is ApprovalState.CONSUMED


def test_an_answer_to_another_question_or_in_another_state_changes_nothing() -> None:
    granted = question(1, ApprovalState.GRANTED, "ana")
    assert lifecycle.on_answer(record(State.AWAITING_APPROVAL, approval_id="apr_2"), granted, NOW) is None
    for state in State:
        if state is not State.AWAITING_APPROVAL:
            assert lifecycle.on_answer(record(state, approval_id="apr_1"), granted, NOW) is None


def test_a_denial_hands_back_with_the_reason() -> None:
    no = question(2, ApprovalState.DENIED).model_copy(
        update={"answers": (Answer(person="ben", approve=False, via="cli", at=NOW, reason="deploy running"),)}
    )
    step = lifecycle.on_answer(record(State.AWAITING_APPROVAL, approval_id="apr_1"), no, NOW)
    assert step is not None
    assert step.to is State.HANDED_BACK
    assert "ben" in step.changes["reason"]
    assert "deploy running" in step.changes["reason"]


def test_silence_is_no_and_a_late_timer_changes_nothing() -> None:
    waiting = record(State.AWAITING_APPROVAL, approval_id="apr_1")
    step = lifecycle.on_expiry(waiting, question(), NOW)
    assert step is not None
    assert step.to is State.HANDED_BACK
    assert step.approval is not None
    assert step.approval.state is ApprovalState.EXPIRED
    assert lifecycle.on_expiry(waiting, question(state=ApprovalState.GRANTED), NOW) is None
    assert lifecycle.on_expiry(record(State.EXECUTING, approval_id="apr_1"), question(), NOW) is None


def test_every_verification_ends_in_recovered_or_with_people_and_undecided_looks_again() -> None:
    verifying = record(State.VERIFYING)
    sample = Sample(at=NOW, detail="x")
    ends = {v: lifecycle.on_sample(verifying, sample, v, NOW) for v in Recovery}
    assert ends[Recovery.RECOVERED].to is State.RECOVERED
    assert ends[Recovery.NOT_RECOVERED].to is State.HANDED_BACK
    assert ends[Recovery.UNKNOWN].to is State.HANDED_BACK
    again = ends[Recovery.UNDECIDED]
    assert again.to is State.VERIFYING
    assert kinds(again) == [JobKind.VERIFY]
    assert again.jobs[0].at is not None
    assert again.jobs[0].at > NOW


def test_every_step_that_moves_the_state_is_told_on_the_timeline_and_in_the_audit() -> None:
    step = lifecycle.begun(record(State.RECEIVED), NOW)
    assert [e.kind for e in step.changes["timeline"]] == [e.kind for e in step.audit] == ["investigation_started"]


@pytest.mark.parametrize(("state", "tried"), [(State.AWAITING_APPROVAL, ()), (State.EXECUTING, ("restart_pod",))])
def test_an_execution_that_was_given_up_counts_as_tried(state: State, tried: tuple[str, ...]) -> None:
    target = Target(kind="Pod", name="api-1", uid="u")
    plan = Proposal(incident_id="Q1EXAMPLE", runbook="restart-pod", action="restart_pod", target=target)
    step = on_failure(record(state, proposal=plan), "the job failed", NOW)
    assert step.changes.get("tried_in_vain", ()) == tried


def test_what_could_not_be_told_is_tried_again_for_a_day_ever_less_often_and_then_given_up_audibly() -> None:
    told, at, tries = record(State.HANDED_BACK), NOW, []
    while True:
        step = on_failure(told, "HTTP 401", at, JobKind.PUBLISH)
        assert step.to is State.HANDED_BACK
        told = told.model_copy(update={k: v for k, v in step.changes.items() if k == "timeline"})
        if not step.jobs:
            break
        tries.append(step.jobs[0].at - at)
        at = step.jobs[0].at
    assert [e.kind for e in told.timeline] == ["follow_up_failed", "follow_up_given_up"]
    assert tries == sorted(tries)
    assert (tries[0], tries[-1]) == (timedelta(minutes=1), timedelta(hours=1))
    assert timedelta(hours=22) < at - NOW <= timedelta(hours=24)


def test_a_new_failure_to_tell_days_later_has_a_day_of_its_own() -> None:
    first = on_failure(record(State.RECOVERED), "HTTP 403", NOW, JobKind.PUBLISH)
    later = record(State.RECOVERED, timeline=first.changes["timeline"])
    again = on_failure(later, "HTTP 403", NOW + timedelta(days=3), JobKind.PUBLISH)
    assert again.jobs[0].at == NOW + timedelta(days=3, minutes=1)


@pytest.mark.parametrize(("soak_s", "interval_s"), [(1, 1.0), (8, 8 / 6), (60, 10.0), (300, 10.0), (600, 20.0), (3600, 120.0)])
def test_a_soak_sees_at_least_six_looks_and_a_long_one_thirty(soak_s: int, interval_s: float) -> None:
    runbook = load_runbooks(shipped("runbooks"))[0].model_copy(update={"soak_s": soak_s})
    assert verification_plan(record(State.EXECUTING), runbook, NOW).interval_s == pytest.approx(interval_s)


@pytest.mark.parametrize("state", [s for s in State if not s.final])
def test_a_question_that_could_not_be_shown_keeps_its_incident_where_it_is_and_is_told_once(state: State) -> None:
    waiting = record(state, approval_id="apr_1")
    step = on_failure(waiting, "announce failed for good: channel_not_found", NOW, JobKind.ANNOUNCE)
    assert (step.to, kinds(step), "tried_in_vain" in step.changes) == (state, [JobKind.PUBLISH], False)
    assert "answer with `sre-agent approvals approve apr_1`" in step.changes["timeline"][-1].text
    told = waiting.model_copy(update={"timeline": step.changes["timeline"]})
    again = on_failure(told, "announce failed for good: invalid_auth", NOW, JobKind.ANNOUNCE)
    assert (again.to, again.changes, again.jobs) == (state, {}, ())
    other = told.model_copy(update={"approval_id": "apr_11"})
    assert lifecycle.untold(other, "invalid_auth", NOW) is not None


def test_where_there_is_a_page_a_question_that_could_not_be_shown_names_it() -> None:
    step = lifecycle.untold(record(State.AWAITING_APPROVAL, approval_id="apr_1"), "invalid_auth", NOW, "https://sre.example/i/1")
    assert step is not None
    text = step.changes["timeline"][-1].text
    assert text == (
        "Slack could not be told: invalid_auth; answer at https://sre.example/i/1 or with `sre-agent approvals approve apr_1`"
    )


def test_a_remark_is_made_once_and_moves_nothing() -> None:
    known = record(State.AWAITING_APPROVAL)
    step = lifecycle.remark(known, "approvers_asked_in", "P1 was asked in", NOW)
    assert step is not None
    assert (step.to, kinds(step)) == (State.AWAITING_APPROVAL, [JobKind.PUBLISH])
    told = known.model_copy(update={"timeline": step.changes["timeline"]})
    assert lifecycle.remark(told, "approvers_asked_in", "P1 was asked in", NOW) is None


def test_a_finished_incident_whose_end_could_not_be_shown_tries_again_for_a_day() -> None:
    step = on_failure(record(State.HANDED_BACK, approval_id="apr_1"), "invalid_auth", NOW, JobKind.ANNOUNCE)
    assert (step.to, kinds(step)) == (State.HANDED_BACK, [JobKind.ANNOUNCE])
