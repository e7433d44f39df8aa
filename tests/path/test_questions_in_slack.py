"""The whole life of a question in Slack, over real HTTP: one message, changed in place, whatever Slack does."""

import json
from dataclasses import replace
from typing import Any

import pytest

from sre_agent.adapters.slack.board import SlackBoard
from sre_agent.execution.action import Outcome
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.event import EventKind
from sre_agent.response.record import State, Step
from sre_agent.testing.pagerduty_faults import Drop, Fault
from sre_agent.testing.rooms import ScriptedAction
from sre_agent.testing.slack import rate_limited, refuses
from sre_agent.testing.walkthrough import Walkthrough
from sre_agent.verification.probe import Probes
from tests.path.scenes import ID, Level, RecordedRedis, incident, night, primary_view, redis_state
from tests.path.slack_scene import buttons, headers, kinds, messages

WELL = Probes(metrics=Level(0.01), redis=RecordedRedis(redis_state(primary_view(run_id="new-run-id"))))


async def asked(board: SlackBoard, **more: Any) -> Walkthrough:
    """A walk in which two people are asked about a failover."""
    walk = night(board=board, **more)
    await walk.hear(incident(), EventKind.TRIGGERED)
    return walk


async def test_a_question_is_posted_once_and_changed_in_place_until_the_incident_has_recovered(slack, board) -> None:
    walk = await asked(board)
    assert (headers(slack), buttons(messages(slack)[0])) == (
        ["Approve redis failover: cache?"], ["sre_approve", "sre_deny", "sre_details"],
    )  # fmt: skip
    await walk.answer(ID, "ana")
    assert headers(slack) == ["1 of 2 approved: redis failover: cache?"]
    assert buttons(messages(slack)[0]) != []
    walk.follow_up = replace(walk.follow_up, probes=WELL)
    await walk.answer(ID, "ben")
    assert (headers(slack), buttons(messages(slack)[0])) == (["Done, being verified: redis failover: cache"], [])
    walk.tracker.put(incident(firing=False))
    await walk.pass_time(60)
    told = json.dumps(messages(slack)[0])
    assert headers(slack) == ["Recovered: redis failover: cache"]
    assert "0.6 before, 0.01 at the last look (seconds)" in told
    assert "blocked_s 1.5" in told
    assert slack.calls("chat.postMessage") == 1
    assert walk.given_up == []


async def test_the_places_hold_no_more_than_the_store_remembers_so_another_worker_goes_on(slack, board) -> None:
    walk = await asked(board)
    known = (await walk.record(ID)).announced
    assert (known.channel, known.message, known.digest) == ("C0INC", messages(slack)[0]["ts"], "")


@pytest.mark.parametrize("fault", [rate_limited("chat.postMessage"), Fault(path="chat.postMessage", status=503)])
async def test_while_slack_is_busy_or_broken_the_question_waits_and_is_then_posted_once(slack, board, fault) -> None:
    slack.faults.add(fault)
    walk = await asked(board)
    assert headers(slack) == ["Approve redis failover: cache?"]
    assert len(walk.given_up) == 1
    assert (await walk.record(ID)).state is State.AWAITING_APPROVAL
    assert "question_untold" not in await kinds(walk)


@pytest.mark.parametrize("when", list(Drop))
async def test_a_connection_that_breaks_while_posting_leaves_one_message(slack, board, when) -> None:
    slack.faults.add(Fault(path="chat.postMessage", drop=when))
    walk = await asked(board)
    assert headers(slack) == ["Approve redis failover: cache?"]
    await walk.answer(ID, "ana")
    assert headers(slack) == ["1 of 2 approved: redis failover: cache?"]
    assert len(walk.given_up) == (1 if when is Drop.BEFORE else 0)


async def test_a_worker_that_died_right_after_posting_leaves_one_message(slack, board) -> None:
    walk = await asked(board)
    record = await walk.record(ID)
    begun = record.announced.model_copy(update={"channel": "", "message": ""})
    await walk.responder.walk.advance(ID, lambda r: Step(to=r.state, changes={"announced": begun}))
    await walk.answer(ID, "ana")
    assert headers(slack) == ["1 of 2 approved: redis failover: cache?"]
    assert (await walk.record(ID)).announced == record.announced


@pytest.mark.parametrize("word", ["channel_not_found", "invalid_auth", "not_in_channel", "is_archived", "missing_scope"])
async def test_a_channel_that_cannot_be_had_falls_back_to_the_note_and_the_command_line(slack, board, word) -> None:
    slack.faults.add(refuses("chat.postMessage", word, times=99))
    walk = await asked(board)
    record = await walk.record(ID)
    assert (record.state, messages(slack)) == (State.AWAITING_APPROVAL, [])
    (told,) = [e.text for e in record.timeline if e.kind == "question_untold"]
    assert word in told
    assert f"sre-agent approvals approve {record.approval_id}" in told
    (note,) = walk.tracker.notes[ID]
    assert "Slack could not be told" in note
    await walk.answer(ID, "ana")
    assert (await kinds(walk)).count("question_untold") == 1
    await walk.answer(ID, "ben")
    assert walk.action.effects == 1
    assert (await walk.record(ID)).state is State.VERIFYING


