"""The kill switch: any approver may stop the agent, an admin lets it act again, proved by their own token as everywhere."""

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sre_agent.evidence.redact import redact
from sre_agent.incident.errors import Permanent, Refused
from sre_agent.web.forms import form_of
from sre_agent.web.pages.desk import PageDesk
from sre_agent.web.ports import Switch
from sre_agent.web.visitor import Role, needing

LONGEST_REASON = 500
PAGE = "/switch"


def routes(desk: PageDesk, switch: Switch) -> APIRouter:
    """/switch and its two forms."""
    router = APIRouter(include_in_schema=False)

    async def page(request: Request, said: str = "", status: int = 200) -> Response:
        needing(Role.VIEWER, request)
        rows = await desk.ports.modes.rows() if desk.ports.modes is not None else ()
        view = {"halt": await switch.state(), "said": said, "modes": desk.ports.modes, "rows": rows}
        return await desk.show(request, "switch.html.j2", view, status)

    def reason_in(request: Request) -> str:
        reason = form_of(request).one("reason").strip()
        if not reason or len(reason) > LONGEST_REASON:
            raise HTTPException(
                422, f"a reason is needed, of at most {LONGEST_REASON} characters: the next person on call reads it"
            )
        return redact(reason)

    @router.get(PAGE)
    async def stands(request: Request) -> Response:
        return await page(request)

    @router.post("/switch/engage")
    async def engage(request: Request) -> Response:
        visitor = needing(Role.APPROVER, request)
        await switch.engage(visitor.person or visitor.name, reason_in(request))
        return RedirectResponse(PAGE, 303)

    @router.post("/switch/resume")
    async def resume(request: Request) -> Response:
        visitor = needing(Role.ADMIN, request)
        try:
            await switch.resume(visitor.person or "", form_of(request).one("token"), reason_in(request))
        except Refused as no:
            return await page(request, f"Not resumed: {no.reason}.", 403)
        except Permanent as failed:
            return await page(request, f"Not resumed: {failed}", 409)
        return RedirectResponse(PAGE, 303)

    return router
