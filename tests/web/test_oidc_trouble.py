"""An issuer that is slow, away, or broken: nobody is signed in, nothing secret is told, and it passes when it passes."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from sre_agent.testing.http_stand_in import Misbehaviour, Reply
from sre_agent.testing.oidc import SECRET, OidcIssuer
from sre_agent.web import oidc
from tests.web.at_the_door import BACK, Door, at_issuer, signed_in


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def issuer(door: Door):
    with OidcIssuer(door.watch, frozenset({BACK})) as issuer:
        door.with_issuer(issuer)
        yield issuer


@pytest.mark.parametrize(
    "trouble",
    [
        Misbehaviour("/", reply=Reply(503, "<html>down</html>", "text/html")),
        Misbehaviour("/", reply=Reply(429, "{}")),
        Misbehaviour("/", drop=True),
        Misbehaviour("/", reply=Reply(200, "not json")),
        Misbehaviour("/", reply=Reply(200, "[1]")),
        Misbehaviour("/", reply=Reply(200, "[" * 100_000)),
        Misbehaviour("/", reply=Reply(200, '{"issuer": "' + "x" * 300_000 + '"}')),
        Misbehaviour("/.well-known", reply=Reply(302, "", headers={"Location": "http://169.254.169.254/"})),
    ],
)
async def test_an_issuer_in_trouble_is_told_and_signs_nobody_in(trouble: Misbehaviour, door: Door, issuer: OidcIssuer):
    issuer.misbehave(trouble)
    async with door.browser() as browser:
        answer = await browser.get("/sign-in/oidc")
        assert answer.status_code in (403, 503)
        assert "the agent's log says why" in answer.text.replace("&#39;", "'")
        issuer.misbehave(None)
        assert (await signed_in(browser)).status_code == 303


@pytest.mark.parametrize("path", ["/token", "/keys"])
async def test_an_issuer_that_goes_away_in_the_middle_signs_nobody_in(path: str, door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        back = await at_issuer(browser)
        issuer.misbehave(Misbehaviour(path, drop=True))
        assert (await browser.get(back)).status_code == 503
        assert (await browser.get("/")).status_code == 303


async def test_an_issuer_that_never_answers_is_given_up(door: Door, issuer: OidcIssuer, monkeypatch):
    monkeypatch.setattr(oidc, "ALL_WITHIN", 0.1)
    issuer.misbehave(Misbehaviour("/.well-known", delay_s=1.0))
    async with door.browser() as browser:
        answers = await asyncio.gather(*(browser.get("/sign-in/oidc") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {503}


async def test_nothing_secret_is_shown_or_logged(door: Door, issuer: OidcIssuer, caplog):
    issuer.misbehave(
        Misbehaviour("/token", reply=Reply(400, '{"error": "invalid_client", "error_description": "not the secret s3cr3t"}'))
    )
    async with door.browser() as browser:
        back = await at_issuer(browser)
        answer = await browser.get(back)
    told = answer.text + " ".join(str(record.__dict__) for record in caplog.records if record.name.startswith("sre_agent"))
    code = parse_qs(urlsplit(back).query)["code"][0]
    assert "invalid_client" in told
    assert [secret for secret in (SECRET, code, "s3cr3t") if secret in told] == []


async def test_many_sign_in_at_once(door: Door, issuer: OidcIssuer):
    async def one() -> int:
        async with door.browser() as browser:
            return (await signed_in(browser)).status_code

    assert set(await asyncio.gather(*(one() for _ in range(10)))) == {303}
    asked = [asked.path for asked in issuer.asked]
    assert (asked.count("/.well-known/openid-configuration"), asked.count("/keys")) == (1, 1)
