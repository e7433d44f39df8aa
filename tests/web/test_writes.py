"""A write counts only when it comes from a page of ours, for the visitor it was made for."""

import asyncio

import httpx
import pytest

from sre_agent.web import forms
from sre_agent.web.forms import FORM_CAP
from tests.web.at_the_door import HERE, PROXY, PUBLIC, STRANGER, Door

EMAIL = "X-Forwarded-Email"
PATH = "/incidents/Q1/approve"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def ana(door: Door) -> httpx.AsyncClient:
    """Her browser, behind the proxy."""
    browser = door.browser(PROXY)
    browser.headers[EMAIL] = "ana@example.com"
    return browser


@pytest.fixture
async def csrf(ana: httpx.AsyncClient, door: Door) -> str:
    token = (await ana.get("/")).json()["csrf"]
    door.behind.reached.clear()
    return token


async def test_a_form_of_our_own_page_arrives_with_its_fields(ana, csrf: str, door: Door):
    answer = await ana.post(PATH, data={"csrf": csrf, "answer": "ja & nein", "empty": ""}, headers={"origin": PUBLIC})
    seen = answer.json()
    assert seen["person"] == "ana"
    assert seen["form"] == {"csrf": csrf, "answer": "ja & nein", "empty": ""}
    assert seen["body"].startswith("csrf="), "and can be read again"


async def test_a_header_stands_for_the_field(ana, csrf: str):
    for headers in ({"origin": PUBLIC}, {"sec-fetch-site": "same-origin"}, {"origin": PUBLIC, "sec-fetch-site": "same-origin"}):
        assert (await ana.post(PATH, headers={"x-csrf-token": csrf, **headers})).status_code == 200
    assert (await ana.delete(PATH, headers={"x-csrf-token": csrf, "origin": PUBLIC})).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        {},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "https://evil.example"},
        {"origin": "http://sre.example"},
        {"origin": "https://sre.example:8443"},
        {"origin": "https://sre.example.evil.example"},
        {"origin": "https://sre.example/"},
        {"origin": f"{PUBLIC} {PUBLIC}"},
        {"origin": "http://127.0.0.1:8080"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": ""},
        {"origin": PUBLIC, "sec-fetch-site": "cross-site"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
        {"referer": f"{PUBLIC}/"},
    ],
)
async def test_a_write_from_elsewhere_is_refused_even_with_the_token(origin: dict[str, str], ana, csrf: str, door: Door):
    answer = await ana.post(PATH, data={"csrf": csrf}, headers=origin)
    assert answer.status_code == 403
    assert "SRE_AGENT_PUBLIC_URL" in answer.text
    assert door.behind.reached == []


async def test_two_origins_are_one_too_many(ana, csrf: str, door: Door):
    sent = [("origin", PUBLIC), ("origin", PUBLIC), ("x-csrf-token", csrf)]
    assert (await ana.post(PATH, headers=sent)).status_code == 403
    assert door.behind.reached == []


@pytest.mark.parametrize("given", ["", "x", "CSRF", "wrong-length", "ä", None])
@pytest.mark.parametrize("way", ["field", "header", "query"])
async def test_a_write_without_the_visitors_own_token_is_refused(given: str | None, way: str, ana, csrf: str, door: Door):
    value = csrf.upper() if given == "CSRF" else given
    data = {"answer": "yes", **({"csrf": value} if way == "field" and value is not None else {})}
    headers = {"origin": PUBLIC, **({"x-csrf-token": value.encode()} if way == "header" and value is not None else {})}
    params = {"csrf": csrf} if way == "query" else {}
    answer = await ana.post(PATH, data=data, headers=headers, params=params)
    assert answer.status_code == 403
    assert csrf not in answer.text
    assert door.behind.reached == []


async def test_somebody_elses_token_is_refused(ana, csrf: str, door: Door):
    ben = door.browser(PROXY)
    answer = await ben.post(PATH, data={"csrf": csrf}, headers={"origin": PUBLIC, EMAIL: "ben@example.com"})
    assert answer.status_code == 403
    assert door.behind.reached == []


