"""What all sources over HTTP share, and answers of Prometheus that its stand-in does not give."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import Permanent, SreAgentError, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.http_api import HttpApi, HttpEndpoint
from sre_agent.sources.prometheus import PrometheusEndpoint, PrometheusSource
from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Misbehaviour, Reply

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)


class Told(HttpStandIn):
    """Answers every request with the same."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply

    def answer(self, asked: Asked) -> Reply:
        return self.reply


@pytest.fixture
def server() -> Iterator[Told]:
    with Told(Reply(200, "{}")) as told:
        yield told


def api(server: Told, **changed: Any) -> HttpApi:
    return HttpApi(HttpEndpoint("Thing", "THING_URL", server.url, **changed), {"/x"})


async def status(thing: HttpApi) -> int:
    async with thing.session() as session:
        return (await session.get("/x", {"a": ["1", "2"], "b": 'é&=#"'})).status


async def failure(thing: HttpApi) -> SreAgentError:
    async with thing.session() as session:
        return thing.failure(await session.get("/x", {}))


async def test_parameters_arrive_as_they_were_given(server):
    assert await status(api(server)) == 200
    assert server.asked[0].query == {"a": ["1", "2"], "b": ['é&=#"']}


async def test_a_redirect_is_an_answer_and_never_followed(server):
    with Told(Reply(200, "{}")) as elsewhere:
        server.reply = Reply(307, "", "text/html", {"Location": f"{elsewhere.url}/x"})
        assert await status(api(server, token="secret")) == 307
        assert elsewhere.asked == []


async def test_a_proxy_that_prints_the_headers_does_not_make_the_token_known(server):
    server.reply = Reply(400, "bad header: Bearer t0ken-very-secret", "text/plain")
    problem = await failure(api(server, token="t0ken-very-secret"))
    assert "bad header: Bearer [redacted]" in str(problem)
    assert "t0ken" not in repr(HttpEndpoint("Thing", "THING_URL", "http://x", token="t0ken-very-secret"))


async def test_an_error_body_is_quoted_shortly_on_one_line(server):
    server.reply = Reply(500, "<html>\n<body>\n" + "very bad " * 1_000, "text/html")
    text = str(await failure(api(server)))
    assert len(text) < 400
    assert "<html> <body> very bad" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("code", "kind"), [(400, Permanent), (401, Permanent), (408, Transient), (429, Transient), (500, Transient), (200, Permanent)]
)
async def test_what_may_pass_is_told_from_what_stays(server, code, kind):
    server.reply = Reply(code, "x", "text/plain")
    assert type(await failure(api(server))) is kind


async def test_an_address_that_is_none_is_said_so():
    for url in ("http://[half", "http://a:99999999", "http://"):
        thing = HttpApi(HttpEndpoint("Thing", "THING_URL", url), {"/x"})
        with pytest.raises((Permanent, Transient)):
            await status(thing)


async def measured(body: dict[str, Any]) -> Evidence:
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=NOW,
        service=Reference(id="P1"),
        alerts=(Alert(labels={"queue": "calls"}),),
    )
    window = Window.before(NOW, timedelta(minutes=30))
    scope = Scope(incident=incident, now=NOW, onset=NOW - timedelta(minutes=5), window=window, change_window=window)
    with Told(Reply(200, json.dumps({"status": "success", **body}))) as prometheus:
        found = await PrometheusSource(PrometheusEndpoint(prometheus.url)).gather(scope)
    (evidence,) = [e for e in found if e.kind is EvidenceKind.METRICS]
    return evidence


ROW = {"metric": {"__name__": "up"}, "values": [[NOW.timestamp(), "1"]]}
HISTOGRAM = {"metric": {"__name__": "h"}, "histograms": [[NOW.timestamp(), {"count": "3", "sum": "1", "buckets": []}]]}


async def test_a_partial_answer_is_told_with_the_servers_warnings():
    evidence = await measured({"data": {"resultType": "matrix", "result": [ROW]}, "warnings": ["a store was away"]})
    assert (evidence.status, evidence.truncated, evidence.error) == (EvidenceStatus.OK, True, "a store was away")


async def test_remarks_of_the_server_are_told_and_nothing_is_missing_for_it():
    evidence = await measured({"data": {"resultType": "matrix", "result": [ROW]}, "infos": ["metric might not be a counter"]})
    assert (evidence.truncated, evidence.error) == (False, "metric might not be a counter")


async def test_native_histograms_are_left_out_with_a_word():
    evidence = await measured({"data": {"resultType": "matrix", "result": [HISTOGRAM, ROW]}})
    assert (len(evidence.payload), evidence.truncated, evidence.error) == (1, True, "1 native histograms are left out")


@pytest.mark.parametrize("data", [{"resultType": "matrix", "result": [{"values": []}]}, {"resultType": "matrix", "result": 3}, {}])
async def test_a_malformed_result_is_permanent_and_not_empty(data):
    with pytest.raises(Permanent):
        await measured({"data": data})


async def test_a_drop_is_transient(server):
    server.misbehave(Misbehaviour(drop=True))
    with pytest.raises(Transient, match=r"Thing at .* cannot be reached"):
        await status(api(server))
