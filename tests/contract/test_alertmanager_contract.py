"""The stand-in Alertmanager and a real one (when `prometheus-alertmanager` is installed) give the same answers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sre_agent.evidence.alert_state import ActiveAlert, AlertState
from sre_agent.evidence.evidence import Evidence, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.alertmanager import AlertmanagerEndpoint, AlertmanagerSource
from sre_agent.testing.alertmanager import AlertmanagerStandIn
from tests.debian_prometheus import alertmanager

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC).replace(microsecond=0)
ONSET = NOW - timedelta(minutes=5)
EVIL = 'x"} or {a\\b\nc=~".*'
OWN = {"alertname": "ApiDown", "namespace": "voice", "service": "api", "cluster": "eu"}
SILENCED = {"alertname": "DiskSlow", "namespace": "voice", "node": "n1", "cluster": "eu"}
INHIBITED = {"alertname": "ApiSlow", "namespace": "voice", "service": "api", "severity": "warning", "cluster": "eu"}
FAR = {"alertname": "MailDown", "namespace": "mail", "cluster": "eu"}
OTHER_CLUSTER = {"alertname": "ApiDown", "namespace": "voice", "service": "api", "cluster": "us"}
ODD = {"alertname": "Odd", "service": EVIL, "cluster": EVIL}
CONFIG = """
route: {receiver: default}
receivers: [{name: default}]
inhibit_rules:
  - {source_matchers: ['alertname="ApiDown"'], target_matchers: ['severity="warning"'], equal: [namespace, cluster]}
"""


@dataclass
class Server:
    url: str
    silence: Callable[[dict[str, str], str], str]


@pytest.fixture(scope="module", params=["stand-in", "real"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.param == "real":
        yield from real(tmp_path_factory.mktemp("alertmanager"))
        return
    with AlertmanagerStandIn() as stand_in:
        inhibiting = stand_in.fire(OWN, ONSET, {"summary": "it is down"})
        for labels in (SILENCED, FAR, OTHER_CLUSTER, ODD):
            stand_in.fire(labels, ONSET)
        stand_in.fire(INHIBITED, ONSET, inhibited_by=[inhibiting])
        yield Server(stand_in.url, stand_in.silence)


def real(folder) -> Iterator[Server]:
    with alertmanager(folder, CONFIG) as url:
        alerts = [
            {"labels": each, "annotations": {"summary": "it is down"}, "startsAt": ONSET.isoformat()}
            for each in (OWN, SILENCED, INHIBITED, FAR, OTHER_CLUSTER, ODD)
        ]
        assert httpx.post(f"{url}/api/v2/alerts", json=alerts).status_code == 200
        wait_for(lambda: len(httpx.get(f"{url}/api/v2/alerts").json()) == len(alerts))
        yield Server(url, lambda matchers, comment: silence(url, matchers, comment))


def silence(url: str, matchers: dict[str, str], comment: str) -> str:
    body = {
        "matchers": [{"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in matchers.items()],
        "startsAt": NOW.isoformat(),
        "endsAt": (NOW + timedelta(hours=1)).isoformat(),
        "createdBy": "dana",
        "comment": comment,
    }
    identity = httpx.post(f"{url}/api/v2/silences", json=body).json()["silenceID"]
    wait_for(lambda: any(a["status"]["silencedBy"] for a in httpx.get(f"{url}/api/v2/alerts").json()))
    return str(identity)


def wait_for(holds: Callable[[], bool]) -> None:
    for _ in range(200):
        time.sleep(0.05)
        try:
            if holds():
                return
        except httpx.HTTPError:
            continue
    raise AssertionError("the real Alertmanager did not get there within 10 s")


def scope(*labels: dict[str, str]) -> Scope:
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1"),
        alerts=tuple(Alert(labels=each, starts_at=ONSET) for each in labels),
    )
    window = Window.before(NOW, timedelta(minutes=30))
    return Scope(incident=incident, now=NOW, onset=ONSET, window=window, change_window=Window.before(ONSET, timedelta(hours=24)))


async def look(server: Server, *labels: dict[str, str], **changed: int) -> tuple[Evidence, ...]:
    return await AlertmanagerSource(AlertmanagerEndpoint(server.url, **changed)).gather(scope(*labels))  # pyright: ignore


def names(evidence: Evidence) -> list[str]:
    return [raw["labels"]["alertname"] for raw in evidence.payload]


async def test_what_fires_in_the_cluster_comes_nearest_first_with_states(server):
    (alerts,) = await look(server, OWN)
    assert alerts.query == 'cluster="eu"'
    assert names(alerts)[0] == "ApiDown"
    assert sorted(names(alerts)[1:3]) == ["ApiSlow", "DiskSlow"]
    assert names(alerts)[3:] == ["MailDown"]
    read = {raw["labels"]["alertname"]: ActiveAlert.model_validate(raw) for raw in alerts.payload}
    assert (read["ApiDown"].state, read["ApiDown"].starts_at) == (AlertState.ACTIVE, ONSET)
    assert (read["ApiSlow"].state, read["ApiSlow"].inhibited_by) == (AlertState.SUPPRESSED, (read["ApiDown"].fingerprint,))
    assert read["ApiDown"].annotations == {"summary": "it is down"}


async def test_alerts_of_no_one_cluster_see_everything(server):
    (alerts,) = await look(server, {"alertname": "ApiDown", "namespace": "voice"})
    assert alerts.query == "all alerts"
    assert len(names(alerts)) == 6


async def test_a_hostile_value_is_matched_exactly_and_widens_nothing(server):
    (alerts,) = await look(server, ODD)
    assert names(alerts) == ["Odd"]
    for evil in ('a" , alertname=~".+', '"', "\\", "}", "{", ".*", "a\nb", "eu,us"):
        (alerts,) = await look(server, {"alertname": "Odd", "cluster": evil})
        assert (alerts.status, alerts.payload) == (EvidenceStatus.NO_DATA, [])


async def test_where_everything_is_too_much_only_the_incidents_places_are_asked_for(server):
    (alerts,) = await look(server, {"alertname": "MailDown", "namespace": "mail"}, max_body_bytes=1_000)
    assert alerts.query == 'namespace="mail"'
    assert names(alerts) == ["MailDown"]


async def test_a_silence_of_the_incidents_own_alert_is_told_with_who_and_why(server):
    identity = server.silence({"alertname": "DiskSlow"}, "swapping the disk")
    (alerts, silences) = await look(server, SILENCED)
    assert alerts.payload[0]["silencedBy"] == [identity]
    (told,) = silences.payload["silences"]
    assert (told["id"], told["createdBy"], told["comment"], told["state"]) == (identity, "dana", "swapping the disk", "active")
    assert (told["matchers"][0]["name"], told["matchers"][0]["value"]) == ("alertname", "DiskSlow")
    assert len(await look(server, OWN)) == 1, "a silence of somebody else's alert is not the incident's business"
