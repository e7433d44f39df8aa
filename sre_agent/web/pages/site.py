"""The pages of one app: routes, static files, the theme, and errors as pages with what to do about them."""

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as Declined
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sre_agent.incident.errors import SreAgentError
from sre_agent.web.forms import form_of
from sre_agent.web.pages import answering, books, incidents, kill_switch
from sre_agent.web.pages.desk import PageDesk
from sre_agent.web.pages.look import THEME_COOKIE, THEMES, Look, frame_of
from sre_agent.web.pages.words import here_only
from sre_agent.web.ports import PagePorts, WebPorts

YEAR_S = 365 * 86400
_FOR_PROGRAMS = ("/api/", "/metrics", "/healthz", "/readyz", "/webhooks/", "/static/", "/slack/")
_ADVICE = {
    401: ("Sign in first", "Your session ended or was never begun."),
    403: ("Not allowed", "Nothing was changed."),
    404: ("Not here", "It may be spelt differently, or belong to another installation."),
    409: ("Somebody was first", "Nothing was changed by this request. Load the page again to see how it stands."),
    422: ("Not understood", "Nothing was changed. Go back and try again."),
    503: ("The agent cannot answer right now", "Its database does not answer. What was received is kept; try again in a minute."),
}


def add_pages(app: FastAPI, ports: WebPorts, pages: PagePorts) -> None:
    """Put the pages into an app."""
    desk = PageDesk(ports, pages)
    app.include_router(incidents.routes(desk))
    app.include_router(answering.routes(desk))
    app.include_router(books.routes(desk))
    if ports.switch is not None:
        app.include_router(kill_switch.routes(desk, ports.switch))
    app.include_router(_shared(desk.look))
    faults = _Faults(desk.look, ports)
    app.add_exception_handler(Declined, faults.declined)
    app.add_exception_handler(RequestValidationError, faults.misread)
    app.add_exception_handler(SreAgentError, faults.failed)


class _Faults:
    """What is answered when a request is declined or fails: a page where a person reads it, JSON where a program does."""

    def __init__(self, look: Look, ports: WebPorts) -> None:
        self._look = look
        self._ports = ports

    async def declined(self, request: Request, failed: Exception) -> Response:
        """404, 403 and the like."""
        if not isinstance(failed, Declined):
            raise failed
        if not _read_by_people(request):
            return await http_exception_handler(request, failed)
        return self._page(request, failed.status_code, str(failed.detail))

    async def misread(self, request: Request, failed: Exception) -> Response:
        """Something in the address that does not fit."""
        if not isinstance(failed, RequestValidationError):
            raise failed
        if not _read_by_people(request):
            return await request_validation_exception_handler(request, failed)
        return self._page(request, 422, "something in the address is not as it should be")

    async def failed(self, request: Request, failed: Exception) -> Response:
        """The store could not answer."""
        if not _read_by_people(request):
            return JSONResponse({"error": str(failed)}, status_code=503)
        return self._page(request, 503, str(failed))

    def _page(self, request: Request, status: int, words: str) -> Response:
        """The error as a page. It asks nothing of the store, which may be what failed."""
        title, advice = _ADVICE.get(status, ("This did not work", "Nothing was changed."))
        frame = frame_of(request, self._ports.clock.now())
        return self._look.page("fault.html.j2", frame, {"title": title, "advice": advice, "words": words, "status": status}, status)


def _read_by_people(request: Request) -> bool:
    return not request.url.path.startswith(_FOR_PROGRAMS)


def _shared(look: Look) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        file = look.files.get(name)
        if file is None:
            raise HTTPException(404, f"there is no file {name}")
        return Response(file.body, media_type=file.content_type, headers={"cache-control": f"public, max-age={YEAR_S}, immutable"})

    @router.post("/theme")
    async def theme(request: Request) -> Response:
        form = form_of(request)
        chosen = form.one("theme")
        if chosen not in THEMES:
            raise HTTPException(422, f"there is no theme {chosen!r}: {', '.join(THEMES)}")
        answer = RedirectResponse(here_only(form.one("back", "/")), 303)
        answer.set_cookie(THEME_COOKIE, chosen, max_age=YEAR_S, httponly=True, samesite="lax")
        return answer

    return router
