"""The cookie of a sign-in: what it holds, how long it counts, and every way in which it does not."""

import base64
import json
import zlib
from dataclasses import replace

import pytest
from itsdangerous import URLSafeSerializer

from sre_agent.web.session import Session, Sessions
from tests.web.at_the_door import HERE, KEY, PUBLIC, STRANGER, Door, Watch

LOCAL = "http://127.0.0.1:8080"


class _Issuer:
    """Stands where an issuer is set up, for sessions alone."""

    host = "id.example"


@pytest.fixture
def door() -> Door:
    door = Door()
    door.use(replace(door.entrance, issuer=_Issuer()))
    return door


def cookie(door: Door, identity: str = "ana@example.com", via: str = "oidc") -> str:
    """The value of a fresh cookie."""
    return door.entrance.sessions.begin(via, identity, door.watch.now()).partition(";")[0].partition("=")[2]


async def who(door: Door, value: str, name: str = "__Host-sre_agent") -> str | None:
    """Who the app sees; None when it was not reached."""
    door.behind.reached.clear()
    await door.browser().get("/", headers={"cookie": f"{name}={value}".encode("latin-1")})
    return door.behind.reached[0]["name"] if door.behind.reached else None


async def test_a_session_is_its_identity_for_eight_hours(door: Door):
    value = cookie(door)
    assert await who(door, value) == "Ana Example"
    door.watch.later(hours=8, seconds=-1)
    assert await who(door, value) == "Ana Example"
    door.watch.later(seconds=1)
    assert await who(door, value) is None


async def test_use_does_not_lengthen_a_session(door: Door):
    value = cookie(door)
    for _ in range(8):
        door.watch.later(hours=1)
        last = await who(door, value)
    assert last is None


async def test_a_session_from_the_future_is_none(door: Door):
    value = cookie(door)
    door.watch.later(minutes=-2)
    assert await who(door, value) is None


def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(door: Door):
    flags = door.entrance.sessions.begin("oidc", "ana@example.com", door.watch.now()).split("; ")
    assert flags[0].startswith("__Host-sre_agent=")
    assert set(flags[1:]) == {"Path=/", "Max-Age=28800", "HttpOnly", "SameSite=Lax", "Secure"}
    assert Sessions(KEY, "x", secure=False).begin("token", "x", door.watch.now()).startswith("sre_agent=")


def test_the_cookie_says_who_and_since_when_and_nothing_of_roles(door: Door):
    payload = cookie(door).rsplit(".", 1)[0]
    raw = base64.urlsafe_b64decode(payload.lstrip(".") + "==")
    held = json.loads(zlib.decompress(raw) if payload.startswith(".") else raw)
    assert set(held) == {"via", "identity", "issued", "seed"}


async def test_every_changed_character_ends_it(door: Door):
    value = cookie(door)
    for at in range(0, len(value), 3):
        other = "A" if value[at] != "A" else "B"
        # The last character of base64 carries bits that say nothing.
        if at < len(value) - 1:
            assert await who(door, value[:at] + other + value[at + 1 :]) is None, at


def _forged(key: bytes, salt: str, content: object) -> str:
    kwargs = {"key_derivation": "hmac", "digest_method": __import__("hashlib").sha256}
    return URLSafeSerializer(key, salt=salt, signer_kwargs=kwargs).dumps(content)


async def test_the_forger_of_these_tests_can_forge_with_the_key(door: Door):
    content = {"via": "oidc", "identity": "ben@example.com", "issued": int(door.watch.now().timestamp()), "seed": "s" * 32}
    assert await who(door, _forged(KEY, "session test", content)) == "Ben Example"


