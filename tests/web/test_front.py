"""Where nobody can sign in: doors and health answer everybody, the rest this machine only; in doubt, no."""

import pytest

from sre_agent.web.peers import asked_from_here

CLOSED = [
    "/metrics",
    "/api/v1/incidents",
    "/api/v1/incidents/Q1",
    "/api/v1/openapi.json",
    "/",
    "/anything",
    "/healthz/",
    "/webhooksx",
]


@pytest.mark.parametrize("path", CLOSED)
async def test_everything_but_doors_and_health_refuses_other_machines(path: str, remote):
    answer = await remote.get(path)
    assert answer.status_code == 403
    assert "this machine only" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_answers_everybody(path: str, remote):
    assert (await remote.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/incidents", "/api/v1/openapi.json"])
async def test_this_machine_may_ask(path: str, local):
    assert (await local.get(path)).status_code == 200


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "x-forwarded-host", "X_Forwarded_For", "X-Forwarded-Email"]
)
async def test_a_proxy_on_this_machine_does_not_make_the_world_local(header: str, local):
    assert (await local.get("/api/v1/incidents", headers={header: "127.0.0.1"})).status_code == 403


async def test_a_page_that_rebinds_its_name_to_us_is_refused(local):
    assert (await local.get("/api/v1/incidents", headers={"host": "evil.example:8080"})).status_code == 403


@pytest.mark.parametrize(
    ("client", "host", "expected"),
    [
        (("127.0.0.1", 1), b"localhost:8080", True),
        (("127.3.2.1", 1), b"LOCALHOST", True),
        (("::1", 1), b"[::1]:8080", True),
        (("::ffff:127.0.0.1", 1), b"127.0.0.1", True),
        (("::ffff:203.0.113.9", 1), b"127.0.0.1", False),
        (("203.0.113.9", 1), b"127.0.0.1", False),
        (("testclient", 1), b"127.0.0.1", False),
        (None, b"127.0.0.1", False),
        (("127.0.0.1", 1), b"127.0.0.1.evil.example", False),
        (("127.0.0.1", 1), b"localhost.evil.example", False),
        (("127.0.0.1", 1), b"[", False),
        (("127.0.0.1", 1), b"", False),
        (("127.0.0.1", 1), b"\xff\xfe", False),
        (("127.0.0.1", 1), None, False),
    ],
)
def test_only_a_loopback_peer_asking_a_loopback_name_is_from_here(client, host, expected: bool):
    headers = [] if host is None else [(b"host", host)]
    assert asked_from_here({"type": "http", "client": client, "headers": headers}) is expected


def test_two_host_headers_are_one_too_many():
    headers = [(b"host", b"localhost"), (b"host", b"localhost")]
    assert not asked_from_here({"type": "http", "client": ("127.0.0.1", 1), "headers": headers})


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/incidents", "/webhooks/pagerduty", "/nowhere"])
async def test_every_answer_carries_security_headers(path: str, local, remote):
    for client in (local, remote):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
