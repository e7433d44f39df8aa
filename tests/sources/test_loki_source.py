from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.fetch import fetch
from sre_agent.replay.case import stamp_of
from sre_agent.sources.loki import PATHS, LokiEndpoint, LokiSource
from sre_agent.testing.http_stand_in import Misbehaviour, Reply
from sre_agent.testing.loki import LokiStandIn, nanoseconds

pytestmark = pytest.mark.slow

ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=5)
POD = {"namespace": "voice", "pod": "api-1"}
STREAM = {**POD, "container": "main", "app": "api", "stream": "stderr"}


@pytest.fixture
def loki() -> Iterator[LokiStandIn]:
    with LokiStandIn() as server:
        yield server


def scope(*labels: dict[str, str], onset: datetime = ONSET) -> Scope:
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1"),
        alerts=tuple(Alert(labels=each) for each in labels),
    )
    window = Window.before(NOW, timedelta(minutes=35))
    return Scope(incident=incident, now=NOW, onset=onset, window=window, change_window=Window.before(ONSET, timedelta(hours=24)))


async def look(server: LokiStandIn, *labels: dict[str, str], **changed: object) -> tuple[Evidence, ...]:
    return await LokiSource(LokiEndpoint(server.url, **changed)).gather(scope(*labels))  # pyright: ignore


def asked(server: LokiStandIn, path: str = "/loki/api/v1/query_range") -> list[str]:
    return [a.one("query") for a in server.asked if a.path == path]


async def test_the_alerted_pods_lines_come_oldest_first_with_their_time_in_front(loki):
    loki.write(STREAM, ONSET + timedelta(minutes=1), "error: no route to cache")
    loki.write({**STREAM, "stream": "stdout"}, ONSET - timedelta(minutes=1), "served 200")
    loki.write({**STREAM, "pod": "api-2"}, ONSET, "another pod")
    (evidence,) = await look(loki, POD)
    assert evidence.payload == {
        "namespace": "voice",
        "pod": "api-1",
        "container": "main",
        "previous": False,
        "lines": ["2026-03-04T03:09:00.000000000Z served 200", "2026-03-04T03:11:00.000000000Z error: no route to cache"],
    }
    assert [stamp_of(line) for line in evidence.payload["lines"]] == [ONSET - timedelta(minutes=1), ONSET + timedelta(minutes=1)]
    assert (evidence.kind, evidence.query, evidence.truncated) == (EvidenceKind.LOGS, '{namespace="voice",pod="api-1"}', False)
    assert [pod["pod"] for _, pod in EvidenceView(scope=scope(POD), evidence=(evidence,)).logs()] == ["api-1"]


async def test_a_line_at_the_onset_or_at_the_windows_very_end_comes_once_and_later_ones_never(loki):
    for at in (ONSET, NOW, NOW + timedelta(microseconds=1)):
        loki.write(STREAM, at, "here")
    loki.write(STREAM, nanoseconds(ONSET) - 1, "just before")
    (evidence,) = await look(loki, POD)
    assert [line.split(" ")[0] for line in evidence.payload["lines"]] == [
        "2026-03-04T03:09:59.999999999Z",
        "2026-03-04T03:10:00.000000000Z",
        "2026-03-04T03:15:00.000000000Z",
    ]


async def test_a_flood_since_the_onset_does_not_hide_how_it_was_before(loki):
    for i in range(300):
        loki.write(STREAM, ONSET + timedelta(seconds=i), f"flood {i}")
    for i in range(60):
        loki.write(STREAM, ONSET - timedelta(seconds=i + 1), "usual")
    (evidence,) = await look(loki, POD, limit=50)
    lines = evidence.payload["lines"]
    assert evidence.truncated
    assert (sum("usual" in line for line in lines), sum("flood" in line for line in lines)) == (50, 50)
    assert lines[-1].endswith("flood 299")


@pytest.mark.parametrize(
    ("stream", "labels", "query"),
    [
        (
            {"k8s_namespace_name": "voice", "k8s_pod_name": "api-1"},
            POD,
            '{k8s_namespace_name="voice",k8s_pod_name="api-1"}',
        ),
        (STREAM, {**POD, "container": "main"}, '{namespace="voice",pod="api-1",container="main"}'),
        (STREAM, {"namespace": "voice", "deployment": "api"}, '{namespace="voice",app="api"}'),
        ({"service_name": "api"}, {"service": "api"}, '{service_name="api"}'),
        (STREAM, {"namespace": "voice"}, '{namespace="voice"}'),
    ],
)
async def test_the_label_names_are_lokis_own(loki, stream, labels, query):
    loki.write(stream, ONSET, "line")
    (evidence,) = await look(loki, labels)
    assert (evidence.status, evidence.query) == (EvidenceStatus.OK, query)