@pytest.mark.parametrize(
    ("key", "salt", "changed"),
    [
        (b"x" * 32, "session test", {}),
        (KEY, "session other", {}),
        (KEY, "pending test", {}),
        (KEY, "session test", {"via": "proxy"}),
        (KEY, "session test", {"via": "token"}),
        (KEY, "session test", {"identity": ""}),
        (KEY, "session test", {"identity": None}),
        (KEY, "session test", {"issued": str(int(Watch().now().timestamp()))}),
        (KEY, "session test", {"issued": Watch().now().timestamp()}),
        (KEY, "session test", {"issued": True}),
        (KEY, "session test", {"seed": ""}),
        (KEY, "session test", {"role": "ADMIN"}),
    ],
)
async def test_what_we_would_not_have_signed_is_none(key: bytes, salt: str, changed: dict, door: Door):
    now = int(door.watch.now().timestamp())
    content = {"via": "oidc", "identity": "ben@example.com", "issued": now, "seed": "s" * 32, **changed}
    assert await who(door, _forged(key, salt, content)) is None


@pytest.mark.parametrize("value", ["", ".", "..", "a.b", "null", "\xff", "eyJ9", "." * 4000, "a" * 60_000, "%00", "=", '"x"'])
async def test_rubbish_in_the_cookie_is_nobody(value: str, door: Door):
    assert await who(door, value) is None


async def test_two_cookies_of_the_name_are_one_too_many(door: Door):
    value = cookie(door)
    browser = door.browser()
    for sent in (f"__Host-sre_agent={value}; __Host-sre_agent={value}", f"__Host-sre_agent=x; __Host-sre_agent={value}"):
        assert (await browser.get("/", headers={"cookie": sent})).status_code == 303
    twice = [("cookie", f"__Host-sre_agent={value}"), ("cookie", "__Host-sre_agent=x")]
    assert (await browser.get("/", headers=twice)).status_code == 303
    assert (await browser.get("/", headers={"cookie": f"a=1; __Host-sre_agent={value}; b"})).status_code == 200


async def test_the_name_without_its_guard_does_not_count_where_https_is_used(door: Door):
    assert await who(door, cookie(door), "sre_agent") is None


async def test_a_session_counts_only_while_its_door_is_there(door: Door):
    value = cookie(door)
    door.use(replace(door.entrance, issuer=None))
    assert await who(door, value) is None


async def test_another_key_ends_every_session(door: Door):
    value = cookie(door)
    door.use(replace(door.entrance, sessions=Sessions(b"n" * 32, "test", secure=True)))
    assert await who(door, value) is None


async def test_another_issuer_ends_every_session(door: Door):
    value = cookie(door)
    door.use(replace(door.entrance, sessions=Sessions(KEY, "another", secure=True)))
    assert await who(door, value) is None


async def test_a_session_is_none_under_a_name_that_is_not_ours(door: Door):
    sent = {"cookie": f"__Host-sre_agent={cookie(door)}", "host": "evil.example"}
    assert (await door.browser().get("/", headers=sent)).status_code == 303


async def test_signing_out_takes_the_cookie_and_refuses_its_copies(door: Door):
    value = cookie(door)
    browser = door.browser()
    headers = {"cookie": f"__Host-sre_agent={value}", "origin": PUBLIC}
    csrf = (await browser.get("/", headers=headers)).json()["csrf"]
    answer = await browser.post("/sign-out", headers=headers, data={"csrf": csrf})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "__Host-sre_agent=; Path=/; Max-Age=0" in answer.headers["set-cookie"]
    assert await who(door, value) is None
    assert await who(door, cookie(door)) == "Ana Example"


async def test_signing_out_takes_more_than_a_link(door: Door):
    headers = {"cookie": f"__Host-sre_agent={cookie(door)}"}
    await door.browser().get("/sign-out", headers=headers)
    assert (await door.browser().post("/sign-out", headers={**headers, "origin": PUBLIC})).status_code == 403
    assert (await door.browser().get("/", headers=headers)).status_code == 200


def test_ended_sessions_are_forgotten_when_they_would_have_ended_anyway(door: Door):
    sessions, now = door.entrance.sessions, door.watch.now
    for number in range(50):
        sessions.end(Session(via="oidc", identity="a", issued=int(now().timestamp()), seed=f"{number:032}"), now())
        door.watch.later(hours=1)
    assert len(sessions._ended) <= 9


