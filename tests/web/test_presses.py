"""People's presses on the pages: whose counts, what they change, and what is said to the others."""

from datetime import timedelta

import pytest

from sre_agent.response.record import State
from tests.web.shown import Shown, words

BEN = "ben@example.com"


async def test_two_people_approve_and_each_counts_once(shown, page):
    first = await shown.press("/approvals/apr_1", answer="approve", plan=await _plan(shown))
    assert (first.status_code, first.headers["location"]) == (303, page)
    text = words((await shown.get(page)).text)
    assert "ana approved" in text
    assert "It takes another person now" in text
    again = await shown.press("/approvals/apr_1", answer="approve", plan=await _plan(shown))
    assert again.status_code == 303, "a second press of the same is no failure"
    assert len((await shown.store.approval("apr_1")).answers) == 1
    shown.asks = BEN
    assert (await shown.press("/approvals/apr_1", answer="approve", plan=await _plan(shown))).status_code == 303
    assert (await shown.store.load(page.rpartition("/")[2])).state is State.EXECUTING
    assert [a.via for a in (await shown.store.approval("apr_1")).answers] == ["page", "page"]


async def test_a_no_needs_a_reason_and_ends_it(shown, page):
    without = await shown.press("/approvals/apr_1", answer="deny", plan=await _plan(shown), reason="  ")
    assert without.status_code == 422
    assert "Say why" in without.text
    assert (await shown.store.approval("apr_1")).answers == ()
    denied = await shown.press("/approvals/apr_1", answer="deny", plan=await _plan(shown), reason="call +49 151 23456789 first")
    assert denied.status_code == 303
    record = await shown.store.load(page.rpartition("/")[2])
    assert record.state is State.HANDED_BACK
    assert "denied by ana" in record.reason
    assert "23456789" not in (await shown.get(page)).text
    shown.asks = BEN
    late = await shown.press("/approvals/apr_1", answer="approve", plan=await _plan(shown))
    assert late.status_code == 409
    assert "too late" in words(late.text)
    assert (await shown.store.load(record.id)).state is State.HANDED_BACK


@pytest.mark.parametrize(
    ("who", "fields", "status", "says"),
    [
        ("dev@example.com", {"answer": "approve"}, 403, "did not count"),
        ("stranger@example.com", {"answer": "approve"}, 403, "this needs the role approver"),
        ("ana@example.com", {"answer": "approve", "plan": "f" * 64}, 403, "another plan"),
        ("ana@example.com", {"answer": "approve", "plan": "0"}, 403, "another plan"),
        ("ana@example.com", {"answer": "approve", "plan": ""}, 422, "this is no answer"),
        ("ana@example.com", {"answer": "yes"}, 422, "this is no answer"),
        ("ana@example.com", {"answer": "", "reason": "approve"}, 422, "this is no answer"),
        ("ana@example.com", {"answer": "deny", "reason": "x" * 501}, 422, "at most 500"),
    ],
)
async def test_a_press_that_does_not_count_says_why_and_changes_nothing(who, fields, status, says, shown):
    shown.asks = who
    answer = await shown.press("/approvals/apr_1", **{"plan": await _plan(shown), **fields})
    assert (answer.status_code, says in words(answer.text)) == (status, True), words(answer.text)[:400]
    assert (await shown.store.approval("apr_1")).answers == ()


async def test_an_answer_after_the_deadline_is_refused_in_words(shown):
    shown.clock.at += timedelta(minutes=20)
    answer = await shown.press("/approvals/apr_1", answer="approve", plan=await _plan(shown))
    assert answer.status_code in (403, 409)
    assert "expired" in words(answer.text)
    assert (await shown.store.approval("apr_1")).answers == ()


async def test_a_form_without_the_visitors_own_token_changes_nothing(shown):
    answer = await shown.press("/approvals/apr_1", answer="approve", plan=await _plan(shown), csrf="guessed")
    assert answer.status_code == 403
    assert (await shown.store.approval("apr_1")).answers == ()


async def test_an_unknown_question_is_a_page_that_says_so(shown):
    answer = await shown.press("/approvals/apr_9", answer="approve", plan="x")
    assert (answer.status_code, "there is no such question" in answer.text) == (404, True)


async def test_any_approver_stops_the_agent_and_every_page_then_says_so(shown, page):
    assert (await shown.press("/switch/engage", reason="  ")).status_code == 422
    assert not (await shown.halt.state()).engaged
    assert (await shown.press("/switch/engage", reason="all of it looks wrong")).status_code == 303
    state = await shown.halt.state()
    assert (state.engaged, state.by, state.reason) == (True, "ana", "all of it looks wrong")
    for path in ("/", page, "/approvals", "/policies"):
        assert "all of it looks wrong" in (await shown.get(path)).text


async def test_only_an_admin_with_their_own_token_lets_it_act_again(shown):
    await shown.halt.engage("ana", "stop", shown.at)
    refused = await shown.press("/switch/resume", reason="fine again", token="guessed")
    assert (refused.status_code, "admin" in words(refused.text)) == (403, True)
    shown = shown.with_admin("ana", "ana's own random token")
    await shown.halt.engage("ana", "stop", shown.at)
    wrong = await shown.press("/switch/resume", reason="fine again", token="guessed")
    assert (wrong.status_code, "does not belong to" in words(wrong.text)) == (403, True)
    assert (await shown.halt.state()).engaged
    assert (await shown.press("/switch/resume", reason="", token="ana's own random token")).status_code == 422
    assert (await shown.press("/switch/resume", reason="fine again", token="ana's own random token")).status_code == 303
    assert not (await shown.halt.state()).engaged


async def _plan(shown: Shown) -> str:
    """The plan as the page shows it in its form."""
    return (await shown.store.approval("apr_1")).plan_hash