async def test_a_workload_under_another_name_is_looked_for_there(loki):
    loki.write({"namespace": "voice", "app": "unrelated"}, ONSET, "x")
    loki.write({"namespace": "voice", "service_name": "api"}, ONSET, "mine")
    (evidence,) = await look(loki, {"namespace": "voice", "deployment": "api"})
    assert evidence.query == '{namespace="voice",service_name="api"}'
    assert asked(loki)[0] == '{namespace="voice",app="api"}'


@pytest.mark.parametrize("labels", [{"alertname": "Odd"}, {"node": "n1"}, {"redis_master": "cache"}, {"container": "main"}])
async def test_an_alert_that_names_nothing_that_writes_asks_nothing(loki, labels):
    assert await look(loki, labels) == ()
    assert loki.asked == []


async def test_nothing_written_is_no_data_and_a_loki_without_such_labels_says_so(loki):
    (nothing,) = await look(loki, POD)
    assert (nothing.status, nothing.error) == (EvidenceStatus.NO_DATA, "no label of this Loki holds what the alerts name")
    loki.write({**POD, "pod": "other"}, ONSET, "x")
    (nothing,) = await look(loki, POD)
    assert (nothing.status, nothing.error, nothing.payload) == (EvidenceStatus.NO_DATA, "", None)


async def test_a_pod_is_never_widened_to_its_whole_namespace(loki):
    loki.write({"namespace": "voice", "app": "x"}, ONSET, "somebody else's")
    (evidence,) = await look(loki, POD)
    assert evidence.status is EvidenceStatus.NO_DATA
    assert asked(loki) == []


@pytest.mark.parametrize("evil", ['x"} |= "secret" # ', "a\\", 'b\\"', "c\nd", "}", ".*", "`", '",pod=~".+'])
async def test_a_hostile_label_value_stays_inside_its_string(loki, evil):
    loki.write(STREAM, ONSET, "not yours")
    loki.write({"namespace": evil, "pod": evil}, ONSET, "yours")
    (evidence,) = await look(loki, {"namespace": evil, "pod": evil})
    assert [line.split(" ", 1)[1] for line in evidence.payload["lines"]] == ["yours"]
    assert (evidence.payload["namespace"], evidence.payload["pod"]) == (evil, evil)


async def test_what_would_cost_too_much_is_not_asked_for(loki):
    for i in range(100):
        loki.write(STREAM, ONSET - timedelta(seconds=i + 1), "x" * 100)
    loki.write(STREAM, ONSET, "short")
    (evidence,) = await look(loki, POD, max_scan_bytes=5_000)
    assert [line.split(" ")[1] for line in evidence.payload["lines"]] == ["short"]
    assert evidence.truncated
    (nothing,) = await look(loki, POD, max_scan_bytes=1)
    assert (nothing.status, nothing.error) == (EvidenceStatus.ERROR, "Loki would have to read 10005 bytes; not asked")


async def test_a_loki_without_cost_estimates_is_asked_all_the_same(loki):
    loki.without_stats = True
    loki.write(STREAM, ONSET, "line")
    (evidence,) = await look(loki, POD)
    assert evidence.status is EvidenceStatus.OK


async def test_payload_and_lines_are_capped_and_line_breaks_cannot_forge_a_line(loki):
    for i in range(50):
        loki.write(STREAM, ONSET + timedelta(seconds=i), f"{i:03d} " + "y" * 5_000)
    loki.write(STREAM, ONSET + timedelta(seconds=59), "one\n2026-03-04T03:00:00Z two\x00")
    (evidence,) = await look(loki, POD, max_payload_bytes=20_000)
    assert evidence.truncated
    assert evidence.size_bytes <= 20_000
    assert evidence.payload["lines"][-1].endswith(" one\\n2026-03-04T03:00:00Z two\ufffd")
    assert max(map(len, evidence.payload["lines"])) <= 2_000 + 31


async def test_the_same_pod_is_told_once_however_many_alerts_name_it(loki):
    loki.write(STREAM, ONSET, "line")
    found = await look(loki, POD, {"namespace": "voice"}, {**POD, "alertname": "Again"})
    assert [(e.status, e.payload["pod"]) for e in found] == [(EvidenceStatus.OK, "api-1")]


