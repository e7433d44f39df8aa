"""What the front lets through: nothing but what it names, without a visitor."""

import asyncio
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.web.front import OPEN_TO_ALL
from sre_agent.web.peers import asked_from_here
from tests.web.at_the_door import HERE, PROXY, STRANGER, Door

EMAIL = "X-Forwarded-Email"
EVERY_KIND = [
    "/",
    "/healthz",
    "/static/x",
    "/sign-out",
    "/sign-in",
    "/sign-in/token",
    "/api/v1/x",
    "/webhooks/pagerduty",
]
"""One path of each kind; before /sign-in those whose pages have forms, or that no page comes from."""


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/incidents",
        "/healthz/",
        "/healthzx",
        "/readyz/x",
        "/static",
        "/statics/x",
        "/static/../incidents",
        "/static/..",
        "/sign-inx",
        "/sign-in/",
        "/sign-in/x",
        "/sign-in/oidc/callback/x",
        "/sign-out",
        "/webhooks/pagerduty/",
        "//healthz",
        "/HEALTHZ",
        "/healthz;x",
        "/api",
        "/metrics/",
    ],
)
async def test_what_is_not_named_is_not_open(path: str, door: Door):
    scope = _scope("GET", path, STRANGER, [])
    status, headers = await _asked(door, scope)
    assert status in (303, 401)
    assert headers.get("location", "/sign-in").startswith("/sign-in")
    assert door.behind.reached == []


async def test_doors_health_static_and_sign_in_answer_everybody(door: Door):
    async with door.browser(STRANGER) as browser:
        for path in ("/healthz", "/readyz", "/static/app.css", "/sign-in", "/webhooks/pagerduty"):
            assert (await browser.get(path)).status_code == 200
            assert (await browser.head("/static/app.css")).status_code == 200
    assert {seen["role"] for seen in door.behind.reached} == {None}


async def test_a_door_learns_nothing_of_a_visitor(door: Door):
    answer = await door.browser(PROXY).post("/webhooks/pagerduty", headers={EMAIL: "ben@example.com"})
    assert answer.json() == {"door": True, "visitor": False}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_static_files_are_only_read(method: str, door: Door):
    assert (await door.browser(STRANGER).request(method, "/static/app.css")).status_code == 303
    assert door.behind.reached == []


