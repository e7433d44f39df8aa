"""Whether the alert doors, the desks behind them and the status pages are well."""

import pytest

from sre_agent.testing.opsgenie import CLOUD, EMAIL, KEY, TOKEN, AlertDeskStandIn
from sre_agent.testing.statuspage import StatuspageStandIn
from tests.doctor.examined import BROKEN, OK, SKIPPED, WARNING, one

LONG = "a-token-that-nobody-guesses-by-trying"


async def test_without_a_door_there_is_nothing_to_check() -> None:
    assert (await one("doors.secrets", {})).status is SKIPPED


@pytest.mark.parametrize(("token", "status"), [(LONG, OK), ("short", WARNING)])
async def test_a_secret_that_could_be_guessed_is_warned_of_and_not_shown(token: str, status: object) -> None:
    found = await one("doors.secrets", {"SRE_AGENT_ALERTMANAGER_TOKEN": token})
    assert found.status is status
    assert "alertmanager" in found.found
    assert token not in found.found + found.todo


@pytest.mark.parametrize(("key", "status"), [(KEY, OK), ("another", BROKEN)])
async def test_opsgenie_answers_the_right_key(key: str, status: object) -> None:
    with AlertDeskStandIn() as desk:
        desk.fire("one")
        found = await one("opsgenie.answers", {"OPSGENIE_API_KEY": key, "OPSGENIE_API_URL": desk.url})
    assert found.status is status


@pytest.mark.parametrize(("token", "status"), [(TOKEN, OK), ("another", BROKEN)])
async def test_jsm_answers_the_right_token(token: str, status: object) -> None:
    with AlertDeskStandIn() as desk:
        told = {"JSM_API_TOKEN": token, "JSM_EMAIL": EMAIL, "JSM_CLOUD_ID": CLOUD, "JSM_API_URL": desk.url}
        found = await one("jsm.answers", told)
    assert found.status is status


@pytest.mark.parametrize(("key", "status"), [("right", OK), ("another", BROKEN)])
async def test_every_status_page_is_read_with_the_key(key: str, status: object) -> None:
    with StatuspageStandIn(["PUB1"]) as pages:
        told = {"STATUSPAGE_API_KEY": pages.key if key == "right" else key, "STATUSPAGE_API_URL": pages.url}
        found = await one("statuspage.pages", {**told, "STATUSPAGE_PAGES": {"public": "PUB1"}})
    assert found.status is status
