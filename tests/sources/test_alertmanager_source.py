from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.fetch import fetch
from sre_agent.sources.alertmanager import MAX_ALERTS, PATHS, AlertmanagerEndpoint, AlertmanagerSource
from sre_agent.testing.alertmanager import AlertmanagerStandIn
from sre_agent.testing.http_stand_in import Asked, Misbehaviour, Reply

pytestmark = pytest.mark.slow

ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=5)
OWN = {"alertname": "ApiDown", "namespace": "voice", "service": "api"}
SCOPE = Scope(
    incident=Incident(
        id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"), alerts=(Alert(labels=OWN),)
    ),
    now=NOW,
    onset=ONSET,
    window=Window.before(NOW, timedelta(minutes=30)),
    change_window=Window.before(ONSET, timedelta(hours=24)),
)


@pytest.fixture
def alertmanager() -> Iterator[AlertmanagerStandIn]:
    with AlertmanagerStandIn() as server:
        yield server


def source(server: AlertmanagerStandIn, **changed: object) -> AlertmanagerSource:
    return AlertmanagerSource(AlertmanagerEndpoint(server.url, **changed))  # pyright: ignore


async def test_nothing_fires_is_no_data(alertmanager):
    (evidence,) = await source(alertmanager).gather(SCOPE)
    assert (evidence.status, evidence.payload, evidence.error) == (EvidenceStatus.NO_DATA, [], "")
    assert evidence.link == f"{alertmanager.url}/#/alerts"


async def test_token_and_tenant_are_sent_and_stand_nowhere_in_the_answer(alertmanager):
    alertmanager.fire(OWN, ONSET)
    alertmanager.silence({"alertname": "ApiDown"}, "known")
    evidence, _ = await source(alertmanager, token="t0ken-very-secret", tenant="eu-1").gather(SCOPE)
    assert alertmanager.asked[0].headers["authorization"] == "Bearer t0ken-very-secret"
    assert alertmanager.asked[0].headers["x-scope-orgid"] == "eu-1"
    assert "t0ken" not in str(evidence.model_dump())
    assert [(a.method, a.path) for a in alertmanager.asked] == [("GET", "/api/v2/alerts"), ("GET", "/api/v2/silences")]


async def test_a_storm_is_cut_with_a_flag_and_the_nearest_stay(alertmanager):
    for i in range(MAX_ALERTS + 50):
        alertmanager.fire({"alertname": f"A{i}", "namespace": "far"}, ONSET)
    alertmanager.fire({"alertname": "Near", "namespace": "voice"}, ONSET)
    alertmanager.fire(OWN, ONSET)
    (evidence,) = await source(alertmanager).gather(SCOPE)
    assert (len(evidence.payload), evidence.truncated) == (MAX_ALERTS, True)
    assert [raw["labels"]["alertname"] for raw in evidence.payload[:2]] == ["ApiDown", "Near"]


async def test_malformed_alerts_are_skipped_one_by_one(alertmanager):
    alertmanager.fire(OWN, ONSET)
    good = alertmanager.answer(Asked("/api/v2/alerts", {}, {}))
    odd = '[null, 3, {"labels": "x"}, {"status": {"state": "dreaming"}}, {"labels": {"a": 1}, "status": {"state": "active"}}, '
    alertmanager.misbehave(Misbehaviour(reply=Reply(200, odd + good.body[1:])))
    (evidence,) = await source(alertmanager).gather(SCOPE)
    assert [raw["labels"] for raw in evidence.payload] == [OWN, {}]


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        (Misbehaviour(reply=Reply(401, "Unauthorized", "text/plain")), Permanent, "401: Unauthorized.*credentials or tenant"),
        (Misbehaviour(reply=Reply(403, "no", "text/plain")), Permanent, "403: no"),
        (Misbehaviour(reply=Reply(404, '{"code":404,"message":"path was not found"}')), Permanent, "404: path was not found"),
        (Misbehaviour(reply=Reply(400, '"bad matcher format: x"')), Permanent, "400: bad matcher format"),
        (Misbehaviour(reply=Reply(429, "slow down", "text/plain", {"Retry-After": "7"})), Transient, "429: slow down"),
        (Misbehaviour(reply=Reply(503, "starting\n\nup", "text/plain")), Transient, "503: starting up"),
        (Misbehaviour(reply=Reply(200, "<html>Sign in</html>", "text/html")), Permanent, "check ALERTMANAGER_URL for a login"),
        (Misbehaviour(reply=Reply(302, "", "text/html", {"Location": "http://127.0.0.1:1/"})), Permanent, "answered 302"),
        (Misbehaviour(reply=Reply(200, '{"status":"success"}')), Permanent, "not the Alertmanager API"),
        (Misbehaviour(cut=True), Permanent, "not the Alertmanager API"),
        (Misbehaviour(drop=True), Transient, "cannot be reached"),
    ],
)
async def test_a_failing_server_is_an_error_that_says_what_it_answered(alertmanager, how, error, text):
    alertmanager.fire(OWN, ONSET)
    alertmanager.misbehave(how)
    with pytest.raises(error, match=text) as raised:
        await source(alertmanager).gather(SCOPE)
    assert isinstance(raised.value, Transient) is (error is Transient)
    if "429" in text:
        assert raised.value.retry_after == 7.0
    assert len(alertmanager.asked) == 1, "sources never ask again by themselves"


async def test_a_server_that_hangs_is_given_up_at_the_deadline(alertmanager):
    alertmanager.misbehave(Misbehaviour(delay_s=1.0))
    (evidence,) = await fetch([source(alertmanager)], SCOPE, 0.2)
    assert (evidence.status, evidence.error) == (EvidenceStatus.ERROR, "no answer within 0.2 s")
    with pytest.raises(Transient, match=r"did not answer within 0\.2 s"):
        await source(alertmanager, timeout_s=0.2).gather(SCOPE)


async def test_silences_that_cannot_be_read_are_an_error_beside_the_alerts(alertmanager):
    alertmanager.fire(OWN, ONSET)
    alertmanager.silence({"alertname": "ApiDown"}, "known")
    alertmanager.misbehave(Misbehaviour("/api/v2/silences", reply=Reply(503, "busy", "text/plain")))
    alerts, silences = await source(alertmanager).gather(SCOPE)
    assert (alerts.status, silences.status) == (EvidenceStatus.OK, EvidenceStatus.ERROR)
    assert "503: busy" in silences.error


async def test_more_than_the_body_cap_with_nothing_narrower_to_ask_is_an_error(alertmanager):
    for i in range(20):
        alertmanager.fire({"alertname": f"A{i}", "namespace": "voice"}, ONSET)
    with pytest.raises(Permanent, match="more than 500 bytes"):
        await source(alertmanager, max_body_bytes=500).gather(SCOPE)


async def test_only_three_paths_are_ever_asked_and_only_by_get(alertmanager):
    assert {"/api/v2/alerts", "/api/v2/silences", "/api/v2/status"} == PATHS
    reader = source(alertmanager)
    async with reader._http.session() as session:
        with pytest.raises(Permanent, match="not a path the agent may ask"):
            await session.get("/api/v2/receivers", {})
