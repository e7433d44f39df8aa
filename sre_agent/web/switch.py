"""The kill switch over HTTP: cheap to engage, and lifted only on a person's own token. For this machine and admins (see `front`).

A page in a reader's browser must not reach these two writes: besides the Host check in front, a body must be declared as
JSON (which a form cannot do, and which makes a browser ask us first, in vain) and no Origin may be named.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, StringConstraints

from sre_agent.incident.errors import Refused
from sre_agent.policy.halt import HaltCause, HaltState
from sre_agent.web.ports import Switch

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Who = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]

_REFUSED: dict[int | str, dict[str, Any]] = {
    403: {"description": "the request names an Origin"},
    415: {"description": "the body is not declared as JSON"},
}
_TOKEN = HTTPBearer(auto_error=False, description="the person's own token, as `sre-agent approvals approve` takes it")


class SwitchView(BaseModel):
    """How the switch stands: what cannot be read is engaged, with cause `unreadable`."""

    model_config = ConfigDict(frozen=True)

    engaged: bool
    cause: HaltCause
    by: str
    reason: str
    at: datetime


class Halting(BaseModel):
    """Who stops the agent, as they say, and why."""

    model_config = ConfigDict(extra="forbid")

    reason: Words
    by: Who = "somebody on this machine"


class Resuming(BaseModel):
    """Which person of teams.yaml lets it act again, and why. Their token goes into the Authorization header."""

    model_config = ConfigDict(extra="forbid")

    person: Who
    reason: Words


def routes(switch: Switch) -> APIRouter:
    """The three endpoints."""
    router = APIRouter(prefix="/api/v1", tags=["kill switch"])

    @router.get("/halt")
    async def stands() -> SwitchView:
        """How the kill switch stands, and why."""
        return _view(await switch.state())

    @router.post("/halt", dependencies=[Depends(_no_browser)], responses=_REFUSED)
    async def halt(asked: Halting) -> SwitchView:
        """Engage the kill switch: no effect begins any more, in any process. A begun failover finishes its fence."""
        return _view(await switch.engage(asked.by, asked.reason))

    @router.post(
        "/resume",
        dependencies=[Depends(_no_browser)],
        responses={**_REFUSED, 401: {"description": "no token"}, 403: {"description": "not this person's token, or an Origin"}},
    )
    async def resume(asked: Resuming, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_TOKEN)]) -> SwitchView:
        """Lift the kill switch, as a person."""
        if token is None or not token.credentials:
            raise HTTPException(
                401, "resuming takes a person's own token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"}
            )
        try:
            return _view(await switch.resume(asked.person, token.credentials, asked.reason))
        except Refused as no:
            raise HTTPException(403, str(no)) from no

    return router


def _no_browser(request: Request) -> None:
    """Refuse what a web page could have sent."""
    if "origin" in request.headers:
        raise HTTPException(403, "a request with an Origin comes from a web page; the kill switch is not for pages")
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json":
        raise HTTPException(415, "declare the body as content-type: application/json")


def _view(state: HaltState) -> SwitchView:
    return SwitchView(engaged=state.engaged, cause=state.cause, by=state.by, reason=state.reason, at=state.at)