async def test_a_printed_token_is_good_once_on_this_machine_and_for_looking(door: Door):
    door.with_token()
    first = door.token
    async with door.browser(HERE, LOCAL) as browser:
        answer = await browser.get("/sign-in/token", params={"token": first})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        seen = (await browser.get("/")).json()
        assert (seen["role"], seen["person"], seen["via"]) == ("VIEWER", None, "token")
    async with door.browser(HERE, LOCAL) as again:
        assert (await again.get("/sign-in/token", params={"token": first})).status_code == 403
        assert door.token != first
        assert (await again.post("/sign-in/token", data={"token": door.token})).status_code == 303
    assert len(door.told) == 3
    assert all(told.startswith(f"{LOCAL}/sign-in/token?token=") for told in door.told)


@pytest.mark.parametrize(
    ("peer", "base", "headers"),
    [
        (STRANGER, LOCAL, {}),
        (HERE, "http://evil.example", {}),
        (HERE, "http://127.0.0.1.evil.example", {}),
        (HERE, LOCAL, {"X-Forwarded-For": "127.0.0.1"}),
        (HERE, LOCAL, {"Forwarded": "for=127.0.0.1"}),
        (HERE, LOCAL, {"X-Forwarded-Email": "ana@example.com"}),
        ("::ffff:203.0.113.9", LOCAL, {}),
        (None, LOCAL, {}),
    ],
)
async def test_a_printed_token_and_its_session_are_nothing_elsewhere(peer: str | None, base: str, headers: dict, door: Door):
    door.with_token()
    first = door.token
    async with door.browser(peer, base) as browser:
        assert (await browser.get("/sign-in/token", params={"token": first}, headers=headers)).status_code == 403
    assert door.token == first, "a try from elsewhere does not use it up"
    value = cookie(door, "x", "token")
    async with door.browser(HERE, LOCAL) as browser:
        assert (await browser.get("/", headers={"cookie": f"sre_agent={value}"})).status_code == 200
    async with door.browser(peer, base) as browser:
        assert (await browser.get("/", headers={"cookie": f"sre_agent={value}", **headers})).status_code == 303


@pytest.mark.parametrize("given", ["", "x", "\ud800", "ä", "a" * 50_000])
async def test_a_wrong_token_is_refused(given: str, door: Door):
    door.with_token()
    async with door.browser(HERE, LOCAL) as browser:
        sent = given.encode("utf-8", "surrogatepass")
        answer = await browser.post(
            "/sign-in/token", content=b"token=" + sent, headers={"content-type": "application/x-www-form-urlencoded"}
        )
    assert answer.status_code in (400, 403)
    assert len(door.told) == 1


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT"])
async def test_asking_otherwise_does_not_use_a_token_up(method: str, door: Door):
    door.with_token()
    async with door.browser(HERE, LOCAL) as browser:
        assert (await browser.request(method, "/sign-in/token", params={"token": door.token})).status_code == 405
    assert len(door.told) == 1


async def test_a_token_session_is_nothing_once_another_way_in_is_set_up(door: Door):
    entrance = door.entrance
    value = cookie(door.with_token(), "x", "token")
    door.use(replace(entrance, sessions=door.entrance.sessions))
    async with door.browser(HERE, LOCAL) as browser:
        assert (await browser.get("/", headers={"cookie": f"sre_agent={value}"})).status_code == 303
        assert (await browser.get("/sign-in/token?token=x")).status_code == 404


async def test_an_identity_of_a_token_is_no_person_whatever_it_says(door: Door):
    value = cookie(door.with_token(), "ben@example.com", "token")
    async with door.browser(HERE, LOCAL) as browser:
        seen = (await browser.get("/", headers={"cookie": f"sre_agent={value}"})).json()
    assert (seen["role"], seen["person"]) == ("VIEWER", None)