async def test_where_there_is_a_page_people_are_sent_there(slack, board) -> None:
    slack.faults.add(refuses("chat.postMessage", "channel_not_found", times=99))
    walk = night(board=board)
    walk.announcer = replace(walk.announcer, public_url="https://sre.example")
    await walk.hear(incident(), EventKind.TRIGGERED)
    (told,) = [e.text for e in (await walk.record(ID)).timeline if e.kind == "question_untold"]
    assert f"answer at https://sre.example/incidents/{ID} or with" in told
    assert walk.given_up == []


async def test_a_question_that_was_never_shown_still_expires(slack, board) -> None:
    slack.faults.add(refuses("chat.postMessage", "channel_not_found", times=99))
    walk = await asked(board)
    await walk.pass_time(301)
    record = await walk.record(ID)
    assert (record.state, record.reason, messages(slack)) == (State.HANDED_BACK, "nobody approved in time", [])


async def test_an_end_that_cannot_be_shown_is_tried_again_and_the_incident_keeps_it(slack, board) -> None:
    walk = await asked(board)
    slack.faults.add(refuses("chat.update", "invalid_auth", times=3))
    await walk.answer(ID, "ana", approve=False)
    assert (await walk.record(ID)).state is State.HANDED_BACK
    assert headers(slack) == ["Approve redis failover: cache?"]
    await walk.pass_time(600, step=30.0)
    assert headers(slack) == ["Denied: redis failover: cache"]


async def test_silence_is_shown_as_expired(slack, board) -> None:
    walk = await asked(board)
    await walk.pass_time(301)
    assert (headers(slack), buttons(messages(slack)[0])) == (["Expired: redis failover: cache"], [])
    assert "nobody approved in time" in messages(slack)[0]["text"]


async def test_a_no_is_shown_with_who_said_it_and_why(slack, board) -> None:
    walk = await asked(board)
    await walk.answer(ID, "ben", approve=False)
    assert (headers(slack), buttons(messages(slack)[0])) == (["Denied: redis failover: cache"], [])
    assert "No from Ben Example" in json.dumps(messages(slack)[0])
    assert "denied by ben" in messages(slack)[0]["text"]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (EventKind.RESOLVED, "the incident was resolved"),
        (EventKind.REASSIGNED, "a person reassigned the incident"),
        (EventKind.SNOOZED, "a person snoozed the incident"),
    ],
)
async def test_a_withdrawn_question_says_why(slack, board, kind, why) -> None:
    walk = await asked(board)
    await walk.hear(incident(), kind)
    assert (headers(slack), buttons(messages(slack)[0])) == (["Withdrawn: redis failover: cache"], [])
    assert why in messages(slack)[0]["text"]


@pytest.mark.parametrize(
    ("state", "header"),
    [
        (IntentState.FAILED, "Failed: redis failover: cache"),
        (IntentState.UNKNOWN, "Unknown outcome: redis failover: cache"),
        (IntentState.NOT_DONE, "Not done: redis failover: cache"),
    ],
)
async def test_how_an_action_ended_is_shown(slack, board, state, header) -> None:
    walk = await asked(board, action=ScriptedAction(outcome=Outcome(state, "the replica did not catch up")))
    await walk.answer(ID, "ana")
    await walk.answer(ID, "ben")
    assert headers(slack) == [header]
    assert "the replica did not catch up" in messages(slack)[0]["text"]


async def test_an_action_that_did_not_help_says_so_with_what_was_measured(slack, board) -> None:
    walk = await asked(board)
    await walk.answer(ID, "ana")
    await walk.answer(ID, "ben")
    await walk.pass_time(120)
    assert headers(slack) == ["Done, but not recovered: redis failover: cache"]
    assert "0.6 before, 0.6 at the last look" in json.dumps(messages(slack)[0])


async def test_a_reopened_incident_gets_a_new_message_and_the_old_one_says_so(slack, board) -> None:
    walk = await asked(board)
    await walk.answer(ID, "ben", approve=False)
    await walk.hear(incident(), EventKind.REOPENED)
    old, new = messages(slack)
    assert headers(slack)[0].startswith("Superseded by a newer question: redis_failover on RedisMaster")
    assert "denied by ben" in json.dumps(old)
    assert (buttons(old), len(buttons(new)), headers(slack)[1]) == ([], 3, "Approve redis failover: cache?")
    await walk.answer(ID, "ana")
    assert slack.calls("chat.postMessage") == 2
    assert headers(slack)[1] == "1 of 2 approved: redis failover: cache?"


async def test_an_old_message_that_cannot_be_changed_keeps_no_new_question_back(slack, board) -> None:
    walk = await asked(board)
    await walk.answer(ID, "ben", approve=False)
    slack.faults.add(refuses("chat.update", "edit_window_closed"))
    await walk.hear(incident(), EventKind.REOPENED)
    assert headers(slack)[1] == "Approve redis failover: cache?"
    assert "question_not_superseded" in await kinds(walk)


async def test_a_message_that_somebody_deleted_is_posted_again_while_the_question_is_open(slack, board) -> None:
    walk = await asked(board)
    messages(slack).clear()
    await walk.answer(ID, "ana")
    assert headers(slack) == ["1 of 2 approved: redis failover: cache?"]
    assert (await walk.record(ID)).announced.message == messages(slack)[0]["ts"]
    messages(slack).clear()
    await walk.answer(ID, "ben", approve=False)
    assert messages(slack) == []


async def test_a_question_answered_before_it_could_be_shown_is_not_shown_at_all(slack, board) -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    walk.announcer = replace(walk.announcer, board=board)
    await walk.answer(ID, "ana", approve=False)
    assert messages(slack) == []
