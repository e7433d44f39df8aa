"""The Web API adapter against the stand-in, over real HTTP."""

import logging

import pytest

from sre_agent.adapters.slack.client import SlackApi, SlackIdentity
from sre_agent.adapters.slack.failure import SlackNotSetUp, SlackSaidNo
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Transient
from sre_agent.testing.pagerduty_faults import Drop, Fault
from sre_agent.testing.slack import Channel, Member, SlackStandIn, rate_limited, refuses

BLOCKS = [{"type": "section", "text": {"type": "plain_text", "text": "Restart?"}}]
ASK = {"event_type": "sre_agent_ask", "event_payload": {"ask": "A-1"}}


@pytest.fixture
def slack():
    with SlackStandIn() as standing:
        yield standing


@pytest.fixture
async def api(slack):
    client = SlackApi(slack.bot_token, slack.api_url)
    yield client
    await client.aclose()


async def test_a_message_is_posted_found_again_by_its_metadata_and_replaced_in_place(slack, api):
    ts = await api.post("C0INC", "Restart?", BLOCKS, ASK)
    assert await api.find("C0INC", "sre_agent_ask", "ask", "A-1") == ts
    assert await api.find("C0INC", "sre_agent_ask", "ask", "A-2") is None
    await api.update("C0INC", ts, "Restarted.", [])
    (message,) = slack.channels["C0INC"].messages
    assert (message["text"], message["ts"], message["unfurl_links"], message["unfurl_media"]) == ("Restarted.", ts, False, False)


async def test_a_message_of_somebody_else_with_our_metadata_is_not_ours(slack, api):
    slack.channels["C0INC"].messages.append({"ts": "1.1", "user": "U0MALLORY", "metadata": ASK})
    assert await api.find("C0INC", "sre_agent_ask", "ask", "A-1") is None


async def test_the_search_goes_through_older_pages(slack, api):
    ts = await api.post("C0INC", "Restart?", BLOCKS, ASK)
    slack.channels["C0INC"].messages += [{"ts": f"9.{n}", "user": "U1"} for n in range(450)]
    assert await api.find("C0INC", "sre_agent_ask", "ask", "A-1") == ts
    assert slack.calls("conversations.history") == 3


async def test_a_search_without_the_scope_says_so_instead_of_finding_nothing(slack, api):
    slack.scopes.discard("channels:history")
    with pytest.raises(SlackNotSetUp, match=r"needed: channels:history") as refused:
        await api.find("C0INC", "sre_agent_ask", "ask", "A-1")
    assert isinstance(refused.value, ConfigurationError)


async def test_the_token_says_whose_it_is_and_is_asked_once(slack, api):
    assert await api.identity() == SlackIdentity("T0001", "A0001", "U0BOT")
    await api.identity()
    assert slack.calls("auth.test") == 1


async def test_an_app_that_cannot_be_learned_is_unknown(slack, api):
    slack.scopes.discard("users:read")
    assert (await api.identity()).app_id is None


@pytest.mark.parametrize(
    ("member", "flags"),
    [
        (Member("U1"), (False, False, False)),
        (Member("U1", is_bot=True), (True, False, False)),
        (Member("U1", is_restricted=True), (False, False, True)),
        (Member("U1", is_ultra_restricted=True), (False, False, True)),
        (Member("U1", is_stranger=True), (False, False, True)),
        (Member("U1", deleted=True), (False, True, True)),
    ],
)
async def test_people_are_told_apart_and_a_missing_flag_counts_against_them(slack, api, member, flags):
    slack.join(member)
    user = await api.user("U1")
    assert ((user.is_bot, user.deleted, user.restricted), user.team_id, user.id) == (flags, "T0001", "U1")


async def test_an_answer_about_nobody_is_nobody_who_may_do_anything(slack, api):
    slack.faults.add(Fault(path="users.info", status=200, body={"ok": True}))
    user = await api.user("U1")
    assert (user.id, user.team_id, user.is_bot, user.deleted, user.restricted) == ("", "", True, True, True)


async def test_a_group_has_its_members(slack, api):
    slack.groups["S1"] = ["U1", "U2"]
    assert await api.group_members("S1") == {"U1", "U2"}
    with pytest.raises(SlackNotSetUp, match="SLACK_APPROVER_GROUP"):
        await api.group_members("S2")


async def test_whispers_and_dialogs_reach_one_person(slack, api):
    slack.join(Member("U1"))
    await api.whisper("C0INC", "U1", "too late")
    assert slack.whispered("U1") == ["too late"]
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Why"}, "blocks": BLOCKS}
    trigger = slack.trigger()
    await api.open_view(trigger, view)
    assert [v["title"]["text"] for v in slack.views] == ["Why"]
    with pytest.raises(Permanent, match="opened for this press already"):
        await api.open_view(trigger, view)
    with pytest.raises(Permanent, match="press again"):
        await api.open_view(slack.trigger(age_s=3.5), view)


