"""Who may answer by press: people of the workspace, known in teams.yaml, in the group, on call. Everybody else changes nothing."""

from dataclasses import replace

import pytest

from sre_agent.asking.pressers import Narrowing
from sre_agent.incident.errors import Transient
from sre_agent.testing.pagerduty_faults import Drop, Fault
from sre_agent.testing.slack import Member, rate_limited, refuses
from tests.path.slack_stage import ANA, BEN, DEV, STRANGER, nothing_came_of_it, slack_stage


@pytest.mark.parametrize(
    ("lies", "rule"),
    [
        ({"api_app_id": "A0EVIL"}, "press-other-app"),
        ({"api_app_id": None}, "press-other-app"),
        ({"team": {"id": "T0OTHER"}}, "press-other-workspace"),
        ({"team": None}, "press-other-workspace"),
        ({"user": {"id": ANA, "team_id": "T0OTHER"}}, "press-other-organisation"),
        ({"user": {"id": ANA}}, "press-other-organisation"),
    ],
)
async def test_another_app_workspace_or_organisation_approves_nothing(lies, rule):
    async with slack_stage() as stage:
        await stage.press(ANA, await stage.ask(), **lies)
        await nothing_came_of_it(stage, rule)


async def test_nobody_without_an_id_approves_anything():
    async with slack_stage() as stage:
        await stage.press(ANA, await stage.ask(), user={"id": "../admin", "team_id": "T0001"})
        assert (await stage.answers(), [r.entry.detail["rule"] for r in await stage.refused()]) == (0, ["press-other-organisation"])


@pytest.mark.parametrize(
    ("member", "rule"),
    [
        (Member(ANA, is_bot=True), "press-not-a-member"),
        (Member(ANA, deleted=True), "press-not-a-member"),
        (Member(ANA, is_restricted=True), "press-not-a-member"),
        (Member(ANA, is_ultra_restricted=True), "press-not-a-member"),
        (Member(ANA, is_stranger=True), "press-not-a-member"),
    ],
)
async def test_bots_guests_and_closed_accounts_approve_nothing_though_teams_knows_them(member, rule):
    async with slack_stage() as stage:
        stage.slack.join(member)
        await stage.press(ANA, await stage.ask())
        await nothing_came_of_it(stage, rule)


async def test_a_member_whom_slack_places_elsewhere_than_the_press_says_approves_nothing():
    async with slack_stage() as stage:
        stage.slack.join(Member(ANA, team_id="T0OTHER"))
        await stage.press(ANA, await stage.ask(), user={"id": ANA, "team_id": "T0001"})
        await nothing_came_of_it(stage, "press-other-organisation")


async def test_somebody_whom_teams_does_not_know_approves_nothing():
    async with slack_stage() as stage:
        await stage.press(STRANGER, await stage.ask())
        assert STRANGER in await nothing_came_of_it(stage, "press-unknown-person", STRANGER)


async def test_somebody_of_another_team_approves_nothing():
    async with slack_stage() as stage:
        await stage.press(DEV, await stage.ask())
        assert "platform" in await nothing_came_of_it(stage, "default-deny", DEV)


async def test_only_the_approvers_group_approves_and_its_list_is_asked_once_a_minute():
    async with slack_stage(Narrowing(group="S0SRE")) as stage:
        stage.slack.groups["S0SRE"] = [BEN]
        value = await stage.ask()
        await stage.press(ANA, value)
        await nothing_came_of_it(stage, "press-not-in-group")
        stage.slack.groups["S0SRE"] = [ANA, BEN]
        await stage.press(BEN, value)
        assert (await stage.answers(), stage.slack.calls("usergroups.users.list")) == (1, 1)
        stage.walk.clock.advance(60)
        await stage.press(ANA, value)
        assert (await stage.answers(), stage.slack.calls("usergroups.users.list")) == (2, 2)


async def test_only_who_is_on_call_approves():
    called = {"PPOL1": frozenset({"P00000BEN"})}

    async def on_call(policy):
        return called[policy]

    async with slack_stage(Narrowing(on_call=on_call), ownership={"pd-platform": "PPOL1"}) as stage:
        value = await stage.ask()
        await stage.press(ANA, value)
        assert "PPOL1" in await nothing_came_of_it(stage, "press-not-on-call")
        await stage.press(BEN, value)
        assert await stage.answers() == 1


async def test_nobody_is_on_call_where_the_owner_has_no_policy():
    async def on_call(policy):
        raise AssertionError(policy)

    async with slack_stage(Narrowing(on_call=on_call), ownership={}) as stage:
        await stage.press(ANA, await stage.ask())
        await nothing_came_of_it(stage, "press-not-on-call")


FAILING = [
    Fault(path="users.info", status=503, body="x", times=9),
    Fault(path="users.info", drop=Drop.BEFORE, times=9),
    rate_limited("users.info", times=9),
    refuses("users.info", "user_not_found"),
    refuses("usergroups.users.list", "missing_scope"),
    Fault(path="usergroups.users.list", status=200, body={"ok": True}),
]


@pytest.mark.parametrize("fault", FAILING, ids=["5xx", "dropped", "limited", "unknown", "scope", "no-list"])
async def test_who_cannot_be_looked_up_approves_nothing_and_is_told_to_try_again(fault):
    async with slack_stage(Narrowing(group="S0SRE")) as stage:
        stage.slack.groups["S0SRE"] = [ANA]
        stage.slack.faults.add(replace(fault))
        await stage.press(ANA, await stage.ask())
        rule = "press-not-in-group" if fault.body == {"ok": True} else "press-lookup-failed"
        told = await nothing_came_of_it(stage, rule)
        assert ("press again" in told) == (rule == "press-lookup-failed")
        assert "https://sre.example/incidents" in told


async def test_on_call_that_cannot_be_asked_approves_nothing():
    async def on_call(policy):
        raise Transient("PagerDuty is in trouble")

    async with slack_stage(Narrowing(on_call=on_call), ownership={"pd-platform": "PPOL1"}) as stage:
        await stage.press(ANA, await stage.ask())
        await nothing_came_of_it(stage, "press-lookup-failed")


async def test_an_app_that_is_not_known_lets_nobody_approve_until_it_is_set():
    async with slack_stage() as stage:
        stage.slack.scopes.discard("users:read")
        await stage.press(ANA, await stage.ask())
        assert "SLACK_APP_ID" in await nothing_came_of_it(stage, "press-installation-unknown")