async def test_malformed_streams_are_skipped_one_by_one(loki):
    loki.write(STREAM, ONSET, "line")
    odd = (
        '{"status":"success","data":{"resultType":"streams","result":[null,{"stream":3,"values":[]},{"stream":{},"values":"x"},'
        '{"stream":{"pod":7},"values":[1,["soon","x"],["999999999999999999999","x"],["1772593800000000000",5],["1"],'
        '["1772593800000000000","good",{"level":"error"}]]}]}}'
    )
    loki.misbehave(Misbehaviour("/loki/api/v1/query_range", reply=Reply(200, odd)))
    (evidence,) = await look(loki, POD)
    assert {line.split(" ")[1] for line in evidence.payload["lines"]} == {"good"}
    assert evidence.payload["pod"] == ""


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        (Misbehaviour(reply=Reply(401, "no org id\n", "text/plain")), Permanent, "401: no org id .*credentials or tenant"),
        (Misbehaviour(reply=Reply(403, "no", "text/plain")), Permanent, "403: no"),
        (Misbehaviour(reply=Reply(404, "404 page not found", "text/plain")), Permanent, "404: 404 page not found"),
        (Misbehaviour(reply=Reply(429, "too many", "text/plain", {"Retry-After": "3"})), Transient, "429: too many"),
        (Misbehaviour(reply=Reply(500, '{"code":500,"message":"empty ring"}')), Transient, "500: empty ring"),
        (Misbehaviour(reply=Reply(504, "<html><h1>504</h1></html>", "text/html")), Transient, "504: <html>"),
        (Misbehaviour(reply=Reply(200, "<html>Sign in</html>", "text/html")), Permanent, "check LOKI_URL for a login page"),
        (Misbehaviour(reply=Reply(302, "", "text/html", {"Location": "http://127.0.0.1:1/"})), Permanent, "answered 302"),
        (Misbehaviour("/loki/api/v1/query_range", cut=True), Permanent, "not the Loki API"),
        (Misbehaviour(drop=True), Transient, "cannot be reached"),
    ],
)
async def test_a_failing_loki_is_an_error_in_its_own_words(loki, how, error, text):
    loki.write(STREAM, ONSET, "line")
    loki.misbehave(how)
    with pytest.raises(error, match=text) as raised:
        await look(loki, POD, token="t0ken-very-secret")
    assert isinstance(raised.value, Transient) is (error is Transient)
    assert "t0ken" not in str(raised.value)


async def test_a_matrix_is_no_log(loki):
    loki.write(STREAM, ONSET, "line")
    body = '{"status":"success","data":{"resultType":"matrix","result":[]}}'
    loki.misbehave(Misbehaviour("/loki/api/v1/query_range", reply=Reply(200, body)))
    with pytest.raises(Permanent, match="answered without streams"):
        await look(loki, POD)


async def test_a_loki_that_hangs_is_given_up_at_the_deadline(loki):
    loki.misbehave(Misbehaviour(delay_s=1.0))
    (evidence,) = await fetch([LokiSource(LokiEndpoint(loki.url))], scope(POD), 0.2)
    assert (evidence.status, evidence.error) == (EvidenceStatus.ERROR, "no answer within 0.2 s")


async def test_a_body_beyond_the_cap_is_refused(loki):
    for i in range(100):
        loki.write(STREAM, ONSET + timedelta(seconds=i), "z" * 100)
    with pytest.raises(Permanent, match="more than 2000 bytes"):
        await look(loki, POD, max_body_bytes=2_000)


async def test_a_tenant_sees_its_own_and_without_one_the_server_says_what_is_missing():
    with LokiStandIn(tenants=["eu"]) as server:
        server.write(STREAM, ONSET, "line")
        (evidence,) = await look(server, POD, tenant="eu", token="secret-bearer")
        assert evidence.status is EvidenceStatus.OK
        assert {(a.method, a.headers["authorization"]) for a in server.asked} == {("GET", "Bearer secret-bearer")}
        assert "secret-bearer" not in evidence.model_dump_json()
        with pytest.raises(Permanent, match="no org id"):
            await look(server, POD)


async def test_only_three_paths_are_ever_asked(loki):
    assert {"/loki/api/v1/query_range", "/loki/api/v1/labels", "/loki/api/v1/index/stats"} == PATHS
    async with LokiSource(LokiEndpoint(loki.url))._http.session() as session:
        with pytest.raises(Permanent, match="not a path the agent may ask of Loki"):
            await session.get("/loki/api/v1/delete", {})


async def test_the_stand_in_keeps_lokis_rules(loki):
    """Those that the source relies on: bounds, order, limits and plain-text errors."""
    at = nanoseconds(ONSET)
    for i in range(3):
        loki.write(STREAM, at + i, f"l{i}")

    async def ask(**query: object) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(f"{loki.url}/loki/api/v1/query_range", params={"query": '{pod="api-1"}', **query})

    values = (await ask(start=at, end=at + 2)).json()["data"]["result"][0]["values"]
    assert values == [[str(at + 1), "l1"], [str(at), "l0"]], "start is inclusive, end exclusive, newest first, times are text"
    refused = [
        await ask(start=at, end=at),
        await ask(start=at, end=at + 9, limit=6_000),
        await ask(start=at, end=at + 9, query='{pod=~".*"}'),
    ]
    assert [(r.status_code, r.headers["content-type"].split(";")[0]) for r in refused] == [(400, "text/plain")] * 3
    assert "(6000 > 5000)" in refused[1].text