@pytest.mark.parametrize(
    ("channel", "says"),
    [("C0NONE", "SLACK_CHANNEL"), ("C0OUT", "/invite"), ("C0OLD", "archived")],
)
async def test_a_channel_that_cannot_be_posted_in_is_explained(slack, api, channel, says):
    slack.channels["C0OUT"] = Channel("C0OUT", "out", member=False)
    slack.channels["C0OLD"] = Channel("C0OLD", "old", archived=True)
    with pytest.raises(SlackNotSetUp, match=says):
        await api.post(channel, "x", BLOCKS, ASK)


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ([{"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}], "invalid_blocks"),
        ([*BLOCKS] * 51, "invalid_blocks"),
        ([{"type": "section", "text": {"type": "plain_text", "text": "x" * 2900}}] * 5, "msg_blocks_too_long"),
    ],
)
async def test_what_slack_cannot_show_is_refused_with_its_own_word(slack, api, blocks, code):
    with pytest.raises(SlackSaidNo) as refused:
        await api.post("C0INC", "x", blocks, ASK)
    assert refused.value.code == code


async def test_a_rate_limit_says_when_to_come_back_and_nothing_is_repeated(slack, api):
    slack.faults.add(rate_limited("chat.postMessage", retry_after=7))
    with pytest.raises(Transient) as limited:
        await api.post("C0INC", "x", BLOCKS, ASK)
    assert (limited.value.retry_after, isinstance(limited.value, OutcomeUnknown)) == (7.0, False)
    assert slack.calls("chat.postMessage") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="chat.postMessage", status=503, body="<html>"),
        Fault(path="chat.postMessage", drop=Drop.AFTER),
        Fault(path="chat.postMessage", status=200, body="[" * 10),
        Fault(path="chat.postMessage", status=200, body="[]"),
        Fault(path="chat.postMessage", status=200, body={"ok": True}),
        refuses("chat.postMessage", "internal_error"),
    ],
    ids=["503", "dropped", "not-json", "a-list", "no-ts", "internal-error"],
)
async def test_a_post_without_a_clear_answer_may_have_happened_and_is_not_repeated(slack, api, fault):
    slack.faults.add(fault)
    with pytest.raises(OutcomeUnknown):
        await api.post("C0INC", "x", BLOCKS, ASK)
    assert slack.calls("chat.postMessage") == 1


@pytest.mark.parametrize(
    "fault", [Fault(path="users.info", status=502, body="bad gateway"), Fault(path="users.info", drop=Drop.BEFORE, times=9)]
)
async def test_a_question_without_an_answer_may_be_asked_again(slack, api, fault):
    slack.faults.add(fault)
    with pytest.raises(Transient) as failed:
        await api.user("U1")
    assert not isinstance(failed.value, OutcomeUnknown)


async def test_nobody_waits_longer_than_a_person_would(slack):
    api = SlackApi(slack.bot_token, slack.api_url, interactive_s=0.05)
    slack.faults.add(Fault(path="users.info", delay_s=0.5))
    with pytest.raises(Transient, match="TimeoutError"):
        await api.user("U1")
    await api.aclose()


async def test_a_server_that_is_not_there_was_sent_nothing():
    with SlackStandIn() as gone:
        address = gone.api_url
    api = SlackApi("xoxb-x", address)
    with pytest.raises(Transient, match="nothing was sent") as failed:
        await api.post("C0INC", "x", BLOCKS, ASK)
    assert not isinstance(failed.value, OutcomeUnknown)
    await api.aclose()


async def test_a_wrong_token_is_a_matter_of_configuration_and_is_not_repeated_in_the_message(slack, caplog):
    caplog.set_level(logging.DEBUG)
    api = SlackApi("xoxb-wrong-secret", slack.api_url)
    with pytest.raises(ConfigurationError, match="SLACK_BOT_TOKEN") as refused:
        await api.user("U1")
    await api.aclose()
    assert "xoxb-wrong-secret" not in f"{refused.value!r} {refused.value.__cause__!r} {caplog.text}"


@pytest.mark.parametrize(("token", "url"), [("x", "http://slack.example/api"), ("x", "ftp://a"), (" ", "https://slack.com/api")])
def test_a_token_is_not_sent_in_clear_nor_an_empty_one(token, url):
    with pytest.raises(ConfigurationError):
        SlackApi(token, url)
