"""What became of a question, from the timeline: each answers for its own plan, and for nothing after."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.asking.became import became
from sre_agent.handback.board import Standing
from sre_agent.incident.timeline import TimelineEntry

AT = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


def asked(state: ApprovalState = ApprovalState.PENDING, minute: int = 1) -> ApprovalRequest:
    at = AT + timedelta(minutes=minute)
    return ApprovalRequest(
        id="apr_1", incident_id="Q", plan_hash="h", required=1, team="t", question="?", created_at=at, expires_at=at, state=state
    )


def line(*kinds: str) -> tuple[TimelineEntry, ...]:
    """One entry a minute; its text is its kind and its minute."""
    return tuple(TimelineEntry(at=AT + timedelta(minutes=n), kind=k, text=f"{k} {n}") for n, k in enumerate(kinds))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), (Standing.WAITING, "")),
        (("approval_given",), (Standing.WAITING, "approval_given 2")),
        (("execution_started",), (Standing.EXECUTING, "execution_started 2")),
        (("execution_started", "plan_withdrawn"), (Standing.EXECUTING, "execution_started 2")),
        (("execution_started", "plan_withdrawn", "action_not_done"), (Standing.NOT_DONE, "action_not_done 4")),
        (("execution_started", "action_executed", "recovery_verified"), (Standing.RECOVERED, "recovery_verified 4")),
        (("approval_denied", "incident_assigned", "follow_up_failed"), (Standing.DENIED, "approval_denied 2")),
        (("approval_expired", "incident_reopened", "recovery_verified"), (Standing.EXPIRED, "approval_expired 2")),
        (("execution_started", "approval_requested", "recovery_verified"), (Standing.EXECUTING, "execution_started 2")),
        (("plan_withdrawn",), (Standing.WITHDRAWN, "plan_withdrawn 2")),
        (("walk_failed",), (Standing.HANDED_BACK, "walk_failed 2")),
    ],
)
def test_the_last_word_before_the_next_question_counts(kinds: tuple[str, ...], expected: tuple[Standing, str]) -> None:
    assert became(line("investigation_started", "approval_requested", *kinds), asked()) == expected


def test_a_later_question_of_the_same_incident_is_not_told_what_became_of_the_earlier() -> None:
    timeline = line("approval_requested", "approval_expired", "incident_reopened", "approval_requested")
    assert became(timeline, asked(minute=3)) == (Standing.WAITING, "")


def test_two_questions_of_the_same_instant_are_told_apart_by_their_ids() -> None:
    timeline = tuple(
        TimelineEntry(at=AT + timedelta(minutes=1), kind=k, text=t)
        for k, t in (
            ("approval_requested", "asked (apr_11)"),
            ("approval_expired", "late"),
            ("approval_requested", "asked (apr_1)"),
        )
    )
    assert became(timeline, asked()) == (Standing.WAITING, "")
    assert became(timeline, asked().model_copy(update={"id": "apr_11"})) == (Standing.EXPIRED, "late")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ApprovalState.GRANTED, Standing.APPROVED),
        (ApprovalState.DENIED, Standing.DENIED),
        (ApprovalState.EXPIRED, Standing.EXPIRED),
        (ApprovalState.CANCELLED, Standing.WITHDRAWN),
    ],
)
def test_an_answer_that_the_walk_has_not_taken_up_yet_already_counts(state: ApprovalState, expected: Standing) -> None:
    assert became(line("investigation_started", "approval_requested"), asked(state))[0] is expected
