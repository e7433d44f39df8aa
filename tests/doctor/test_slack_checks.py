"""Slack through the stand-in's real HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sre_agent.testing.http_stand_in import Misbehaviour, Reply
from sre_agent.testing.slack import Member, SlackStandIn, rate_limited
from sre_agent.wiring.doctor.connections import Terms
from tests.doctor.examined import BROKEN, OK, SKIPPED, WARNING, declared, looked, one


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as server:
        server.join(Member("U0ANA"), Member("U0BEN"))
        server.groups = {"S0APPROVE": ["U0ANA", "U0ELSE"]}
        server.socket_url = "wss://wss.slack.test/link"
        yield server


@pytest.fixture
def settings(slack: SlackStandIn, tmp_path: Path) -> dict[str, str]:
    people = [{"id": n, "name": n, "slack": f"U0{n.upper()}"} for n in ("ana", "ben")]
    teams = {"people": people, "teams": {"platform": ["ana", "ben"]}}
    return {
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_CHANNEL": "C0INC",
        "SLACK_APPROVER_GROUP": "S0APPROVE",
        "SRE_AGENT_POLICY_DATA": declared(tmp_path / "data", teams=teams),
    }


async def test_a_workspace_that_is_well(slack, settings):
    found = await looked("slack", settings)
    assert {n: (r.status, r.found) for n, r in found.items() if r.status is not OK} == {}
    assert found["slack.token"].found == "accepted: app A0001 in workspace T0001"
    assert found["slack.channel"].found == "the app is a member of #incidents"


async def test_nothing_is_posted(slack, settings):
    await looked("slack", settings)
    writes = ("chat.postMessage", "chat.update", "chat.postEphemeral", "views.open")
    assert [slack.calls(method) for method in writes] == [0, 0, 0, 0]


async def test_a_wrong_token_is_told_once_and_never_shown(settings):
    found = await looked("slack", {**settings, "SLACK_BOT_TOKEN": "xoxb-wr0ng"})
    assert found["slack.token"].status is BROKEN
    assert "xoxb-wr0ng" not in str(found)
    assert {found[f"slack.{n}"].status for n in ("scopes", "channel", "group", "people")} == {SKIPPED}


async def test_a_token_of_another_app_is_broken(settings):
    assert (await one("slack.token", {**settings, "SLACK_APP_ID": "A0OTHER"})).status is BROKEN


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("chat:write", BROKEN),
        ("users:read", BROKEN),
        ("usergroups:read", BROKEN),
        ("channels:history", WARNING),
        ("channels:read", WARNING),
    ],
)
async def test_a_scope_that_is_missing_is_named_by_how_much_it_matters(slack, settings, scope, status):
    slack.scopes.discard(scope)
    found = await one("slack.scopes", settings)
    assert (found.status, f"no {scope}" in found.found) == (status, True)


async def test_a_private_channels_scopes_are_as_good(slack, settings):
    slack.scopes -= {"channels:history", "channels:read"}
    slack.scopes |= {"groups:history", "groups:read"}
    assert (await one("slack.scopes", settings)).status is OK


async def test_a_channel_that_is_missing_archived_left_or_a_name(slack, settings):
    assert (await one("slack.channel", {**settings, "SLACK_CHANNEL": "C0GONE"})).status is BROKEN
    assert (await one("slack.channel", {**settings, "SLACK_CHANNEL": "#incidents"})).status is WARNING
    assert (await one("slack.channel", {**settings, "SLACK_CHANNEL": ""})).status is BROKEN
    slack.channels["C0INC"].member = False
    assert "/invite" in (await one("slack.channel", settings)).todo
    slack.channels["C0INC"].archived = True
    assert "archived" in (await one("slack.channel", settings)).found


async def test_a_group_in_which_nobody_may_approve_is_broken(slack, settings):
    slack.groups["S0APPROVE"] = ["U0ELSE"]
    assert (await one("slack.group", settings)).status is BROKEN
    assert (await one("slack.group", {**settings, "SLACK_APPROVER_GROUP": "S0GONE"})).status is BROKEN


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (Member("U0BEN", deleted=True), "deactivated"),
        (Member("U0BEN", is_bot=True), "a bot"),
        (Member("U0BEN", is_restricted=True), "a guest"),
        (Member("U0BEN", team_id="T0OTHER"), "of another workspace"),
    ],
)
async def test_people_whose_presses_would_be_refused_are_named(slack, settings, member, why):
    slack.join(member)
    found = await one("slack.people", settings)
    assert (found.status, "ben (U0BEN)" in found.found, why in found.found) == (WARNING, True, True)


async def test_somebody_whom_slack_does_not_know_is_named(slack, settings):
    del slack.members["U0BEN"]
    assert "ben (U0BEN)" in (await one("slack.people", settings)).found


async def test_presses_that_nobody_could_verify_are_broken(settings):
    silent = {k: v for k, v in settings.items() if k != "SLACK_APP_TOKEN"}
    assert (await one("slack.presses", silent)).status is BROKEN
    assert (await one("slack.presses", {**silent, "SLACK_SIGNING_SECRET": "s3cret"})).status is WARNING
    public = {"SLACK_SIGNING_SECRET": "s3cret", "SRE_AGENT_PUBLIC_URL": "https://sre.test"}
    assert (await one("slack.presses", {**silent, **public})).status is OK


async def test_socket_mode_with_the_wrong_token_or_switched_off_is_broken(slack, settings):
    assert (await one("slack.socket", {**settings, "SLACK_APP_TOKEN": "xapp-wr0ng"})).status is BROKEN
    slack.socket_url = ""
    assert (await one("slack.socket", settings)).status is BROKEN


@pytest.mark.parametrize(
    "how",
    [
        Misbehaviour(reply=Reply(200, "<html>Sign in</html>", "text/html")),
        Misbehaviour(reply=Reply(502, "bad gateway", "text/plain")),
        Misbehaviour(drop=True),
        Misbehaviour(delay_s=1.5),
    ],
    ids=["a sign-in page", "a proxy", "hangs up", "hangs"],
)
async def test_a_slack_that_fails_or_lies_is_broken_and_nothing_behind_it_is_well(slack, settings, how):
    slack.misbehave(how)
    found = await looked("slack", settings, terms=Terms(0.8))
    assert {n for n, r in found.items() if r.status is OK and r.connection == "slack"} == {"slack.presses"}
    assert found["slack.token"].status is BROKEN


async def test_a_rate_limit_is_broken_now_and_says_so(slack, settings):
    slack.faults.add(rate_limited("auth.test", times=9))
    found = await one("slack.token", settings)
    assert (found.status, "rate limit" in found.found) == (BROKEN, True)


async def test_without_slack_it_is_skipped():
    assert {r.status for r in (await looked("slack", {})).values() if r.connection == "slack"} == {SKIPPED}
