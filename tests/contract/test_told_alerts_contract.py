"""What the doors told: the store in PostgreSQL and the double, held to the same promises."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.told_alerts import PostgresToldAlerts
from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.response.told import MOST_ALERTS, DigestLine, ToldAlerts
from sre_agent.testing.memory_told import MemoryToldAlerts

AT = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


@pytest.fixture(params=["memory", "postgres"])
def told(request: pytest.FixtureRequest) -> ToldAlerts:
    if request.param == "memory":
        return MemoryToldAlerts()
    database: Database = request.getfixturevalue("database")
    return PostgresToldAlerts(database)


def alert(name: str, start_s: float = 0, end_s: float | None = None, source: str = "") -> Alert:
    return Alert(
        labels={"alertname": name},
        status=AlertStatus.FIRING if end_s is None else AlertStatus.RESOLVED,
        starts_at=AT + timedelta(seconds=start_s),
        ends_at=None if end_s is None else AT + timedelta(seconds=end_s),
        source_id=source,
    )


async def test_a_name_belongs_to_whoever_claimed_it_first_and_the_others_join(told: ToldAlerts) -> None:
    assert await told.claim(("key:a", "group:g"), "own-1", AT) == "own-1"
    assert await told.claim(("pagerduty:Q1", "key:a"), "Q1", AT + timedelta(seconds=1)) == "own-1"
    assert await told.incidents_of(("pagerduty:Q1", "group:g", "key:other")) == {"pagerduty:Q1": "own-1", "group:g": "own-1"}


async def test_names_of_an_incident_that_is_past_are_free_again(told: ToldAlerts) -> None:
    await told.claim(("group:g", "key:a"), "own-1", AT)
    assert await told.claim(("group:g", "key:b"), "own-2", AT, past=frozenset({"own-1"})) == "own-2"
    assert await told.incidents_of(("group:g", "key:a", "key:b")) == {"group:g": "own-2", "key:a": "own-1", "key:b": "own-2"}


async def test_doors_that_claim_at_once_agree(told: ToldAlerts) -> None:
    names = [("key:k", f"pagerduty:Q{n}", "group:g") for n in range(8)]
    won = await asyncio.gather(*(told.claim(given, f"own-{n}", AT) for n, given in enumerate(names)))
    assert len(set(won)) == 1
    held = await told.incidents_of({name for given in names for name in given})
    assert set(held.values()) == set(won)
    assert len(held) == 10


async def test_an_alert_is_what_it_last_was_by_its_own_times_whatever_the_order_of_telling(told: ToldAlerts) -> None:
    await told.keep("own-1", [alert("A", 0, 120, "f1"), alert("B", 5, source="f2")])
    await told.keep("own-1", [alert("A", 0, source="f1")])
    assert [(a.name, a.status) for a in await told.alerts_of("own-1")] == [("B", AlertStatus.FIRING), ("A", AlertStatus.RESOLVED)]
    await told.keep("own-1", [alert("A", 180, source="f1"), alert("A", 0, 120, "f1")])
    assert [(a.name, a.status) for a in await told.alerts_of("own-1")] == [("B", AlertStatus.FIRING), ("A", AlertStatus.FIRING)]


async def test_alerts_without_an_id_are_told_apart_by_their_labels(told: ToldAlerts) -> None:
    await told.keep("own-1", [alert("A"), alert("B"), alert("A", 10)])
    assert len(await told.alerts_of("own-1")) == 2
    assert await told.alerts_of("own-2") == ()


async def test_more_alerts_than_can_be_looked_at_make_the_incident_nobodys_to_act_on(told: ToldAlerts) -> None:
    await told.keep("own-1", [alert("A", n, source=f"f{n}") for n in range(MOST_ALERTS)])
    assert all(a.labels_known for a in await told.alerts_of("own-1"))
    await told.keep("own-1", [alert("A", 0, source="one too many")])
    found = await told.alerts_of("own-1")
    assert (len(found), sum(not a.labels_known for a in found)) == (MOST_ALERTS + 1, 1)


async def test_hostile_text_is_kept(told: ToldAlerts) -> None:
    name = "key:" + "\x00\ud800" + "x" * 5000
    assert await told.claim((name,), "own-1", AT) == "own-1"
    assert await told.incidents_of((name,)) == {name: "own-1"}
    await told.keep("own-1", [Alert(labels={"a\x00": "\ud800" + "y" * 100_000})])
    assert len(await told.alerts_of("own-1")) == 1


async def test_a_digests_lines_wait_until_they_are_due_and_go_out_once(told: ToldAlerts) -> None:
    hour = timedelta(hours=1)
    first, second, other = (
        DigestLine(incident_id="own-1", receiver="pd-ai-eng", due_at=AT, line="- one\x00"),
        DigestLine(incident_id="own-2", receiver="pd-ai-eng", due_at=AT + hour, line="- two"),
        DigestLine(incident_id="own-3", receiver="pd-platform", due_at=AT, line="- three"),
    )
    for line in (first, second, other, first.model_copy(update={"line": "- one, again"})):
        await told.put_line(line)
    assert await told.lines_due("pd-ai-eng", AT - timedelta(seconds=1)) == ()
    due = await told.lines_due("pd-ai-eng", AT)
    assert [line.line for line in due] == ["- one, again"]
    await told.lines_sent(due, AT)
    await told.put_line(first)
    assert await told.lines_due("pd-ai-eng", AT) == ()
    assert [line.incident_id for line in await told.lines_due("pd-ai-eng", AT + hour)] == ["own-2"]
    assert [line.incident_id for line in await told.lines_due("pd-platform", AT)] == ["own-3"]
