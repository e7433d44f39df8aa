"""Who becomes a visitor, and as whom: peers, headers, names."""

from dataclasses import replace

import pytest

from sre_agent.approval.teams import Teams
from sre_agent.policy.people import People
from sre_agent.web.visitor import SCOPE_KEY, Role, Visitor
from tests.web.at_the_door import HERE, PROXY, STRANGER, Door

EMAIL = "X-Forwarded-Email"


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize(
    ("user", "role", "person"),
    [
        ("ana@example.com", "APPROVER", "ana"),
        ("ben@example.com", "ADMIN", "ben"),
        ("carl@example.com", "VIEWER", None),
        ("Ana@example.com", "VIEWER", None),
        ("ana", "VIEWER", None),
        ("ana@example.com.evil.example", "VIEWER", None),
    ],
)
async def test_a_proxys_user_gets_the_role_of_teams_yaml(user: str, role: str, person: str | None, door: Door):
    seen = (await door.browser(PROXY).get("/", headers={EMAIL: user})).json()
    assert (seen["role"], seen["person"], seen["via"]) == (role, person, "proxy")


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        (PROXY, True),
        ("::ffff:10.0.7.5", True),
        ("fd00:7::1", True),
        ("10.0.7.16", False),
        ("::ffff:10.0.7.16", False),
        (STRANGER, False),
        (HERE, False),
        ("::1", False),
        ("10.0.7.5.evil.example", False),
        ("", False),
        (None, False),
    ],
)
async def test_only_the_peers_address_makes_a_proxy(peer: str | None, believed: bool, door: Door):
    answer = await door.browser(peer).get("/incidents", headers={EMAIL: "ben@example.com"})
    assert answer.status_code == (200 if believed else 303)
    assert len(door.behind.reached) == believed


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": PROXY},
        {"Forwarded": f"for={PROXY}"},
        {"X-Real-IP": PROXY},
        {"X-Forwarded-For": HERE, "X-Forwarded-Host": "localhost"},
        {"X-Forwarded-User": "ben@example.com"},
        {"X-Auth-Request-Email": "ben@example.com"},
        {"Authorization": "Bearer x"},
    ],
)
async def test_what_a_stranger_says_of_its_way_gives_nothing(headers: dict[str, str], door: Door):
    for path in ("/", "/metrics", "/api/v1/incidents"):
        answer = await door.browser(STRANGER).get(path, headers={EMAIL: "ben@example.com", **headers})
        assert answer.status_code in (303, 401)
    assert door.behind.reached == []


@pytest.mark.parametrize(
    "sent",
    [
        [(EMAIL, "ana@example.com"), (EMAIL, "ben@example.com")],
        [(EMAIL, "ana@example.com"), (EMAIL, "ana@example.com")],
        [(EMAIL, "ana@example.com"), ("X_Forwarded_Email", "ben@example.com")],
        [("X_Forwarded_Email", "ben@example.com")],
        [("X-Forwarded_Email", "ben@example.com")],
        [(EMAIL, "ana@example.com,ben@example.com")],
        [(EMAIL, "ana@example.com, ben@example.com")],
        [(EMAIL, "ana@example.com ben@example.com")],
        [(EMAIL, "ana@example.com;ben@example.com")],
        [(EMAIL, "ana@example.com\x00")],
        [(EMAIL, "ana@example.com\x0bx")],
        [(EMAIL, b"\xff\xfe")],
        [(EMAIL, "a" * 321)],
    ],
)
async def test_a_proxys_user_that_is_not_one_word_said_once_is_refused(sent, door: Door):
    answer = await door.browser(PROXY).get("/", headers=sent)
    assert answer.status_code == 403
    assert door.behind.reached == []


@pytest.mark.parametrize("user", ["", " ", "\t"])
async def test_a_proxy_that_names_nobody_brings_nobody(user: str, door: Door):
    assert (await door.browser(PROXY).get("/", headers={EMAIL: user})).status_code == 303


@pytest.mark.parametrize(
    ("host", "believed"),
    [
        ("sre.example", True),
        ("SRE.example:443", True),
        ("10.0.7.20:8080", True),
        ("127.0.0.1:8080", True),
        ("[fd00::1]:8080", True),
        ("localhost", True),
        ("evil.example", False),
        ("sre.example:8080", False),
        ("sre.example.evil.example", False),
        ("sre.example@evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
async def test_a_proxy_is_believed_only_under_our_name_or_an_address(host: str, believed: bool, door: Door):
    answer = await door.browser(PROXY).get("/", headers={EMAIL: "ana@example.com", "Host": host})
    assert answer.status_code == (200 if believed else 403)


async def test_a_loopback_peer_with_the_proxys_header_is_not_this_machine(door: Door):
    here = door.browser(HERE, "http://127.0.0.1:8080")
    assert (await here.get("/metrics")).status_code == 200
    for header in (EMAIL, "X_Forwarded_Email", "X-Forwarded-Proto", "Via"):
        assert (await here.get("/metrics", headers={header: "ana@example.com"})).status_code == 401


async def test_another_header_can_be_the_proxys(door: Door):
    door.use(replace(door.entrance, proxies=replace(door.entrance.proxies, header="X-Goog-User")))
    seen = (await door.browser(PROXY).get("/", headers={"x-goog-user": "ana@example.com"})).json()
    assert seen["person"] == "ana"
    assert (await door.browser(PROXY).get("/", headers={EMAIL: "ana@example.com"})).status_code == 303
    assert (await door.browser(HERE, "http://localhost").get("/metrics", headers={"X-Goog-User": "x"})).status_code == 401


async def test_whoever_is_taken_out_of_the_file_is_a_viewer_after_the_restart(door: Door):
    door.use(replace(door.entrance, teams=Teams(People(people=(), teams={}))))
    assert (await door.browser(PROXY).get("/", headers={EMAIL: "ben@example.com"})).json()["role"] == "VIEWER"


async def test_nobody_brings_a_visitor_along(door: Door):
    """Only the front may put a visitor into the scope."""
    forged = Visitor(Role.ADMIN, "ben", "Ben", "oidc", "x")
    answers = []
    for path in ("/healthz", "/static/app.css", "/"):
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [],
            "client": (STRANGER, 1),
            SCOPE_KEY: forged,
        }

        async def nothing():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def keep(message):
            answers.append(message)

        await door.front(scope, nothing, keep)
    assert [seen["role"] for seen in door.behind.reached] == [None, None]
