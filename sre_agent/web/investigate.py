"""The door of the button: PagerDuty's Custom Incident Action "Investigate". Unsigned, so a secret header opens it.

Everything that shows the token gets 202 once it is kept; without a token of our own nobody can be told from anybody, so the
answer is 503 and says what to set.
"""

from starlette.requests import Request
from starlette.types import ASGIApp

from sre_agent.intake.pagerduty_action import DOOR, parse_presses
from sre_agent.web.body import read_body
from sre_agent.web.door import Door
from sre_agent.web.keep import keep
from sre_agent.web.ports import WebPorts
from sre_agent.web.tokens import let_in

PATH = "/webhooks/pagerduty/investigate"


def investigate(ports: WebPorts) -> ASGIApp:
    """The endpoint of `POST /webhooks/pagerduty/investigate`."""

    async def take(request: Request) -> None:
        let_in(request, ports.pagerduty_action_token, "PAGERDUTY_ACTION_TOKEN")
        body = await read_body(request)
        await keep(ports, DOOR, parse_presses(body, ports.clock.now()), body)

    return Door(DOOR, ports.metrics, ("press", "presses")).app(take)
