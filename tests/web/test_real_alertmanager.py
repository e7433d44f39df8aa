"""Debian's Alertmanager at our doors: what it really sends is what the parser is made for, and its group key is everybody's."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.alertmanager import parse_delivery
from sre_agent.intake.opsgenie_alert import alerts_from_desk
from sre_agent.testing.alertmanager_webhooks import group_key
from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply
from tests.debian_prometheus import alertmanager

pytestmark = pytest.mark.slow

CRM = {"alertname": "CrmErrors", "alert_type": "tool", "tool_name": "crm"}
TOKEN = "a token in a file"


class Receivers(HttpStandIn):
    """Takes whatever Alertmanager sends, and can be unable to."""

    status = 202

    def answer(self, asked: Asked) -> Reply:
        return Reply(self.status if asked.path == "/webhooks/alertmanager" else 202, '{"status": "success"}')

    def sent(self, path: str) -> list[Asked]:
        return [a for a in self.asked if a.path == path]


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receivers() as started:
        yield started


@pytest.fixture
def server(receivers: Receivers, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "token").write_text(TOKEN)
    authorization = {"type": "Bearer", "credentials_file": str(tmp_path / "token")}
    webhook = {"url": f"{receivers.url}/webhooks/alertmanager", "http_config": {"authorization": authorization}, "max_alerts": 3}
    receiver = {
        "name": "all",
        "webhook_configs": [webhook],
        "opsgenie_configs": [{"api_key": "k", "api_url": f"{receivers.url}/opsgenie/"}],
        "pagerduty_configs": [{"routing_key": "0" * 32, "url": f"{receivers.url}/enqueue"}],
    }
    times = {"group_wait": "100ms", "group_interval": "500ms", "repeat_interval": "1h"}
    config = {"route": {"receiver": "all", "group_by": ["alert_type"], **times}, "receivers": [receiver]}
    with alertmanager(tmp_path / "am", yaml.safe_dump(config)) as url:
        yield url


def post(url: str, *labels: Mapping[str, str], over: bool = False) -> None:
    now = datetime.now(UTC)
    times = {"startsAt": (now - timedelta(minutes=1)).isoformat(), **({"endsAt": now.isoformat()} if over else {})}
    alerts = [
        {"labels": shown, "annotations": {"summary": "it hurts"}, "generatorURL": "http://prom/graph", **times} for shown in labels
    ]
    httpx.post(f"{url}/api/v2/alerts", json=alerts).raise_for_status()


def waited(what: Callable[[], bool]) -> None:
    for _ in range(400):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


def parsed(asked: Asked) -> tuple[IncidentEvent, ...]:
    return parse_delivery(asked.body.encode(), datetime.now(UTC), lambda labels: labels.get("tool_name", "-"))


def test_what_it_sends_is_read_and_named_as_pagerduty_and_opsgenie_get_it(receivers: Receivers, server: str) -> None:
    post(server, CRM)
    waited(
        lambda: bool(
            receivers.sent("/webhooks/alertmanager") and receivers.sent("/opsgenie/v2/alerts") and receivers.sent("/enqueue")
        )
    )
    [told] = receivers.sent("/webhooks/alertmanager")
    assert told.headers["authorization"] == f"Bearer {TOKEN}"
    [event] = parsed(told)
    assert (event.kind, event.alerts[0].labels, event.alerts[0].labels_known) == (EventKind.TRIGGERED, CRM, True)
    assert json.loads(told.body)["groupKey"] == group_key({"alert_type": "tool"})
    page = json.loads(receivers.sent("/enqueue")[0].body)
    opsgenie = json.loads(receivers.sent("/opsgenie/v2/alerts")[0].body)
    assert event.known_as == (f"key:{page['dedup_key']}",) == (f"key:{opsgenie['alias']}",)
    shown = alerts_from_desk({**opsgenie, "id": "a-1", "status": "open"}, "details")
    assert [(a.labels, a.labels_known) for a in shown] == [(CRM, True)]


def test_it_sends_again_while_our_store_is_away_and_that_is_one_event(receivers: Receivers, server: str) -> None:
    receivers.status = 503
    post(server, CRM)
    waited(lambda: len(receivers.sent("/webhooks/alertmanager")) >= 2)
    receivers.status = 202
    sent = receivers.sent("/webhooks/alertmanager")
    assert len({event.event_id for asked in sent for event in parsed(asked)}) == 1


def test_the_end_of_an_alert_and_what_max_alerts_cuts_are_told(receivers: Receivers, server: str) -> None:
    post(server, *({**CRM, "instance": str(n)} for n in range(5)))
    waited(lambda: bool(receivers.sent("/webhooks/alertmanager")))
    [event] = parsed(receivers.sent("/webhooks/alertmanager")[0])
    assert [a.labels_known for a in event.alerts] == [True, True, True, False]
    post(server, *({**CRM, "instance": str(n)} for n in range(5)), over=True)
    waited(lambda: any(e.kind is EventKind.RESOLVED for asked in receivers.sent("/webhooks/alertmanager") for e in parsed(asked)))
