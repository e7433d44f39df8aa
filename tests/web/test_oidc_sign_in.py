"""Signing in at an issuer, through real HTTP to a stand-in that signs for real, and lies when told."""

import asyncio
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sre_agent.incident.errors import ConfigurationError
from sre_agent.testing.http_stand_in import Misbehaviour, Reply
from sre_agent.testing.oidc import CLIENT, SECRET, Lie, OidcIssuer, User
from sre_agent.web import oidc
from sre_agent.web.entrance import Proxies
from sre_agent.web.oidc import Client, Issuer, safe_to_ask
from sre_agent.web.session import Sessions
from tests.web.at_the_door import KEY, PUBLIC, Door

BACK = f"{PUBLIC}/sign-in/oidc/callback"


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def issuer(door: Door):
    with OidcIssuer(door.watch, frozenset({BACK})) as issuer:
        client = Client(issuer.url, CLIENT, SECRET, BACK)
        sessions = Sessions(KEY, f"{issuer.url} {CLIENT}", secure=True)
        door.use(replace(door.entrance, issuer=Issuer(client, door.watch), sessions=sessions, proxies=Proxies()))
        yield issuer


async def at_issuer(browser: httpx.AsyncClient, to: str = "/incidents") -> str:
    """Goes to the issuer and signs in there; the address that the issuer sends the browser back to."""
    sent = await browser.get("/sign-in/oidc", params={"next": to})
    assert sent.status_code == 303, sent.text
    async with httpx.AsyncClient() as outside:
        returned = await outside.get(sent.headers["location"])
    assert returned.status_code == 302, returned.text
    return returned.headers["location"]


async def signed_in(browser: httpx.AsyncClient, to: str = "/incidents") -> httpx.Response:
    return await browser.get(await at_issuer(browser, to))


