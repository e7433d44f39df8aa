"""Debian's Alertmanager under the rendered file: with an agent and without one, who is told, and by which way."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from sre_agent.routing.file import Routing
from sre_agent.routing.render import Ends, rendered
from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Misbehaviour, Reply
from sre_agent.testing.pagerduty_events import EventsStandIn
from tests.debian_prometheus import alertmanager

RECEIVERS = ("pd-platform", "pd-ai-eng", "pd-integration-owners", "default")
KEYS = {name: str(n) * 32 for n, name in enumerate(RECEIVERS)}
TOKEN = "t" * 32
MODEL = {"alertname": "IntentDrop", "alert_type": "model"}


class Agent(HttpStandIn):
    """The agent's door: it takes what brings the token."""

    def answer(self, asked: Asked) -> Reply:
        return Reply(202 if asked.headers.get("authorization") == f"Bearer {TOKEN}" else 401, "{}")

    def told(self) -> list[dict[str, str]]:
        """The labels of all alerts that it was told, once it was told any."""
        return [alert["labels"] for asked in self.asked for alert in json.loads(asked.body)["alerts"]]


def until(happened: Callable[[], object]) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 s")


def fired(url: str, *alerts: dict[str, str]) -> None:
    httpx.post(f"{url}/api/v2/alerts", json=[{"labels": labels} for labels in alerts]).raise_for_status()


@pytest.mark.real
def test_the_agent_gets_every_alert_and_copies_page_the_same_team_even_if_it_is_down(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    for name, key in KEYS.items():
        (tmp_path / f"{name}.key").write_text(key)
    with Agent() as agent, EventsStandIn({key: name for name, key in KEYS.items()}) as pagerduty:
        ends = Ends(f"{agent.url}/webhooks/alertmanager", str(tmp_path / "token"), str(tmp_path))
        config = rendered(Routing(receivers=dict.fromkeys(RECEIVERS, "")), ends).replace("group_wait: 10s", "group_wait: 1s")
        pages_to = f"global: {{pagerduty_url: '{pagerduty.url}/v2/enqueue'}}\n"
        with alertmanager(tmp_path / "am", pages_to + config) as url:
            fired(url, MODEL, {"alertname": "Down", "alert_type": "infra"}, {"alertname": "Odd", "alert_type": "INFRA"})
            until(lambda: len(agent.told()) == 3)
            assert {asked.path for asked in agent.asked} == {"/webhooks/alertmanager"}
            assert pagerduty.events == []
            assert {asked.headers["authorization"] for asked in agent.asked} == {f"Bearer {TOKEN}"}

            # What Prometheus' rules of docs/doors.md fire while the agent is silent.
            agent.misbehave(Misbehaviour(drop=True))
            down = {"alertname": "SreAgentDown", "alert_type": "infra", "original": "SreAgentDown", "via": "fallback"}
            copy = {**MODEL, "alertname": "PagedWithoutSreAgent", "original": "IntentDrop", "via": "fallback"}
            before = len(agent.asked)
            fired(url, down, copy)
            until(lambda: len(pagerduty.events) == 2)
            assert {event["routing_key"] for event in pagerduty.events} == {KEYS["pd-platform"], KEYS["pd-ai-eng"]}
            assert not any("fallback" in asked.body for asked in agent.asked[before:])
