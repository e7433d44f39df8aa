"""Too many questions: one message for them all, and the owner asked in, over real HTTP to Slack's stand-in."""

import json
from dataclasses import replace

from sre_agent.adapters.slack.board import SlackBoard
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.event import EventKind
from sre_agent.response.record import JobKind, State
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.pagerduty_faults import Drop, Fault
from sre_agent.testing.rooms import ScriptedInvestigator
from sre_agent.testing.slack import refuses
from sre_agent.testing.walkthrough import Walkthrough
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.triage import Triage
from tests.path.scenes import DIAGNOSIS, ID, PROPOSAL, incident, night
from tests.path.slack_scene import buttons, headers, kinds, messages

OTHERS = ("Q0EXAMPLE00002", "Q0EXAMPLE00003", "Q0EXAMPLE00004")


def of_each(scope: Scope, triage: Triage) -> Investigated:
    plan = PROPOSAL.model_copy(update={"incident_id": scope.incident.id})
    return Investigated(diagnosis=DIAGNOSIS, proposal=plan, applicable=("redis-failover",))


async def too_many(board: SlackBoard) -> Walkthrough:
    """One question an hour is enough; three more come."""
    walk = night(board=board, asks_per_hour=1, investigator=ScriptedInvestigator(of_each))
    owned = Ownership(receivers={"pd-platform": "PPLAT01"})
    walk.announcer = replace(walk.announcer, digests=replace(walk.announcer.digests, ownership=owned))
    for identity in (ID, *OTHERS):
        walk.clock.advance(1.0)
        await walk.hear(incident(id=identity), EventKind.TRIGGERED)
    return walk


async def test_more_questions_than_the_hour_takes_share_one_message_and_the_owner_is_asked_in_once(slack, board) -> None:
    walk = await too_many(board)
    assert headers(slack) == ["Approve redis failover: cache?", "3 questions wait for people"]
    assert buttons(messages(slack)[1]) == []
    told = json.dumps(messages(slack)[1])
    ids = [(await walk.record(i)).approval_id for i in OTHERS]
    assert all(f"sre-agent approvals approve {i}" in told for i in ids)
    ((where, policy, words),) = walk.tracker.asked_in
    assert (where, policy) == (OTHERS[0], "PPLAT01")
    assert "more than 1 plans" in words
    assert (await kinds(walk, OTHERS[0])).count("approvers_asked_in") == 1


async def test_what_is_answered_elsewhere_leaves_the_digest(slack, board) -> None:
    walk = await too_many(board)
    await walk.answer(OTHERS[0], "ana", approve=False)
    assert headers(slack)[1] == "2 questions wait for people"
    await walk.answer(OTHERS[1], "ana")
    assert "1 of 2 of team platform" in json.dumps(messages(slack)[1])
    await walk.pass_time(400, step=100.0)
    assert headers(slack)[1] == "No question waits here any more"
    assert slack.calls("chat.postMessage") == 2


async def test_an_hour_later_a_new_digest_is_opened_and_the_owner_asked_in_again(slack, board) -> None:
    walk = await too_many(board)
    await walk.pass_time(3600, step=300.0)
    for n, identity in enumerate(("Q0EXAMPLE00005", "Q0EXAMPLE00006")):
        walk.clock.advance(1.0)
        await walk.hear(incident(id=identity), EventKind.TRIGGERED)
        assert len(messages(slack)) == 3 + n
    assert headers(slack)[2:] == ["Approve redis failover: cache?", "1 question waits for people"]
    assert [p for _, p, _ in walk.tracker.asked_in] == ["PPLAT01", "PPLAT01"]


async def test_asking_in_does_not_wait_for_slack(slack, board) -> None:
    slack.faults.add(Fault(path="chat.postMessage", status=200, body={"ok": True, "ts": "1.1", "channel": "C0INC"}))
    slack.faults.add(refuses("chat.postMessage", "channel_not_found", times=99))
    walk = await too_many(board)
    assert len(walk.tracker.asked_in) == 1
    assert [(await walk.record(i)).state for i in OTHERS] == [State.AWAITING_APPROVAL] * 3
    assert "question_untold" in await kinds(walk, OTHERS[2])


async def test_who_cannot_be_asked_in_is_told_and_the_next_question_tries_again(slack, board) -> None:
    walk = night(board=board, asks_per_hour=1, investigator=ScriptedInvestigator(of_each))
    owned = Ownership(receivers={"pd-platform": "PPLAT01"})
    walk.announcer = replace(walk.announcer, digests=replace(walk.announcer.digests, ownership=owned))
    await walk.hear(incident(), EventKind.TRIGGERED)
    original, failures = walk.tracker.ask_in, [Permanent("404: no such policy"), Transient("503")]

    async def failing(*given: str) -> bool:
        if failures:
            raise failures.pop(0)
        return await original(*given)

    walk.tracker.ask_in = failing
    for identity in OTHERS:
        walk.clock.advance(1.0)
        await walk.hear(incident(id=identity), EventKind.TRIGGERED)
    assert "approvers_not_asked_in" in await kinds(walk, OTHERS[0])
    assert [w for w, _, _ in walk.tracker.asked_in] == [OTHERS[1]]
    assert headers(slack)[1] == "3 questions wait for people"


async def test_a_digest_whose_posting_was_lost_stands_once(slack, board) -> None:
    slack.faults.add(Fault(path="chat.postMessage", delay_s=0.001), Fault(path="chat.postMessage", drop=Drop.AFTER))
    await too_many(board)
    assert headers(slack) == ["Approve redis failover: cache?", "3 questions wait for people"]


async def test_a_digests_question_that_is_asked_anew_leaves_it(slack, board) -> None:
    walk = await too_many(board)
    await walk.answer(OTHERS[0], "ana", approve=False)
    await walk.hear(incident(id=OTHERS[0]), EventKind.REOPENED)
    told = json.dumps(messages(slack)[1])
    assert (await walk.record(OTHERS[0])).approval_id in told
    assert headers(slack)[1] == "3 questions wait for people"


async def test_without_a_board_nothing_is_put_anywhere_and_nobody_is_asked_in() -> None:
    walk = night(asks_per_hour=1, investigator=ScriptedInvestigator(of_each))
    for identity in (ID, *OTHERS):
        await walk.hear(incident(id=identity), EventKind.TRIGGERED)
    assert (walk.tracker.asked_in, walk.given_up) == ([], [])
    assert not [j for j in walk.store.jobs if j.kind is JobKind.ANNOUNCE]
