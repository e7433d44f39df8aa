"""Signing in at an issuer, through real HTTP to a stand-in that signs for real, and lies when told."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from sre_agent.incident.errors import ConfigurationError
from sre_agent.testing.oidc import CLIENT, SECRET, Lie, OidcIssuer, User
from sre_agent.web.oidc import Client, Issuer, safe_to_ask
from tests.web.at_the_door import BACK, Door, at_issuer, signed_in


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def issuer(door: Door):
    with OidcIssuer(door.watch, frozenset({BACK})) as issuer:
        door.with_issuer(issuer)
        yield issuer


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
    assert "alert(1)" not in answer.text


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
