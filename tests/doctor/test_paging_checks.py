"""Whether everybody can be woken whom the agent itself may have to wake."""

from pathlib import Path

import pytest

from sre_agent.testing.smtp import SmtpStandIn
from tests.doctor.examined import BROKEN, OK, SKIPPED, WARNING, declared, one

RECEIVERS = {"pd-platform": "PPLAT01", "pd-ai-eng": "PAIENG1", "default": "PDEFLT1"}
KEYS = {name: letter * 32 for name, letter in zip(RECEIVERS, "abc", strict=True)}
OPEN = {"SRE_AGENT_ALERTMANAGER_TOKEN": "shown-at-the-door"}
CEO = [{"id": "sev1", "matchers": ['vertical="healthcare"'], "severities": ["sev1"], "to": ["ceo"]}]


@pytest.fixture
def books(tmp_path: Path) -> dict[str, object]:
    return {"SRE_AGENT_POLICY_DATA": declared(tmp_path / "data", routing={"receivers": RECEIVERS, "escalations": CEO})}


async def test_where_nothing_is_paged_by_the_agent_keys_are_not_missed(books: dict[str, object]):
    assert (await one("paging.routing_keys", books)).status is SKIPPED


async def test_every_receiver_and_escalation_with_a_key_of_its_own_is_well(books: dict[str, object]):
    found = await one("paging.routing_keys", {**books, **OPEN, "PAGERDUTY_ROUTING_KEYS": {**KEYS, "ceo": "d" * 32}})
    assert (found.status, found.found) == (OK, "3 receivers have a routing key")


@pytest.mark.parametrize(("door", "status"), [(OPEN, BROKEN), ({}, WARNING)])
async def test_a_receiver_without_a_key_is_broken_where_a_door_is_open(
    books: dict[str, object], door: dict[str, object], status: object
):
    found = await one("paging.routing_keys", {**books, **door, "PAGERDUTY_ROUTING_KEYS": {"default": "c" * 32, "ceo": "d" * 32}})
    assert found.status is status
    assert "pd-ai-eng, pd-platform" in found.found
    assert "PAGERDUTY_ROUTING_KEYS" in found.todo


async def test_a_key_of_another_length_is_broken_and_not_shown(books: dict[str, object]):
    found = await one("paging.routing_keys", {**books, **OPEN, "PAGERDUTY_ROUTING_KEYS": {**KEYS, "default": "u+notakey"}})
    assert (found.status, "default" in found.found, "notakey" in found.found) == (BROKEN, True, False)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({**KEYS, "ceo": "a" * 32}, ""),
        ({**KEYS, "default": "a" * 32, "ceo": "d" * 32}, "default, pd-platform share"),
        ({**KEYS, "ceo": "d" * 32, "pd-plattform": "e" * 32}, "pd-plattform"),
        (KEYS, "no routing key for ceo"),
    ],
)
async def test_shared_unknown_and_unescalated_names_are_worth_a_look(books: dict[str, object], keys: dict[str, str], said: str):
    found = await one("paging.routing_keys", {**books, **OPEN, "PAGERDUTY_ROUTING_KEYS": keys})
    assert found.status is WARNING
    assert said in found.found


MAIL = {"SRE_AGENT_MAIL_FROM": "sre@corp.test"}


@pytest.fixture
def mailed(tmp_path: Path) -> dict[str, object]:
    routing = {"receivers": RECEIVERS, "emails": {"pd-ai-eng": "ai@corp.test"}}
    return {"SRE_AGENT_POLICY_DATA": declared(tmp_path / "mailed", routing=routing)}


async def test_a_mail_server_that_lets_us_in_is_well_and_gets_no_mail(mailed: dict[str, object]):
    with SmtpStandIn(login=("agent", "s3cr3t")) as server:
        found = await one("paging.mail", {**mailed, **MAIL, "SRE_AGENT_SMTP_URL": server.url})
        assert (found.status, found.found) == (OK, "the mail server takes mail for pd-ai-eng")
        assert server.letters == []
        server.login = ("agent", "changed")
        refused = await one("paging.mail", {**mailed, **MAIL, "SRE_AGENT_SMTP_URL": server.url.replace("changed", "s3cr3t")})
        assert (refused.status, "s3cr3t" in refused.found) == (BROKEN, False)


async def test_addresses_without_a_server_a_server_without_addresses_and_half_a_server_are_told(
    books: dict[str, object], mailed: dict[str, object]
):
    assert (await one("paging.mail", books)).status is SKIPPED
    assert "pd-ai-eng" in (await one("paging.mail", mailed)).found
    half = await one("paging.mail", {**mailed, **MAIL})
    assert (half.status, "SRE_AGENT_SMTP_URL" in half.found) == (BROKEN, True)
    with SmtpStandIn() as server:
        idle = await one("paging.mail", {**books, **MAIL, "SRE_AGENT_SMTP_URL": server.url})
    assert (idle.status, "emails" in idle.todo) == (WARNING, True)
