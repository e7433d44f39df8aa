"""What every door does around its own verify, parse and keep: POST only, a time limit, a word for the counters, an answer.

A door turns away with TurnedAway alone. What is not read of a body cannot be skipped over, so the connection then ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_agent.incident.errors import SreAgentError
from sre_agent.web.body import TurnedAway
from sre_agent.web.metrics import Metrics

ANSWER_WITHIN = 4.5
"""Seconds for reading and keeping a delivery, so that a sender who gives up after five still hears the answer."""

Taken = TypeVar("Taken")
"""What a door took from a request, for its answer."""

_UNREAD = ("slow", "oversize", "disconnected", "token", "no_token")
"""The words for what was turned away before its body was read to the end."""


@dataclass(frozen=True)
class Door:
    """One door: `name` is what it is counted under, `sent` what comes through it (one, several).

    `within` gives the seconds it may take, `late` the status when it takes longer.
    """

    name: str
    metrics: Metrics
    sent: tuple[str, str] = ("delivery", "deliveries")
    within: Callable[[], float] = lambda: ANSWER_WITHIN
    late: int = 503

    def app(
        self, take: Callable[[Request], Awaitable[Taken]], then: Callable[[Taken], Awaitable[Response]] | None = None
    ) -> ASGIApp:
        """A plain ASGI app, because a door is on the path of every delivery.

        `take` verifies and keeps, within the limit; it raises TurnedAway, and any other SreAgentError means "not kept, send it
        again". `then` answers what was taken, in its own time; without it the answer is 202.
        """

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await self._answer(Request(scope, receive), take, then)
            await response(scope, receive, send)

        return answer

    async def _answer(
        self,
        request: Request,
        take: Callable[[Request], Awaitable[Taken]],
        then: Callable[[Taken], Awaitable[Response]] | None,
    ) -> Response:
        """The response to one request, whatever it is."""
        if request.method != "POST":
            return JSONResponse({"error": f"{self.sent[1]} are sent with POST"}, status_code=405, headers={"allow": "POST"})
        try:
            taken = await self._taken(request, take)
        except TurnedAway as away:
            self.metrics.turned_away(self.name, away.reason)
            headers = {"connection": "close"} if away.reason in _UNREAD else None
            return JSONResponse({"error": str(away)}, status_code=away.status, headers=headers)
        return Response(status_code=202) if then is None else await then(taken)

    async def _taken(self, request: Request, take: Callable[[Request], Awaitable[Taken]]) -> Taken:
        """What `take` took. Raises TurnedAway and nothing else."""
        within = self.within()
        try:
            async with asyncio.timeout(within):
                return await take(request)
        except TurnedAway:
            raise
        except TimeoutError as late:
            again = ", send it again" if self.late == 503 else ""
            raise TurnedAway(self.late, "slow", f"the {self.sent[0]} was not read and kept within {within:g} s{again}") from late
        except SreAgentError as failed:
            raise TurnedAway(503, "not_kept", f"the {self.sent[0]} could not be kept, send it again: {failed}") from failed