async def test_a_person_signs_in_and_comes_back_to_the_page(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        asked = await browser.get("/incidents?state=executing")
        assert asked.status_code == 303
        to = parse_qs(urlsplit(asked.headers["location"]).query)["next"][0]
        answer = await signed_in(browser, to)
        assert (answer.status_code, answer.headers["location"]) == (303, "/incidents?state=executing")
        seen = (await browser.get(answer.headers["location"])).json()
    assert (seen["role"], seen["person"], seen["name"], seen["via"]) == ("APPROVER", "ana", "Ana Example", "oidc")


async def test_state_nonce_and_verifier_are_new_each_time_and_the_challenge_is_hashed(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        sent = [parse_qs(urlsplit((await browser.get("/sign-in/oidc")).headers["location"]).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert sent[0][name] != sent[1][name]
        assert len(sent[0][name][0]) >= 43
    assert sent[0]["code_challenge_method"] == ["S256"]
    assert sent[0]["redirect_uri"] == [BACK]


WHY = {
    Lie.OTHER_AUDIENCE: "'aud'",
    Lie.FOREIGN_PARTY: "'azp'",
    Lie.OTHER_ISSUER: "'iss'",
    Lie.OTHER_NONCE: "'nonce'",
    Lie.NO_NONCE: "'nonce'",
    Lie.EXPIRED: "expired",
    Lie.FROM_TOMORROW: "future",
    Lie.ENDLESS: "'exp'",
    Lie.UNSIGNED: "'none' is not allowed",
    Lie.PUBLIC_AS_HMAC: "'HS256' is not allowed",
    Lie.UNPUBLISHED_KEY: "No key for kid",
    Lie.STOLEN_KEY_ID: "bad_signature",
    Lie.CHANGED_CLAIMS: "bad_signature",
    Lie.OTHER_ACCESS_TOKEN: "'at_hash'",
    Lie.NO_TOKEN: "without an id token",
    Lie.DESCRIBES_ANOTHER: "another issuer",
    Lie.PLAIN_ENDPOINT: "not https",
}


@pytest.mark.parametrize("lie", Lie)
async def test_what_an_issuer_must_not_issue_signs_nobody_in(lie: Lie, door: Door, issuer: OidcIssuer, caplog):
    async with door.browser() as browser:
        if lie in (Lie.DESCRIBES_ANOTHER, Lie.PLAIN_ENDPOINT):
            issuer.lie = lie
            answer = await browser.get("/sign-in/oidc")
        else:
            back = await at_issuer(browser)
            issuer.lie = lie
            answer = await browser.get(back)
        assert answer.status_code == 403
        assert "not believed" in answer.text
        assert (await browser.get("/")).status_code == 303
    assert door.behind.reached == []
    assert [WHY[lie] in record.reason for record in caplog.records if record.message == "sign_in_failed"] == [True]


@pytest.mark.parametrize(("offered", "secret"), [("client_secret_basic", SECRET), ("client_secret_post", SECRET), ("none", None)])
async def test_the_client_proves_itself_as_the_issuer_wants(offered: str, secret: str | None, door: Door, issuer: OidcIssuer):
    issuer.client_auth = (offered,)
    door.use(replace(door.entrance, issuer=Issuer(Client(issuer.url, CLIENT, secret, BACK), door.watch)))
    async with door.browser() as browser:
        assert (await signed_in(browser)).status_code == 303


async def test_a_wrong_secret_signs_nobody_in(door: Door, issuer: OidcIssuer):
    door.use(replace(door.entrance, issuer=Issuer(Client(issuer.url, CLIENT, "wrong", BACK), door.watch)))
    async with door.browser() as browser:
        assert (await signed_in(browser)).status_code == 403


@pytest.mark.parametrize(
    ("user", "role", "name"),
    [
        (User(), "APPROVER", "Ana Example"),
        (User(email="ben@example.com"), "ADMIN", "Ben Example"),
        (User(email_verified=False), "VIEWER", "248289761001"),
        (User(email_verified=None), "VIEWER", "248289761001"),
        (User(email_verified="true"), "VIEWER", "248289761001"),
        (User(email_verified=1), "VIEWER", "248289761001"),
        (User(email=None, email_verified=None), "VIEWER", "248289761001"),
        (User(email="", email_verified=True), "VIEWER", "248289761001"),
    ],
)
async def test_only_a_verified_address_is_an_address(user: User, role: str, name: str, door: Door, issuer: OidcIssuer):
    issuer.user = user
    async with door.browser() as browser:
        await signed_in(browser)
        seen = (await browser.get("/")).json()
    assert (seen["role"], seen["name"]) == (role, name)


@pytest.mark.parametrize(
    "user",
    [
        User(sub="ben@example.com", email=None),
        User(sub="ben@example.com", email_verified=False),
        User(sub="", email=None),
        User(email="ben@example.com\n"),
        User(email="b" * 400),
    ],
)
async def test_a_subject_that_could_pass_for_an_address_signs_nobody_in(user: User, door: Door, issuer: OidcIssuer):
    issuer.user = user
    async with door.browser() as browser:
        assert (await signed_in(browser)).status_code == 403


async def test_somebody_the_issuer_refuses_is_told_so(door: Door, issuer: OidcIssuer):
    issuer.user = None
    async with door.browser() as browser:
        answer = await signed_in(browser)
    assert answer.status_code == 403
    assert "did not sign you in" in answer.text


async def test_a_return_is_good_once(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        back = await at_issuer(browser)
        assert (await browser.get(back)).status_code == 303
        assert (await browser.get(back)).status_code == 400


async def test_a_code_is_good_once_even_with_everything_else_brought_again(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        back = await at_issuer(browser)
        kept = dict(browser.cookies)
        assert (await browser.get(back)).status_code == 303
        async with door.browser() as thief:
            thief.cookies.update(kept)
            assert (await thief.get(back)).status_code == 403


@pytest.mark.parametrize(
    "changed",
    [{"state": "guessed"}, {"state": ""}, {"state": None}, {"state": ["twice", "twice"]}, {"code": None}, {"code": "guessed"}],
)
async def test_a_return_that_answers_another_question_is_refused(changed: dict, door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        sent = {**parse_qs(urlsplit(await at_issuer(browser)).query), **changed}
        answer = await browser.get("/sign-in/oidc/callback", params={k: v for k, v in sent.items() if v is not None})
        assert answer.status_code in (400, 403)
        assert (await browser.get("/")).status_code == 303


async def test_somebody_elses_return_does_not_sign_this_browser_in(door: Door, issuer: OidcIssuer):
    """Login CSRF: the attacker signs in, and hands the address of the return to the victim."""
    async with door.browser() as attacker, door.browser() as victim:
        back = await at_issuer(attacker)
        assert (await victim.get(back)).status_code == 400
        await at_issuer(victim)
        assert (await victim.get(back)).status_code == 400


async def test_a_return_after_ten_minutes_is_too_late(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        back = await at_issuer(browser)
        door.watch.later(minutes=10)
        assert (await browser.get(back)).status_code == 400


async def test_a_session_from_before_is_not_continued(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        await signed_in(browser)
        first = browser.cookies[door.entrance.sessions.name]
        csrf = (await browser.get("/")).json()["csrf"]
        door.watch.later(minutes=1)
        await signed_in(browser)
        assert browser.cookies[door.entrance.sessions.name] != first
        assert (await browser.get("/")).json()["csrf"] != csrf


async def test_a_new_key_of_the_issuer_is_fetched_and_the_old_one_no_longer_counts(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        assert (await signed_in(browser)).status_code == 303
        issuer.rotate()
        door.watch.later(seconds=11)
        assert (await signed_in(browser)).status_code == 303
    assert [asked.path for asked in issuer.asked].count("/keys") == 2


async def test_unknown_keys_do_not_make_us_ask_for_the_list_at_every_try(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        await signed_in(browser)
        issuer.lie = Lie.UNPUBLISHED_KEY
        for _ in range(5):
            assert (await signed_in(browser)).status_code == 403
    assert [asked.path for asked in issuer.asked].count("/keys") == 1


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


@pytest.mark.parametrize(
    "hostile",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/a//evil.example",
        "javascript:alert(1)",
        "/\tevil",
        "/\r\nSet-Cookie: x=1",
        "http:evil.example",
        "/sign-in/oidc",
        "/sign-out",
        "",
        "incidents",
        "/" + "a" * 600,
    ],
)
async def test_nobody_is_sent_elsewhere_after_signing_in(hostile: str, door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        assert (await signed_in(browser, hostile)).headers["location"] == "/"
        page = (await browser.get("/sign-in", params={"next": hostile})).text
        assert 'href="/sign-in/oidc?next=/"' in page


async def test_an_error_word_of_the_issuer_is_not_shown(door: Door, issuer: OidcIssuer):
    async with door.browser() as browser:
        state = parse_qs(urlsplit(await at_issuer(browser)).query)["state"][0]
        answer = await browser.get("/sign-in/oidc/callback", params={"state": state, "error": "<script>alert(1)</script>"})
    assert answer.status_code == 403
    assert "script" not in answer.text


@pytest.mark.parametrize(
    "address", ["http://id.example", "ftp://127.0.0.1", "https://", "http://127.0.0.1.evil.example", "https://["]
)
def test_an_issuer_that_others_could_play_is_refused_at_the_start(address: str, door: Door):
    with pytest.raises(ConfigurationError, match="https"):
        Issuer(Client(address, CLIENT, SECRET, BACK), door.watch)


@pytest.mark.parametrize(
    ("url", "beside", "safe"),
    [
        ("https://id.example/token", "https://id.example", True),
        ("https://keys.example/keys", "https://id.example", True),
        ("http://127.0.0.1:5556/token", "http://127.0.0.1:5556", True),
        ("http://127.0.0.1:5556/token", "https://id.example", False),
        ("http://id.example/token", "http://127.0.0.1:5556", False),
        ("file:///etc/passwd", "https://id.example", False),
    ],
)
def test_an_endpoint_is_https_unless_the_issuer_itself_is_on_this_machine(url: str, beside: str, safe: bool):
    assert safe_to_ask(url, beside) is safe


async def test_many_sign_in_at_once(door: Door, issuer: OidcIssuer):
    async def one() -> int:
        async with door.browser() as browser:
            return (await signed_in(browser)).status_code

    assert set(await asyncio.gather(*(one() for _ in range(10)))) == {303}
    asked = [asked.path for asked in issuer.asked]
    assert (asked.count("/.well-known/openid-configuration"), asked.count("/keys")) == (1, 1)
