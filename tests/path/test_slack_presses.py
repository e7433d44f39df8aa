"""Approval by press: two people can, and nobody else, whatever they send. 0 answers and 0 effects from any refused press."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from sre_agent.asking.pressers import Narrowing
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import IncidentStatus
from sre_agent.response.record import State
from sre_agent.testing.pagerduty_faults import Fault
from sre_agent.testing.slack_press import pressed, sign
from tests.path.scenes import ID, incident, night
from tests.path.slack_stage import ANA, BEN, CLEO, DEV, STRANGER, nothing_came_of_it, slack_stage


async def test_two_people_approve_and_the_plan_is_carried_out_once():
    async with slack_stage() as stage:
        value = await stage.ask()
        first = await stage.press(ANA, value)
        assert (first.status_code, first.content) == (200, b"")
        assert ((await stage.walk.record(ID)).state, stage.walk.action.effects) == (State.AWAITING_APPROVAL, 0)
        await stage.press(BEN, value)
        record = await stage.walk.record(ID)
        assert (record.state, record.approvers, stage.walk.action.effects) == (State.VERIFYING, ("ana", "ben"), 1)
        assert "1 of 2" in stage.slack.whispered(ANA)[0]
        assert "judged once more" in stage.slack.whispered(BEN)[0]
        answers = [r.entry for r in await stage.walk.store.audit(ID) if r.entry.kind == "approval_answered"]
        assert [(a.actor, a.detail["via"]) for a in answers] == [("ana", "slack"), ("ben", "slack")]


async def test_one_person_who_presses_twice_counts_once():
    async with slack_stage() as stage:
        value = await stage.ask()
        await stage.press(ANA, value)
        await stage.press(ANA, value)
        assert (await stage.answers(), stage.walk.action.effects) == (1, 0)
        assert [r.entry.detail["rule"] for r in await stage.refused()] == ["press-not-taken"]
        assert "has answered" in stage.slack.whispered(ANA)[1]


async def test_two_presses_of_one_person_at_the_same_time_count_once():
    async with slack_stage() as stage:
        value = await stage.ask()
        await asyncio.gather(*(stage.send(stage.signed(ANA, "sre_approve", value)) for _ in range(8)))
        await stage.walk.settle()
        assert (await stage.answers(), stage.walk.action.effects) == (1, 0)
        assert len(await stage.refused()) == 7


async def test_a_yes_and_a_no_at_the_same_time_never_give_both():
    async with slack_stage() as stage:
        value = await stage.ask()
        await stage.press(CLEO, value)
        await stage.press(BEN, value, "sre_deny")
        view = stage.slack.views[-1]
        await asyncio.gather(stage.send(stage.signed(ANA, "sre_approve", value)), stage.submit(BEN, "not now", view))
        await stage.walk.settle()
        record = await stage.walk.record(ID)
        assert (record.state, stage.walk.action.effects) in {(State.HANDED_BACK, 0), (State.VERIFYING, 1)}
        assert len(await stage.refused()) == 1


async def test_the_same_signed_bytes_sent_again_change_nothing_more():
    async with slack_stage() as stage:
        signed = stage.signed(ANA, "sre_approve", await stage.ask())
        for _ in range(3):
            assert (await stage.send(signed)).status_code == 200
        await stage.walk.settle()
        assert (await stage.answers(), stage.walk.action.effects) == (1, 0)


async def test_a_replay_that_carries_a_dialog_changes_nothing_more():
    async with slack_stage() as stage:
        await stage.press(ANA, await stage.ask(), "sre_deny")
        view = stage.slack.views[-1]
        for _ in range(2):
            await stage.submit(ANA, "not now", view)
        assert (await stage.answers(), stage.walk.action.effects) == (1, 0)
        assert (await stage.walk.record(ID)).state is State.HANDED_BACK


@pytest.mark.parametrize("away", [-301, 301, -86_400])
async def test_a_stale_request_is_not_let_in(away):
    async with slack_stage() as stage:
        payload = pressed(stage.slack, ANA, "sre_approve", await stage.ask())
        answer = await stage.send(sign(stage.slack, payload, stage.walk.clock.now().timestamp() + away))
        assert answer.status_code == 401
        assert stage.slack.whispers == []
        await nothing_came_of_it(stage, None)


async def test_bytes_overheard_five_minutes_ago_are_not_let_in_any_more():
    async with slack_stage() as stage:
        signed = stage.signed(STRANGER, "sre_details", await stage.ask())
        stage.walk.clock.advance(301)
        assert (await stage.send(signed)).status_code == 401


@pytest.mark.parametrize("secret", ["", "another secret", "5laCk-5igning-5ecret-f00dfacE"])
async def test_what_is_signed_with_another_secret_is_not_let_in(secret):
    async with slack_stage() as stage:
        payload = pressed(stage.slack, ANA, "sre_approve", await stage.ask())
        answer = await stage.send(sign(stage.slack, payload, stage.walk.clock.now().timestamp(), secret))
        assert answer.status_code == 401
        await nothing_came_of_it(stage, None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: replace(s, headers={}),
        lambda s: replace(s, body=s.body.replace(b"U00000ANA", b"U00000BEN")),
        lambda s: replace(s, headers={**s.headers, "X-Slack-Request-Timestamp": "abc"}),
        lambda s: replace(s, headers={**s.headers, "X-Slack-Request-Timestamp": "1.5"}),
        lambda s: replace(s, headers={**s.headers, "X-Slack-Signature": b"v0=\xff\xfe"}),
        lambda s: replace(s, body=b"\xff\xfe\x00"),
        lambda s: replace(s, body=b""),
    ],
)
async def test_hostile_requests_are_unauthorized_and_never_an_error_of_ours(spoil):
    async with slack_stage() as stage:
        answer = await stage.send(spoil(stage.signed(ANA, "sre_approve", await stage.ask())))
        assert answer.status_code == 401
        await nothing_came_of_it(stage, None)


@pytest.mark.parametrize(
    "payload", ["", "[", "null", "[]", '{"type": 7}', "[" * 20_000, '{"type": "block_actions", "actions": [[]]}']
)
async def test_what_is_signed_and_not_understood_is_answered_and_ignored(payload):
    async with slack_stage() as stage:
        await stage.ask()
        answer = await stage.send(sign(stage.slack, payload, stage.walk.clock.now().timestamp()))
        assert (answer.status_code, answer.content) == (200, b"")
        await nothing_came_of_it(stage, None)


async def test_a_body_over_the_cap_is_not_read():
    async with slack_stage() as stage:
        signed = stage.signed(ANA, "sre_approve", await stage.ask())
        assert (await stage.send(replace(signed, body=b"x" * (1024 * 1024 + 1)))).status_code == 413


async def test_who_asked_for_the_investigation_can_neither_approve_nor_deny():
    walk = night()
    async with slack_stage(walk=walk) as stage:
        value = await stage.ask()
        question = walk.store._approvals[value.partition(".")[0]]
        walk.store._approvals[question.id] = question.model_copy(update={"requester": "ana"})
        await stage.press(ANA, value)
        assert "who asked for the plan" in await nothing_came_of_it(stage, "approve-not-requester")
        await stage.press(ANA, value, "sre_deny")
        answer = await stage.submit(ANA, "no")
        assert "asked for this" in answer.json()["errors"]["reason_block"]
        assert await stage.answers() == 0


@pytest.mark.parametrize(
    "value", ["ask_01TEST", "", "apr_9.{plan}", "{id}", "{id}.deadbeef", "{id}.{plan}0000", "{id}.{short}", "x" * 1900]
)
async def test_a_tampered_value_approves_nothing(value):
    async with slack_stage() as stage:
        ident, _, plan = (await stage.ask()).partition(".")
        await stage.press(ANA, value.format(id=ident, plan=plan, short=plan[:4]))
        rules = {"apr_9": "press-unknown-question", "{id}.d": "approve-plan-unchanged", "{id}.{plan}0": "approve-plan-unchanged"}
        await nothing_came_of_it(stage, next((r for p, r in rules.items() if value.startswith(p)), "press-not-understood"))


async def test_a_button_of_an_earlier_question_approves_nothing_of_a_later_one():
    async with slack_stage() as stage:
        old = await stage.ask()
        await stage.walk.hear(incident(status=IncidentStatus.RESOLVED), EventKind.RESOLVED)
        await stage.walk.hear(incident(), EventKind.REOPENED)
        assert await stage.value() != old
        await stage.press(ANA, old)
        assert "withdrawn" in await nothing_came_of_it(stage, "press-too-late")


async def test_a_press_after_the_deadline_approves_nothing_before_and_after_the_timer():
    async with slack_stage() as stage:
        value = await stage.ask()
        stage.walk.clock.advance(timedelta(minutes=5).total_seconds())
        await stage.send(stage.signed(ANA, "sre_approve", value))
        assert "nobody approved by" in await nothing_came_of_it(stage, "press-too-late")
        await stage.walk.settle()
        await stage.press(BEN, value)
        assert ((await stage.walk.record(ID)).state, await stage.answers()) == (State.HANDED_BACK, 0)
        assert "nobody approved by" in stage.slack.whispered(BEN)[0]


@pytest.mark.parametrize(
    ("kind", "why"), [(EventKind.RESOLVED, "the incident was resolved"), (EventKind.REASSIGNED, "a person reassigned the incident")]
)
async def test_a_press_on_a_withdrawn_plan_approves_nothing_and_says_why(kind, why):
    async with slack_stage() as stage:
        value = await stage.ask()
        await stage.walk.hear(incident(), kind)
        await stage.press(ANA, value)
        assert why in await nothing_came_of_it(stage, "press-too-late", state=State.CANCELLED)


async def test_who_comes_after_the_decision_is_told_who_decided():
    async with slack_stage() as stage:
        value = await stage.ask()
        await stage.press(ANA, value, "sre_deny")
        await stage.submit(ANA, "a deploy is running")
        await stage.press(BEN, value)
        assert (await stage.answers(), stage.walk.action.effects) == (1, 0)
        (told,) = stage.slack.whispered(BEN)
        assert "Ana Example denied this" in told
        assert "a deploy is running" in told
        await stage.press(CLEO, value, "sre_deny")
        late = await stage.submit(CLEO, "me too")
        assert "Ana Example denied this" in late.json()["errors"]["reason_block"]


async def test_a_third_yes_is_told_who_approved():
    async with slack_stage() as stage:
        value = await stage.ask()
        for user in (ANA, BEN, CLEO):
            await stage.press(user, value)
        assert (await stage.answers(), stage.walk.action.effects) == (2, 1)
        assert "Ana Example and Ben Example approved this" in stage.slack.whispered(CLEO)[0]


async def test_a_no_takes_a_reason_and_hands_the_incident_back_with_it():
    async with slack_stage() as stage:
        await stage.press(ANA, await stage.ask(), "sre_deny")
        assert stage.counts["deny", "opened"] == 1
        for empty in (None, "", "   "):
            answer = await stage.submit(ANA, empty)
            assert answer.json()["response_action"] == "errors"
        assert (await stage.answers(), await stage.refused(), stage.slack.whispers) == (0, [], [])
        done = await stage.submit(ANA, "wait for the deploy; token=ghp_0123456789abcdefghij0123456789abcdef <!channel> *now*")
        record = await stage.walk.record(ID)
        assert (done.status_code, done.content, record.state) == (200, b"", State.HANDED_BACK)
        assert "ghp_0123" not in record.reason
        assert "wait for the deploy" in record.reason
        stored = [q.answers[0] for q in await stage.walk.store.approvals(pending_only=False)]
        assert [(a.person, a.approve, a.via, "ghp_0123" in a.reason) for a in stored] == [("ana", False, "slack", False)]
        await stage.press(BEN, await stage.value())
        assert "&lt;!channel&gt;" in stage.slack.whispered(BEN)[0]
        assert "<!channel>" not in stage.slack.whispered(BEN)[0]


async def test_a_no_counts_from_anybody_identified_and_from_nobody_else():
    async with slack_stage(Narrowing(group="S0NOBODY")) as stage:
        value = await stage.ask()
        await stage.press(STRANGER, value, "sre_deny")
        answer = await stage.submit(STRANGER, "no")
        assert "teams.yaml" in answer.json()["errors"]["reason_block"]
        assert await stage.answers() == 0
        await stage.press(DEV, value, "sre_deny")
        await stage.submit(DEV, "our queue is busy")
        assert (await stage.walk.record(ID)).state is State.HANDED_BACK


async def test_who_cannot_be_told_is_refused_all_the_same():
    async with slack_stage() as stage:
        stage.slack.faults.add(Fault(path="chat.postEphemeral", status=500, body="x", times=9))
        assert (await stage.press(STRANGER, await stage.ask())).status_code == 200
        assert (await stage.answers(), stage.slack.whispers, stage.counts["approve", "untold"]) == (0, [], 1)
        assert [r.entry.detail["slack_user"] for r in await stage.refused()] == [STRANGER]


async def test_a_dialog_that_comes_too_late_says_press_again():
    async with slack_stage() as stage:
        await stage.press(ANA, await stage.ask(), "sre_deny", trigger_id=stage.slack.trigger(age_s=4))
        assert "press again" in stage.slack.whispered(ANA)[0]


async def test_the_door_answers_in_time_whatever_slack_does_and_the_press_still_counts():
    async with slack_stage(answer_within=0.05) as stage:
        stage.slack.faults.add(Fault(path="users.info", delay_s=0.4))
        answer = await stage.send(stage.signed(ANA, "sre_approve", await stage.ask()))
        assert (answer.status_code, await stage.answers()) == (200, 0)
        await stage.line.drain(5)
        assert (await stage.answers(), stage.counts["approve", "slow"]) == (1, 1)
        assert [t.partition(":")[0] for t in stage.slack.whispered(ANA)] == ["Not settled yet", "Your approval counts, Ana Example"]


async def test_other_requests_than_post_are_not_for_this_door():
    async with slack_stage() as stage:
        assert (await stage.client.get("/slack/interactions")).status_code == 405