async def test_nobody_gets_json_a_new_page_or_the_sign_in_page_as_they_can_use_it(door: Door):
    async with door.browser(STRANGER) as browser:
        for path in ("/api/v1/incidents", "/api/v1", "/api/v2/x", "/metrics"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json")
        page = await browser.get("/incidents/Q1?tab=evidence", headers={"accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=/incidents/Q1%3Ftab%3Devidence")
        part = {"hx-request": "true", "hx-current-url": "https://sre.example/incidents/Q1"}
        for answer in (await browser.get("/incidents/Q1/part", headers=part), await browser.post("/x", headers=part)):
            assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in?next=/incidents/Q1")
        head = await browser.head("/incidents")
        assert (head.status_code, head.text) == (303, "")
        assert (await browser.options("/incidents")).status_code == 303


@pytest.mark.parametrize(
    "there", ["https://[", "//evil.example/x", "https://evil.example//x", "javascript:x", "", "/x", "https://a/\\b"]
)
async def test_what_htmx_says_of_its_page_leads_nowhere_else(there: str, door: Door):
    answer = await door.browser(STRANGER).get("/x", headers={"hx-request": "true", "hx-current-url": there})
    assert answer.headers["hx-redirect"] == "/sign-in?next=/"


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/api/v1/halt"), ("POST", "/api/v1/incidents"), ("DELETE", "/api/v1/x"), ("POST", "/metrics")]
)
async def test_this_machine_writes_nothing_but_the_kill_switch_without_a_sign_in(method: str, path: str, door: Door):
    async with door.browser(HERE, "http://localhost:8080") as here:
        assert (await here.request(method, path)).status_code == 401
        assert (await here.post("/api/v1/halt")).status_code == 200
    assert len(door.behind.reached) == 1


async def test_a_websocket_gets_nowhere(door: Door):
    said = []

    async def nothing():
        return {"type": "websocket.connect"}

    async def keep(message):
        said.append(message)

    await door.front({"type": "websocket", "path": "/", "headers": [], "client": (HERE, 1)}, nothing, keep)
    assert said == [{"type": "websocket.close", "code": 1008}]
    assert door.behind.reached == []


async def test_preflights_are_never_granted(door: Door):
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST", EMAIL: "ana@example.com"}
    for path in ("/", "/api/v1/halt", "/sign-in", "/healthz"):
        answer = await door.browser(PROXY).options(path, headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("peer", [STRANGER, PROXY, HERE])
@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/sign-in", "/sign-in/token", "/api/v1/x", "/webhooks/pagerduty", "/static/x", "/sign-out"]
)
async def test_every_answer_has_the_strict_headers_once_whatever_the_app_says(path: str, peer: str, door: Door):
    answer = await door.browser(peer).get(path, headers={EMAIL: "ana@example.com"} if peer == PROXY else {})
    [policy] = answer.headers.get_list("content-security-policy")
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert answer.headers.get_list("cache-control") == (["public"] if path.startswith("/static/") else ["no-store"])
    quiet = EVERY_KIND.index(path) >= EVERY_KIND.index("/sign-in")
    assert answer.headers["referrer-policy"] == ("no-referrer" if quiet else "same-origin")


async def test_without_https_no_browser_is_told_to_use_it(door: Door):
    answer = await door.with_token().browser(HERE, "http://127.0.0.1:8080").get("/sign-in")
    assert "strict-transport-security" not in answer.headers


async def test_the_sign_in_page_has_nothing_inline_and_escapes_what_it_is_told(door: Door):
    for made in (door, Door().with_token()):
        page = (await made.browser(HERE, "http://127.0.0.1:8080").get("/sign-in?next=/%22%3E%3Cscript%3E")).text
        assert not re.search(r"<script(?! src=./static/)|<style|\sstyle=|\son\w+=|javascript:|https?://(?!sre\.example)", page)
        assert '<html lang="en"' in page


_NAMED = "/ /incidents /metrics /api/v1/incidents /api/v1/halt /api/v1/resume /healthz /static/a /static/../a /sign-in /sign-out"
_PATHS = st.sampled_from(_NAMED.split()) | st.text("/abc.%;\\", min_size=1, max_size=12).map("/".__add__)
_NEAR = ["10.0.7.16", "unix", "", None, STRANGER]
_PROXIES = [PROXY, "::ffff:10.0.7.5", "fd00:7::9"]
_PEERS = st.sampled_from([*_NEAR, *_PROXIES, HERE, "::1", "::ffff:127.0.0.1"])
_NAMES = b"host x-forwarded-email x_forwarded_email x-forwarded-for via cookie origin sec-fetch-site hx-request".split()
_USERS = [b"ana@example.com", b"ben@example.com", b"nobody"]
_OURS = [b"sre.example", b"localhost", b"127.0.0.1:8080"]
_VALUES = [*_USERS, *_OURS, b"evil.example", b"a,b", b"", b"\xff", b"https://sre.example", b"same-origin", b"__Host-sre_agent=x.y"]
_ANY = st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_VALUES)), max_size=4)
_PLAIN = st.sampled_from([[], [(b"host", b"localhost")], [(b"host", b"sre.example"), (b"x-forwarded-email", b"ana@example.com")]])
_HEADERS = st.builds(list.__add__, _PLAIN, _ANY)


@settings(max_examples=600, deadline=None)
@given(_PATHS, st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]), _PEERS, _HEADERS)
def test_nothing_reaches_the_app_without_a_visitor_but_what_is_open(path: str, method: str, peer: str | None, headers):
    door = Door()
    scope = _scope(method, path, peer, headers)
    asyncio.run(_asked(door, scope))
    for seen in door.behind.reached:
        is_open = path in OPEN_TO_ALL or (path.startswith("/static/") and method in ("GET", "HEAD", "OPTIONS"))
        here = asked_from_here(scope, EMAIL) and (f"{path}/".startswith("/api/v1/") or path == "/metrics")
        reads = method != "PUT" and (method != "POST" or path in ("/api/v1/halt", "/api/v1/resume"))
        if seen["role"] is None:
            assert is_open or (here and reads)
        else:
            # Whoever is somebody came over the proxy, named once, under a name that is ours, and changed nothing.
            sent = {name: [value for other, value in headers if other == name] for name in _NAMES}
            assert peer in _PROXIES
            assert len(sent[b"x-forwarded-email"]) == 1
            assert not sent[b"x_forwarded_email"]
            assert sent[b"host"] in [[name] for name in _OURS]
            assert method in ("GET", "HEAD", "OPTIONS") or seen["role"] == "ADMIN"


def _scope(method: str, path: str, peer: str | None, headers):
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": (peer, 1) if peer is not None else None,
        "scheme": "http",
        "server": ("127.0.0.1", 8080),
        "http_version": "1.1",
        "root_path": "",
    }


async def _asked(door: Door, scope) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer."""
    said = []

    async def body():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def keep(message):
        said.append(message)

    await door.front(scope, body, keep)
    assert [message["type"] for message in said].count("http.response.start") == 1
    return said[0]["status"], {name.decode(): value.decode() for name, value in said[0]["headers"]}