async def test_of_two_tokens_both_must_be_right(ana, csrf: str, door: Door):
    for body, header in ((f"csrf={csrf}&csrf=x", None), (f"csrf={csrf}", "x"), ("csrf=x", csrf)):
        headers = {"origin": PUBLIC, "content-type": FORM, **({"x-csrf-token": header} if header else {})}
        assert (await ana.post(PATH, content=body, headers=headers)).status_code == 403
    assert door.behind.reached == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "FROB"])
async def test_every_method_that_is_not_known_to_be_safe_needs_the_token(method: str, ana, csrf: str, door: Door):
    request = ana.build_request("GET", PATH, headers={"origin": PUBLIC})
    request.method = method
    assert (await ana.send(request)).status_code == 403
    assert door.behind.reached == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", "", f"{FORM}x"])
async def test_only_a_plain_form_is_read(kind: str, ana, csrf: str, door: Door):
    answer = await ana.post(PATH, content=f"csrf={csrf}", headers={"origin": PUBLIC, "content-type": kind, "x-csrf-token": csrf})
    assert answer.status_code == 415
    assert door.behind.reached == []


async def test_a_form_over_the_cap_is_refused_declared_or_not(ana, csrf: str, door: Door):
    fits = f"csrf={csrf}&x=".encode()
    fits += b"x" * (FORM_CAP - len(fits))
    headers = {"origin": PUBLIC, "content-type": FORM}
    assert (await ana.post(PATH, content=fits, headers=headers)).status_code == 200

    async def drip():
        yield fits
        yield b"x"

    for content in (fits + b"x", drip()):
        answer = await ana.post(PATH, content=content, headers=headers)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert len(door.behind.reached) == 1


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join(b"a=%d" % n for n in range(300)), b"no equals sign", b"&&&"])
async def test_a_form_that_is_none_is_refused(body: bytes, ana, csrf: str, door: Door):
    answer = await ana.post(PATH, content=body, headers={"origin": PUBLIC, "content-type": FORM, "x-csrf-token": csrf})
    assert answer.status_code == 400
    assert door.behind.reached == []


async def test_a_form_that_never_ends_is_given_up(ana, csrf: str, door: Door, monkeypatch):
    monkeypatch.setattr(forms, "READ_WITHIN", 0.05)
    never = asyncio.Event()

    async def stalls():
        yield b"csrf="
        await never.wait()

    answer = await ana.post(PATH, content=stalls(), headers={"origin": PUBLIC, "content-type": FORM})
    assert answer.status_code == 408
    assert door.behind.reached == []


async def test_a_stranger_cannot_even_make_us_read_a_form(door: Door):
    answer = await door.browser(STRANGER).post(PATH, content=b"x" * 100_000, headers={"origin": PUBLIC, "content-type": FORM})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/")


async def test_on_this_machine_the_page_is_of_the_address_it_was_asked_at(door: Door):
    door.with_token()
    async with door.browser(HERE, "http://localhost:8080") as browser:
        await browser.get("/sign-in/token", params={"token": door.token})
        csrf = (await browser.get("/")).json()["csrf"]
        for origin, status in (("http://localhost:8080", 200), ("http://localhost:9090", 403), ("http://127.0.0.1:8080", 403)):
            assert (await browser.post(PATH, data={"csrf": csrf}, headers={"origin": origin})).status_code == status


async def test_the_json_kill_switch_keeps_its_own_protection_and_is_an_admins_from_elsewhere(door: Door):
    proxied = door.browser(PROXY)
    for user, status in (("ana@example.com", 403), ("carl@example.com", 403), ("ben@example.com", 200)):
        for path in ("/api/v1/halt", "/api/v1/resume"):
            assert (await proxied.post(path, json={"reason": "x"}, headers={EMAIL: user})).status_code == status
            assert (await proxied.get(path, headers={EMAIL: user})).status_code == 200
            assert (await proxied.put(path, json={}, headers={EMAIL: user})).status_code in (403, 415)
    assert (await door.browser(HERE, "http://localhost").post("/api/v1/halt", json={"reason": "x"})).status_code == 200
    assert (await door.browser(STRANGER).post("/api/v1/halt", json={"reason": "x"})).status_code == 401
