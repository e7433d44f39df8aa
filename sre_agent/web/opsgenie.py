"""The doors of Opsgenie and Jira Service Management: `POST /webhooks/opsgenie`, `POST /webhooks/jsm`, opened by a secret header.

Both give up on what is not answered with 2xx after a few tries, so everything that shows the token is 202 once it is kept.
"""

from starlette.requests import Request
from starlette.types import ASGIApp

from sre_agent.intake.opsgenie import JSM, OPSGENIE, parse_alert_action
from sre_agent.web.body import read_body
from sre_agent.web.door import Door
from sre_agent.web.keep import keep
from sre_agent.web.ports import AlertDoors, WebPorts
from sre_agent.web.tokens import let_in

PATH_OPSGENIE = "/webhooks/opsgenie"
PATH_JSM = "/webhooks/jsm"


def opsgenie(ports: WebPorts, doors: AlertDoors) -> ASGIApp:
    """The endpoint for Opsgenie."""
    return _door(ports, OPSGENIE, doors.opsgenie_token, "SRE_AGENT_OPSGENIE_TOKEN")


def jsm(ports: WebPorts, doors: AlertDoors) -> ASGIApp:
    """The endpoint for Jira Service Management."""
    return _door(ports, JSM, doors.jsm_token, "SRE_AGENT_JSM_TOKEN")


def _door(ports: WebPorts, name: str, token: str, setting: str) -> ASGIApp:
    async def take(request: Request) -> None:
        let_in(request, token, setting)
        body = await read_body(request)
        await keep(ports, name, (parse_alert_action(name, body, ports.clock.now()),), body)

    return Door(name, ports.metrics).app(take)
