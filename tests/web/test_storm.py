"""A storm of 10,000 alerts through Alertmanager's door into a real PostgreSQL: none is lost, and they arrive in groups."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.incident.event import IncidentEvent
from sre_agent.testing.alertmanager_webhooks import storm
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import AlertDoors, WebPorts

BEGUN = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
HEADERS = {"Authorization": "Bearer t"}
ALERTS, GROUPS = 10_000, 200


class Clock:
    """After the storm."""

    def now(self) -> datetime:
        return BEGUN + timedelta(seconds=90)


def group_of(labels: Mapping[str, str]) -> str:
    return labels["tool_name"] if labels["alert_type"] == "tool" else labels["alertname"]


@pytest.mark.real
async def test_of_ten_thousand_alerts_none_is_lost_and_every_group_is_one_incident(database_url, wipe) -> None:
    async with Database(database_url, max_size=8) as pool:
        await wipe(pool)
        doors = AlertDoors(group_of, alertmanager_token="t")
        app = create_app(WebPorts(store=PostgresStore(pool), clock=Clock(), metrics=Metrics(), doors=doors))
        deliveries = [body for _, body in storm(ALERTS, GROUPS, BEGUN, timedelta(seconds=60))]
        waiting = iter(deliveries)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://sre.example") as client:

            async def sender() -> None:
                for body in waiting:
                    assert (await client.post("/webhooks/alertmanager", content=body, headers=HEADERS)).status_code == 202

            await asyncio.gather(*(sender() for _ in range(16)))
        rows = await pool.rows("SELECT event::text FROM inbox")
        jobs = await pool.rows("SELECT count(*) FROM procrastinate_jobs")
    events = [IncidentEvent.model_validate_json(row[0]) for row in rows]
    told: dict[str, set[str]] = defaultdict(set)
    for event in events:
        told[str(event.incident_id)] |= {alert.labels["instance"] for alert in event.alerts}
    assert len(deliveries) == len(events) == jobs[0][0] == 3 * GROUPS
    assert (len(told), {len(hosts) for hosts in told.values()}) == (GROUPS, {ALERTS // GROUPS})
