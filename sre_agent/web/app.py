"""The app: doors, health, API and pages put together from ports. No I/O of its own."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from sre_agent import __version__
from sre_agent.incident.errors import SreAgentError
from sre_agent.web import alert_doors, api, health, investigate, modes, slack, switch, webhooks
from sre_agent.web.front import Front
from sre_agent.web.pages.site import add_pages
from sre_agent.web.ports import WebPorts


def create_app(ports: WebPorts) -> FastAPI:
    """A complete ASGI app. Build one for each process; it holds no state but what `ports` brings."""
    app = FastAPI(
        title="sre-agent",
        version=__version__,
        description="What the agent saw, decided, did and measured, and its kill switch. For this machine and who is signed in.",
        openapi_url=api.OPENAPI_PATH,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(health.routes(ports))
    app.include_router(api.routes(ports))
    if ports.switch is not None:
        app.include_router(switch.routes(ports.switch))
    if ports.modes is not None:
        app.include_router(modes.routes(ports.modes))
    app.add_exception_handler(SreAgentError, _unavailable)
    if ports.pages is not None:
        add_pages(app, ports, ports.pages)
    doors = {webhooks.PATH: webhooks.pagerduty(ports), investigate.PATH: investigate.investigate(ports)}
    if ports.doors is not None:
        doors |= alert_doors.doors(ports, ports.doors)
    if ports.slack is not None:
        doors["/slack/interactions"] = slack.interactions(ports.slack)
    app.add_middleware(Front, doors=doors, entrance=ports.entrance)
    return app


async def _unavailable(request: Request, failed: Exception) -> JSONResponse:  # noqa: ARG001
    """The store could not answer."""
    return JSONResponse({"error": str(failed)}, status_code=503)
