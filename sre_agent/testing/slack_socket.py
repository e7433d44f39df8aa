"""The far end of Socket Mode: a websocket on loopback in the caller's event loop, to which the stand-in Slack sends who asks.

async with SlackSocket(slack) as socket:
    await socket.opened()
    await socket.send(payload)
"""

import asyncio
import itertools
from typing import Any, Self

from aiohttp import WSMsgType, web

from sre_agent.testing.slack import SlackStandIn

Json = dict[str, Any]


class SlackSocket:
    """`acks` are the answers to envelopes, in order; `connections` counts how often somebody connected."""

    def __init__(self, slack: SlackStandIn) -> None:
        self._slack = slack
        self._lines: list[web.WebSocketResponse] = []
        self._numbers = itertools.count(1)
        self._arrived = asyncio.Condition()
        self.acks: list[Json] = []
        self.connections = 0
        app = web.Application()
        app.router.add_get("/link", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self._slack.socket_url = f"ws://127.0.0.1:{port}/link"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._slack.socket_url = ""
        await self.drop()
        await self._runner.cleanup()

    async def opened(self, times: int = 1) -> None:
        """Return when somebody has connected so often and been greeted."""
        await self._until(lambda: self.connections >= times)

    async def acked(self, count: int) -> list[Json]:
        """The first so many acknowledgements, as soon as they are there."""
        await self._until(lambda: len(self.acks) >= count)
        return self.acks[:count]

    async def send(self, payload: Json, kind: str = "interactive") -> str:
        """One envelope on the newest connection; its id."""
        number = f"envelope-{next(self._numbers)}"
        answerable = payload.get("type") == "view_submission"
        envelope = {"envelope_id": number, "type": kind, "accepts_response_payload": answerable, "payload": payload}
        await self._lines[-1].send_json(envelope)
        return number

    async def say(self, raw: str) -> None:
        """Anything at all on the newest connection."""
        await self._lines[-1].send_str(raw)

    async def ask_to_leave(self) -> None:
        """What Slack says before it closes a connection of its own accord."""
        await self._lines[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})

    async def drop(self) -> None:
        """Close every connection."""
        lines, self._lines = self._lines, []
        for line in lines:
            await line.close()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        self._lines.append(line)
        await line.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": self._slack.app_id}})
        await self._note(lambda: setattr(self, "connections", self.connections + 1))
        async for message in line:
            if message.type is WSMsgType.TEXT:
                ack = message.json()
                await self._note(lambda ack=ack: self.acks.append(ack))
        return line

    async def _note(self, change: Any) -> None:
        async with self._arrived:
            change()
            self._arrived.notify_all()

    async def _until(self, holds: Any) -> None:
        async with self._arrived, asyncio.timeout(10):
            await self._arrived.wait_for(holds)
