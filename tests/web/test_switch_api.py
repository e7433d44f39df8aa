"""The kill switch over HTTP: who may move it, from where, and what a web page gets."""

import pytest

from sre_agent.incident.errors import Transient

REASON = {"reason": "restarts look wrong"}
GO = {"person": "ana", "reason": "looked at"}
BEARER = {"authorization": "Bearer ana's own random token"}


async def stands(local) -> bool:
    return (await local.get("/api/v1/halt")).json()["engaged"]


async def test_it_is_engaged_with_a_reason_and_on_record(local, shelf):
    answer = await local.post("/api/v1/halt", json={**REASON, "by": "ben"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["engaged"], told["by"], told["reason"], told["cause"]) == (True, "ben", "restarts look wrong", "person")
    assert (await local.get("/api/v1/halt")).json() == told
    (record,) = await shelf.audit(None)
    assert (record.entry.kind, record.entry.actor) == ("halt_engaged", "ben")


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 501}, {"reason": "x", "engaged": False}])
async def test_without_a_reason_nothing_moves(local, body, shelf):
    assert (await local.post("/api/v1/halt", json=body)).status_code == 422
    assert await shelf.audit(None) == ()


async def test_a_person_resumes_by_their_token(local, shelf):
    await local.post("/api/v1/halt", json=REASON)
    answer = await local.post("/api/v1/resume", json=GO, headers=BEARER)
    assert (answer.status_code, answer.json()["engaged"], answer.json()["by"]) == (200, False, "ana")
    assert [r.entry.actor for r in await shelf.audit(None)] == ["somebody on this machine", "ana"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, GO, 401),
        ({"authorization": "Basic YW5hOmFuYQ=="}, GO, 401),
        ({"authorization": "Bearer "}, GO, 401),
        ({"authorization": "Bearer guessed"}, GO, 403),
        (BEARER, {**GO, "person": "sre-agent"}, 403),
        (BEARER, {**GO, "person": "ben"}, 403),
        (BEARER, {"person": "ana"}, 422),
        (BEARER, {**GO, "reason": " "}, 422),
    ],
)
async def test_nobody_resumes_without_their_own_token_and_a_reason(local, headers, body, status):
    await local.post("/api/v1/halt", json=REASON)
    answer = await local.post("/api/v1/resume", json=body, headers=headers)
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert await stands(local)


@pytest.mark.parametrize("path", ["/api/v1/halt", "/api/v1/resume"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8080"}, 403),
        ({"host": "rebound.example"}, 403),
        ({"x-forwarded-for": "10.0.0.1"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/jsonx"}, 415),
        ({"content-type": ""}, 415),
    ],
)
async def test_a_web_page_or_a_proxy_moves_nothing(local, shelf, path, headers, status):
    body = b'{"reason": "x"}' if path.endswith("halt") else b'{"person": "ana", "reason": "x"}'
    sent = {"content-type": "application/json", **BEARER, **headers}
    assert (await local.post(path, content=body, headers=sent)).status_code == status
    assert await shelf.audit(None) == ()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_other_machines_neither_see_nor_move_it(remote, method, shelf):
    assert (await remote.request(method, "/api/v1/halt", json=REASON)).status_code == 403
    assert (await remote.post("/api/v1/resume", json=GO, headers=BEARER)).status_code == 403
    assert await shelf.audit(None) == ()


async def test_what_cannot_be_read_is_engaged_and_what_cannot_be_written_is_503(local, switch):
    switch.failure = Transient("the database is away")
    told = (await local.get("/api/v1/halt")).json()
    assert (told["engaged"], told["cause"]) == (True, "unreadable")
    assert "the database is away" in told["reason"]
    assert (await local.post("/api/v1/halt", json=REASON)).status_code == 503
    assert (await local.post("/api/v1/resume", json=GO, headers=BEARER)).status_code == 503


async def test_readyz_and_metrics_tell_that_it_is_engaged_and_why(local, remote, switch):
    assert "notes" not in (await remote.get("/readyz")).json()
    assert 'sre_agent_halted{cause="person"} 0.0' in (await local.get("/metrics")).text
    await local.post("/api/v1/halt", json=REASON)
    answer = await remote.get("/readyz")
    assert answer.status_code == 200
    assert "halted by a person" in answer.json()["notes"]["kill switch"]
    assert "restarts look wrong" not in answer.text  # everybody may ask; what people wrote is for this machine
    assert 'sre_agent_halted{cause="person"} 1.0' in (await local.get("/metrics")).text
    switch.failure = Transient("the database is away")
    assert 'sre_agent_halted{cause="unreadable"} 1.0' in (await local.get("/metrics")).text
