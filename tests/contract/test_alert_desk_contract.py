"""The alert desk: Opsgenie, JSM and the double in memory do the same; what only the real ones can do wrong follows."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from sre_agent.adapters.opsgenie.connection import Connection, NotThere, basic, genie_key
from sre_agent.adapters.opsgenie.desk import Desk, jsm_desk, opsgenie_desk
from sre_agent.adapters.opsgenie.dialect import jsm, opsgenie
from sre_agent.handback.alert_desk import AlertDesk, ToldAlert
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Transient
from sre_agent.intake.opsgenie import OWN_USER
from sre_agent.testing.http_stand_in import Misbehaviour, Reply
from sre_agent.testing.memory_alert_desk import MemoryAlertDesk
from sre_agent.testing.opsgenie import CLOUD, EMAIL, KEY, TOKEN, AlertDeskStandIn

TEAM = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
TEAMS = {"pd-platform": TEAM}
LABELS = {"alert_type": "infra", "redis_master": "cache"}
MARKER = "sre-agent note 7f3a"


async def no_pause(seconds: float) -> None:
    """Looks follow each other at once."""


@dataclass
class Bench:
    """One desk and how to look behind it."""

    desk: AlertDesk
    server: AlertDeskStandIn | None
    memory: MemoryAlertDesk | None

    def fire(self) -> str:
        if self.server is not None:
            return self.server.fire("redis is full", LABELS)
        assert self.memory is not None
        from sre_agent.incident.alert import Alert

        self.memory.put(
            ToldAlert(id="memory-alert-1", title="redis is full", alerts=(Alert(labels=LABELS),), alias="memory-alert-1")
        )
        return "memory-alert-1"

    def notes(self, alert: str) -> list[str]:
        if self.server is not None:
            return self.server.notes[alert]
        assert self.memory is not None
        return self.memory.notes.get(alert, [])


@pytest.fixture
def server() -> Iterator[AlertDeskStandIn]:
    with AlertDeskStandIn() as started:
        yield started


def made(kind: str, server: AlertDeskStandIn) -> Desk:
    if kind == "opsgenie":
        return Desk(Connection(server.url, genie_key(KEY), opsgenie(server.url)), TEAMS, no_pause)
    return Desk(Connection(server.url, basic(EMAIL, TOKEN), jsm(CLOUD)), TEAMS, no_pause)


@pytest.fixture(params=["opsgenie", "jsm", "memory"])
async def bench(request: pytest.FixtureRequest, server: AlertDeskStandIn) -> AsyncIterator[Bench]:
    if request.param == "memory":
        memory = MemoryAlertDesk()
        yield Bench(memory, None, memory)
        return
    async with aclosing(made(request.param, server)) as desk:
        yield Bench(desk, server, None)


@pytest.fixture(params=["opsgenie", "jsm"])
async def desk(request: pytest.FixtureRequest, server: AlertDeskStandIn) -> AsyncIterator[Desk]:
    async with aclosing(made(request.param, server)) as opened:
        yield opened


async def test_the_alert_is_told_with_its_labels(bench: Bench) -> None:
    told = await bench.desk.alert(bench.fire())
    assert (told.title, told.is_open, [a.labels for a in told.alerts]) == ("redis is full", True, [LABELS])


async def test_there_is_no_such_alert(bench: Bench) -> None:
    for ask in (
        bench.desk.alert("no-such-alert"),
        bench.desk.note("no-such-alert", "m", "t"),
        bench.desk.reassign("no-such-alert", TEAM),
    ):
        with pytest.raises(Permanent):
            await ask


async def test_a_note_is_written_once_for_each_marker(bench: Bench) -> None:
    alert = bench.fire()
    assert await bench.desk.note(alert, MARKER, "what was seen")
    assert not await bench.desk.note(alert, MARKER, "what was seen, told again")
    assert await bench.desk.note(alert, MARKER + "2", "what was done")
    assert bench.notes(alert) == [f"{MARKER}\nwhat was seen", f"{MARKER}2\nwhat was done"]


async def test_a_marker_quoted_further_down_is_no_note_of_ours(bench: Bench) -> None:
    alert = bench.fire()
    assert await bench.desk.note(alert, "other", f"somebody wrote\n{MARKER}")
    assert await bench.desk.note(alert, MARKER, "ours")


async def test_a_note_without_a_marker_is_not_written(bench: Bench) -> None:
    alert = bench.fire()
    with pytest.raises(Permanent):
        await bench.desk.note(alert, " ", "text")
    assert bench.notes(alert) == []


async def test_a_team_is_added_once(bench: Bench) -> None:
    alert = bench.fire()
    assert await bench.desk.reassign(alert, TEAM)
    assert not await bench.desk.reassign(alert, TEAM)
    assert (await bench.desk.alert(alert)).teams == (TEAM,)


async def test_what_is_written_says_who_wrote_it(desk: Desk, server: AlertDeskStandIn) -> None:
    await desk.note(server.fire("x"), MARKER, "t")
    [sent] = [a.body for a in server.asked if a.method == "POST"]
    assert f'"user":"{OWN_USER}"' in sent.replace(" ", "")


async def test_a_write_that_takes_its_time_is_waited_for(desk: Desk, server: AlertDeskStandIn) -> None:
    server.lag = 3
    alert = server.fire("x")
    assert await desk.note(alert, MARKER, "t")
    assert len(server.notes[alert]) == 1


async def test_a_write_that_is_not_seen_done_is_unknown(desk: Desk, server: AlertDeskStandIn) -> None:
    server.lag = 50
    with pytest.raises(OutcomeUnknown, match="look before"):
        await desk.note(server.fire("x"), MARKER, "t")


async def test_a_write_that_is_accepted_and_then_refused_is_told(desk: Desk, server: AlertDeskStandIn) -> None:
    server.refuse = "the team may not be added"
    with pytest.raises(Permanent, match="may not be added"):
        await desk.reassign(server.fire("x"), TEAM)


@pytest.mark.parametrize("what", ["note", "reassign"])
async def test_a_lost_answer_costs_a_look_and_no_second_write(what: str, desk: Desk, server: AlertDeskStandIn) -> None:
    server.swallow = 1
    alert = server.fire("x")
    assert await (desk.note(alert, MARKER, "t") if what == "note" else desk.reassign(alert, TEAM))
    assert len([a for a in server.asked if a.method == "POST"]) == 1
    assert len(server.notes[alert]) + len(server.alerts[alert]["responders"]) == 1


async def test_after_an_unknown_outcome_the_next_call_looks_first(desk: Desk, server: AlertDeskStandIn) -> None:
    alert = server.fire("x")
    server.misbehave(Misbehaviour(reply=Reply(503, "{}")))
    with pytest.raises(Transient):
        await desk.note(alert, MARKER, "t")
    server.misbehave(None)
    server.notes[alert].append(f"{MARKER}\nwritten after all")
    assert not await desk.note(alert, MARKER, "t")
    assert len(server.notes[alert]) == 1


async def test_a_note_is_found_among_hundreds_and_only_our_own_address_is_asked(desk: Desk, server: AlertDeskStandIn) -> None:
    alert = server.fire("x")
    server.notes[alert] = [f"{MARKER}\nours", *(f"note {n}" for n in range(350))]
    assert not await desk.note(alert, MARKER, "t")
    assert len([a for a in server.asked if a.path.endswith("/notes")]) == 4


@pytest.mark.parametrize(("status", "error"), [
    (400, Permanent), (401, ConfigurationError), (403, ConfigurationError), (404, NotThere), (422, Permanent), (301, Permanent),
    (429, Transient), (500, Transient), (502, Transient), (503, Transient),
])  # fmt: skip
async def test_what_each_status_means_for_a_read(status: int, error: type[Exception], desk: Desk, server: AlertDeskStandIn) -> None:
    alert = server.fire("x")
    server.misbehave(Misbehaviour(reply=Reply(status, '{"message": "said"}', headers={"Location": "http://127.0.0.1:1/"})))
    with pytest.raises(error, match=str(status)) as failed:
        await desk.alert(alert)
    assert not isinstance(failed.value, OutcomeUnknown)
    if status in (401, 403):
        assert "OPSGENIE_API_KEY" in str(failed.value) or "JSM_API_TOKEN" in str(failed.value)
    for secret in (KEY, TOKEN):
        assert secret not in str(failed.value)


@pytest.mark.parametrize(("status", "unknown"), [(429, False), (500, True), (502, True), (503, True)])
async def test_after_trouble_there_a_write_may_have_happened(
    status: int, unknown: bool, desk: Desk, server: AlertDeskStandIn
) -> None:
    alert = server.fire("x")
    for root in ("/v2/alerts", f"/{CLOUD}/v1/alerts"):
        server.misbehave(Misbehaviour(path=f"{root}/{alert}/responders", reply=Reply(status, "{}")))
        if desk.dialect.alerts == root:
            break
    with pytest.raises(Transient) as failed:
        await desk.reassign(alert, TEAM)
    assert isinstance(failed.value, OutcomeUnknown) == unknown
    assert len([a for a in server.asked if a.method == "POST"]) == 1


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("99999999", 3600.0), ("", None), ("soon", None), ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0)]
)
async def test_how_long_to_wait_is_taken_from_the_answer(
    header: str, wait: float | None, desk: Desk, server: AlertDeskStandIn
) -> None:
    alert = server.fire("x")
    server.misbehave(Misbehaviour(reply=Reply(429, "{}", headers={"Retry-After": header})))
    with pytest.raises(Transient) as failed:
        await desk.alert(alert)
    assert failed.value.retry_after == wait


@pytest.mark.parametrize("body", ["<html>sign in</html>", "[]", "", "null", "\x00"])
async def test_an_answer_that_is_not_the_api_s_is_told(body: str, desk: Desk, server: AlertDeskStandIn) -> None:
    alert = server.fire("x")
    server.misbehave(Misbehaviour(reply=Reply(200, body)))
    with pytest.raises(Permanent, match="not the API's"):
        await desk.alert(alert)


async def test_an_answer_about_another_alert_is_not_believed(desk: Desk, server: AlertDeskStandIn) -> None:
    server.misbehave(Misbehaviour(reply=Reply(200, '{"id": "another-alert", "data": {"id": "another-alert"}}')))
    with pytest.raises(Permanent, match="something else"):
        await desk.alert(server.fire("x"))


async def test_nobody_there_is_transient_and_nothing_was_sent(server: AlertDeskStandIn) -> None:
    async with aclosing(
        Desk(Connection("http://127.0.0.1:1", genie_key(KEY), opsgenie("http://127.0.0.1:1")), {}, no_pause)
    ) as desk:
        with pytest.raises(Transient, match="nothing was sent"):
            await desk.alert("alert-of-nobody")


@pytest.mark.parametrize("identity", ["../../v2/users", "a", "", "alert/../../x", "alert?x=y-longer", "x" * 200])
async def test_what_is_no_id_never_gets_into_a_path(identity: str, desk: Desk, server: AlertDeskStandIn) -> None:
    with pytest.raises(Permanent, match="not the id"):
        await desk.alert(identity)
    assert server.asked == []


async def test_a_receiver_is_handed_to_its_team_there_and_one_without_a_team_stays(desk: Desk, server: AlertDeskStandIn) -> None:
    alert = server.fire("x")
    assert await desk.reassign(alert, "pd-platform")
    assert not await desk.reassign(alert, "pd-platform")
    assert not await desk.reassign(alert, "pd-ai-eng")
    assert server.alerts[alert]["responders"] == [{"type": "team", "id": TEAM}]


async def test_jsm_takes_no_team_by_name_and_opsgenie_does(server: AlertDeskStandIn) -> None:
    with pytest.raises(ConfigurationError, match="JSM_TEAMS"):
        jsm_desk("https://api.atlassian.com/jsm/ops/api", CLOUD, (EMAIL, TOKEN), {"pd-platform": "Platform"})
    alert = server.fire("x")
    async with aclosing(opsgenie_desk(server.url, KEY, {"pd-platform": "Platform"})) as desk:
        assert await desk.reassign(alert, "pd-platform")
    assert server.alerts[alert]["responders"] == [{"type": "team", "name": "Platform"}]


@pytest.mark.parametrize("given", [
    {"api_url": "http://api.opsgenie.com", "key": "k"},
    {"api_url": "ftp://api.opsgenie.com", "key": "k"},
    {"api_url": "https://api.opsgenie.com", "key": " "},
])  # fmt: skip
def test_what_cannot_work_is_told_at_once(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        opsgenie_desk(**given, teams={})


@pytest.mark.parametrize("cloud", ["", "../x", "a b", "x" * 100])
def test_a_cloud_id_that_is_none_is_told_at_once(cloud: str) -> None:
    with pytest.raises(ConfigurationError, match="JSM_CLOUD_ID"):
        jsm_desk("https://api.atlassian.com/jsm/ops/api", cloud, (EMAIL, TOKEN), {})
