"""Socket Mode: presses arrive over a connection of ours, are acknowledged at once, and a lost connection is opened again."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from sre_agent.adapters.slack.client import SlackApi
from sre_agent.adapters.slack.socket import Pauses, SocketMode
from sre_agent.testing.pagerduty_faults import Fault
from sre_agent.testing.slack import SlackStandIn, rate_limited
from sre_agent.testing.slack_press import pressed
from sre_agent.testing.slack_socket import SlackSocket

QUICK = Pauses(first_s=0.01, most_s=0.02, steady_s=30.0, heartbeat_s=5.0)


class Desk:
    """Hears payloads; `may_go` lets it answer, `wrong` is what it says of a dialog."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.came = asyncio.Event()
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.wrong: dict[str, object] | None = None

    async def __call__(self, payload: object) -> dict[str, object] | None:
        self.heard.append(payload)
        self.came.set()
        await self.may_go.wait()
        return self.wrong


@asynccontextmanager
async def connected(desk: Desk, pauses: Pauses = QUICK, app_token: str | None = None):
    with SlackStandIn() as slack:
        async with SlackSocket(slack) as socket:
            mode = SocketMode(SlackApi(app_token or slack.app_token, slack.api_url), desk, pauses)
            stop = asyncio.Event()
            running = asyncio.create_task(mode.run(stop))
            try:
                yield slack, socket, mode, running
            finally:
                stop.set()
                await asyncio.wait_for(running, 10)


async def test_a_press_is_acknowledged_before_anything_is_done_about_it():
    desk = Desk()
    desk.may_go.clear()
    async with connected(desk) as (slack, socket, mode, _):
        await socket.opened()
        payload = pressed(slack, "U1", "sre_approve", "apr_1.9f31c2d0")
        number = await socket.send(payload)
        assert await socket.acked(1) == [{"envelope_id": number}]
        await desk.came.wait()
        assert (desk.heard, await mode.note()) == ([payload], None)
        desk.may_go.set()


async def test_a_dialog_stays_open_with_what_is_wrong():
    desk = Desk()
    desk.wrong = {"response_action": "errors", "errors": {"reason_block": "too late"}}
    async with connected(desk) as (_, socket, _, _):
        await socket.opened()
        number = await socket.send({"type": "view_submission"})
        assert await socket.acked(1) == [{"envelope_id": number, "payload": desk.wrong}]


async def test_other_envelopes_are_acknowledged_and_mean_nothing():
    desk = Desk()
    async with connected(desk) as (_, socket, _, _):
        await socket.opened()
        number = await socket.send({"event": {"type": "message", "text": "approve apr_1.9f31c2d0"}}, kind="events_api")
        assert await socket.acked(1) == [{"envelope_id": number}]
        assert desk.heard == []


@pytest.mark.parametrize("raw", ["", "[", "[]", '{"type": "interactive"}', '{"envelope_id": {}}', "[" * 50_000])
async def test_nonsense_does_not_end_the_connection(raw):
    desk = Desk()
    async with connected(desk) as (_, socket, _, _):
        await socket.opened()
        await socket.say(raw)
        number = await socket.send({"type": "block_actions"})
        assert await socket.acked(1) == [{"envelope_id": number}]
        assert socket.connections == 1


async def test_a_lost_connection_is_opened_again():
    desk = Desk()
    async with connected(desk) as (_, socket, _, _):
        await socket.opened()
        await socket.drop()
        await socket.opened(2)
        await socket.ask_to_leave()
        await socket.opened(3)
        await socket.send({"type": "block_actions"})
        await desk.came.wait()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="apps.connections.open", status=500, body="x", times=3),
        Fault(path="apps.connections.open", status=200, body={"ok": False, "error": "internal_error"}, times=3),
        Fault(path="apps.connections.open", status=200, body={"ok": True, "url": "http://127.0.0.1:1/"}, times=3),
        Fault(path="apps.connections.open", status=200, body={"ok": True, "url": "ws://127.0.0.1:1/"}, times=3),
        Fault(path="apps.connections.open", status=200, body={"ok": True, "url": "ws://[::1/"}, times=3),
        Fault(path="apps.connections.open", status=200, body={"ok": True}, times=3),
        rate_limited("apps.connections.open", retry_after=0, times=3),
    ],
    ids=["500", "internal", "http", "nobody", "no-url", "nothing", "limited"],
)
async def test_no_trouble_at_slack_ends_it(fault):
    desk = Desk()
    with SlackStandIn() as slack:
        slack.faults.add(fault)
        async with SlackSocket(slack) as socket:
            stop = asyncio.Event()
            running = asyncio.create_task(SocketMode(SlackApi(slack.app_token, slack.api_url), desk, QUICK).run(stop))
            await socket.opened()
            assert slack.calls("apps.connections.open") == 4
            stop.set()
            await asyncio.wait_for(running, 10)


async def test_an_address_that_others_can_read_along_is_not_connected_to():
    with SlackStandIn() as slack:
        slack.socket_url = "ws://wss.slack.example/link"
        mode = SocketMode(SlackApi(slack.app_token, slack.api_url), Desk(), QUICK)
        with pytest.raises(Exception, match="not wss://"):
            await mode._connected(asyncio.Event())
        await mode._api.aclose()


async def test_a_wrong_token_is_told_and_asked_about_ever_less_often():
    with SlackStandIn() as slack:
        mode = SocketMode(SlackApi(slack.bot_token, slack.api_url), Desk(), Pauses(first_s=0.02, most_s=10.0))
        stop = asyncio.Event()
        running = asyncio.create_task(mode.run(stop))
        async with asyncio.timeout(10):
            while slack.calls("apps.connections.open") < 2:
                await asyncio.sleep(0.01)
        assert "SLACK_APP_TOKEN" in (await mode.note() or "")
        stop.set()
        await asyncio.wait_for(running, 10)
        assert slack.calls("apps.connections.open") < 8


async def test_a_press_under_way_ends_before_the_connection_does():
    desk = Desk()
    desk.may_go.clear()
    async with connected(desk) as (_, socket, _, _):
        await socket.opened()
        await socket.send({"type": "block_actions"})
        await desk.came.wait()
        asyncio.get_running_loop().call_later(0.05, desk.may_go.set)
    assert desk.may_go.is_set()
