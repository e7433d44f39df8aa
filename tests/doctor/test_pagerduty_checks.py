"""PagerDuty through the stand-in's real HTTP: what is well, what is not, and what is said about it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sre_agent.testing.pagerduty import AGENT_EMAIL, PagerDutyStandIn
from sre_agent.testing.pagerduty_faults import Drop, Fault
from sre_agent.testing.pagerduty_webhooks import Subscription
from sre_agent.wiring.doctor.connections import Terms
from tests.doctor.examined import BROKEN, OK, SKIPPED, WARNING, declared, looked, one

PUBLIC = "https://sre.example.test"
ROUTES = {"pd-platform": "PPLAT01", "pd-ai-eng": "PAIENG1", "default": "PDEFLT1"}


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn() as server:
        yield server


@pytest.fixture
def settings(pagerduty: PagerDutyStandIn, tmp_path: Path) -> dict[str, str]:
    return {
        "PAGERDUTY_API_URL": pagerduty.url,
        "PAGERDUTY_API_TOKEN": pagerduty.token,
        "PAGERDUTY_FROM_EMAIL": AGENT_EMAIL,
        "SRE_AGENT_PUBLIC_URL": PUBLIC,
        "PAGERDUTY_WEBHOOK_SECRETS": '{"PWEBHK1": "whsec-of-ours"}',
        "SRE_AGENT_POLICY_DATA": declared(tmp_path / "data", routing={"receivers": ROUTES}),
        "SRE_AGENT_DATA_DIR": str(tmp_path / "state"),
    }


def subscribed(pagerduty: PagerDutyStandIn, url: str = f"{PUBLIC}/webhooks/pagerduty", **changed) -> None:
    pagerduty.webhooks.subscribe(Subscription(changed.pop("id", "PWEBHK1"), url, ["whsec-of-ours"], **changed))


def unlike(found, *but: str):
    """What is not well."""
    return {name: r.status for name, r in found.items() if r.status is not OK and r.connection == "pagerduty" and name not in but}


async def test_an_account_that_is_well(pagerduty, settings):
    subscribed(pagerduty)
    found = await looked("pagerduty", settings)
    assert unlike(found, "pagerduty.heard", "pagerduty.button") == {}
    assert found["pagerduty.token"].found == "accepted: the key of SRE agent (PAGENT1, role limited_user)"
    assert found["pagerduty.policies"].found == "3 escalation policies exist"


async def test_nothing_is_ever_written(pagerduty, settings):
    subscribed(pagerduty)
    await looked("pagerduty", settings)
    assert pagerduty.writes == []
    assert pagerduty.calls


async def test_a_key_of_the_account_has_no_user(pagerduty, settings):
    pagerduty.account.key_owner = None
    assert (await one("pagerduty.token", settings)).found == "accepted: a key of the whole account"


async def test_a_wrong_key_is_told_once_with_the_other_region_and_never_shown(pagerduty, settings):
    found = await looked("pagerduty", {**settings, "PAGERDUTY_API_TOKEN": "wr0ng-key"})
    token = found["pagerduty.token"]
    assert (token.status, "https://api.eu.pagerduty.com" in token.todo) == (BROKEN, True)
    assert "wr0ng-key" not in str(found)
    behind = {r.status for n, r in found.items() if n in ("pagerduty.rights", "pagerduty.from_user", "pagerduty.subscription")}
    assert behind == {SKIPPED}


async def test_a_from_address_of_nobody_is_broken(settings):
    found = await one("pagerduty.from_user", {**settings, "PAGERDUTY_FROM_EMAIL": "nobody@example.test"})
    assert (found.status, "nobody in the account" in found.found) == (BROKEN, True)


@pytest.mark.parametrize(("role", "status"), [("observer", BROKEN), ("read_only_user", BROKEN), ("admin", OK)])
async def test_a_from_user_who_may_not_write_is_broken(pagerduty, settings, role, status):
    pagerduty.add_user("PAGENT1", AGENT_EMAIL, "SRE agent", role)
    assert (await one("pagerduty.from_user", settings)).status is status


@pytest.mark.parametrize(
    ("path", "answer", "status"),
    [
        ("/incidents", 403, BROKEN),
        ("/services", 403, BROKEN),
        ("/change_events", 402, BROKEN),
        ("/priorities", 402, WARNING),
        ("/priorities", 404, WARNING),
        ("/oncalls", 403, WARNING),
        ("/webhook_subscriptions", 403, WARNING),
    ],
)
async def test_a_right_that_is_missing_is_named_by_how_much_it_matters(pagerduty, settings, path, answer, status):
    pagerduty.faults.add(Fault(path=path, status=answer, body={"error": {"message": "no", "code": 2010}}, times=9))
    found = await one("pagerduty.rights", settings)
    assert found.status is status
    assert "cannot read" in found.found


async def test_who_is_on_call_matters_where_approvers_are_narrowed_to_them(pagerduty, settings):
    pagerduty.faults.add(Fault(path="/oncalls", status=403, times=9))
    assert (await one("pagerduty.rights", {**settings, "SRE_AGENT_APPROVERS_ON_CALL": "true"})).status is BROKEN


async def test_no_subscription_of_ours_is_broken(pagerduty, settings):
    subscribed(pagerduty, "https://other.example.test/webhooks/pagerduty")
    subscribed(pagerduty, f"{PUBLIC}/elsewhere", id="PWEBHK2")
    found = await one("pagerduty.subscription", settings)
    assert (found.status, found.found) == (BROKEN, f"no webhook subscription sends to {PUBLIC}/webhooks/pagerduty")


async def test_an_address_that_is_written_otherwise_is_the_same(pagerduty, settings):
    subscribed(pagerduty, "https://SRE.example.test:443/webhooks/pagerduty/")
    assert (await one("pagerduty.subscription", settings)).status is OK


@pytest.mark.parametrize(
    ("changed", "said", "status"),
    [
        ({"temporarily_disabled": True}, "disabled for a day", BROKEN),
        ({"active": False}, "switched off", BROKEN),
        ({"id": "PWEBHK9"}, "signing secret of PWEBHK9 is not known", BROKEN),
        ({"events": frozenset({"incident.triggered", "incident.reopened"})}, "does not send incident.", WARNING),
    ],
)
async def test_a_subscription_that_does_not_reach_us_says_why(pagerduty, settings, changed, said, status):
    subscribed(pagerduty, **changed)
    found = await one("pagerduty.subscription", settings)
    assert (found.status, said in found.found, bool(found.todo)) == (status, True, True)


async def test_one_secret_for_any_subscription_is_enough(pagerduty, settings):
    subscribed(pagerduty, id="PWEBHK9")
    anyone = {**settings, "PAGERDUTY_WEBHOOK_SECRET": "whsec-of-ours", "PAGERDUTY_WEBHOOK_SECRETS": "{}"}
    assert (await one("pagerduty.subscription", anyone)).status is OK


async def test_a_secret_kept_in_the_file_is_known_and_a_file_that_others_can_read_is_refused(pagerduty, settings, tmp_path):
    subscribed(pagerduty, id="PWEBHK9")
    kept = tmp_path / "secrets.json"
    kept.write_text('{"PWEBHK9": "whsec-in-a-file"}')
    kept.chmod(0o600)
    filed = {**settings, "SRE_AGENT_WEBHOOK_SECRETS_FILE": str(kept)}
    assert (await one("pagerduty.subscription", filed)).status is OK
    kept.chmod(0o644)
    found = await one("pagerduty.secret", filed)
    assert (found.status, "chmod 600" in found.found) == (BROKEN, True)


async def test_no_secret_at_all_means_503_to_everybody(settings):
    assert (await one("pagerduty.secret", {**settings, "PAGERDUTY_WEBHOOK_SECRETS": "{}"})).status is BROKEN
    assert (await one("pagerduty.secret", settings)).status is OK


async def test_escalation_policies_that_are_not_there_are_named(pagerduty, settings, tmp_path):
    routes = {"pd-platform": "PPLAT01", "pd-ai-eng": "PG0NE01", "default": "../users"}
    found = await one(
        "pagerduty.policies", {**settings, "SRE_AGENT_POLICY_DATA": declared(tmp_path / "x", routing={"receivers": routes})}
    )
    assert found.status is BROKEN
    assert "pd-ai-eng: PG0NE01: there is none with this id" in found.found
    assert "default: ../users: not an id" in found.found


async def test_a_host_that_hears_nothing_misses_no_secret(pagerduty, settings):
    subscribed(pagerduty, id="PWEBHK9")
    found = await looked("pagerduty.secret,pagerduty.subscription", settings, terms=Terms(20.0, role="worker"))
    assert (found["pagerduty.secret"].status, found["pagerduty.subscription"].status) == (SKIPPED, OK)


class Shifted:
    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(minutes=5)


async def test_a_clock_that_is_off_is_told_by_the_date_of_an_answer(settings):
    found = await one("pagerduty.clock", settings, clock=Shifted())
    assert (found.status, "ahead of this machine" in found.found) == (BROKEN, True)


async def test_a_short_button_token_is_told(settings):
    assert (await one("pagerduty.button", {**settings, "PAGERDUTY_ACTION_TOKEN": "short"})).status is WARNING
    assert (await one("pagerduty.button", {**settings, "PAGERDUTY_ACTION_TOKEN": "x" * 32})).status is OK


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, times=99),
        Fault(status=200, body="<html>Sign in</html>", times=99),
        Fault(drop=Drop.BEFORE, times=99),
        Fault(delay_s=1.5, times=99),
    ],
    ids=["in trouble", "a sign-in page", "hangs up", "hangs"],
)
async def test_a_pagerduty_that_fails_or_lies_is_broken_and_nothing_behind_it_is_well(pagerduty, settings, fault):
    pagerduty.faults.add(fault)
    found = await looked("pagerduty", settings, terms=Terms(0.8))
    assert found["pagerduty.token"].status is BROKEN
    assert {n for n, r in found.items() if r.status is OK and r.connection == "pagerduty"} == {"pagerduty.secret"}


async def test_without_a_key_it_is_skipped():
    found = await looked("pagerduty.token,pagerduty.rights,pagerduty.subscription", {})
    assert {r.status for r in found.values()} == {SKIPPED}
