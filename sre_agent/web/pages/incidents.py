"""The list of incidents, one incident, and one piece of its evidence."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from sre_agent.incident.alert import AlertClass
from sre_agent.policy.decision import Verdict
from sre_agent.response.headline import Wanted
from sre_agent.response.record import IncidentRecord, State
from sre_agent.web.pages.desk import PageDesk
from sre_agent.web.pages.proof import proof_of
from sre_agent.web.visitor import Role, needing

ID = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$"
Id = Annotated[str, Path(pattern=ID)]
Word = Annotated[str, Query(max_length=120)]
PER_PAGE = 50
MOST_PAGES = 200
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class Filters:
    """What the list's form asks for, as typed. An unknown word of a closed set asks for nothing."""

    state: Word = ""
    alert_class: Word = ""
    verdict: Word = ""
    owner: Word = ""
    service: Word = ""
    text: Word = ""

    def wanted(self) -> Wanted:
        """As the store is asked."""
        state = _one_of(State, self.state)
        states = frozenset({state}) if state else None
        if self.state == "open":
            states = frozenset(s for s in State if not s.final)
        return Wanted(
            states, _one_of(AlertClass, self.alert_class), _one_of(Verdict, self.verdict), self.owner, self.service, self.text
        )

    def query(self, page: int) -> str:
        """The address of another page with the same filters."""
        given = {k: v for k, v in vars(self).items() if v} | ({"page": page} if page > 1 else {})
        return f"/?{urlencode(given)}" if given else "/"


def _one_of(kind: type[E], word: str) -> E | None:
    return next((member for member in kind if member.value == word), None)


def routes(desk: PageDesk) -> APIRouter:
    """The pages under / and /incidents."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def listing(
        request: Request,
        filters: Annotated[Filters, Depends()],
        page: Annotated[int, Query(ge=1, le=MOST_PAGES)] = 1,
    ) -> Response:
        needing(Role.VIEWER, request)
        lines = await desk.pages.headlines.newest(filters.wanted(), PER_PAGE + 1, (page - 1) * PER_PAGE)
        view: dict[str, Any] = {
            "lines": lines[:PER_PAGE],
            "filters": filters,
            "filtered": any(vars(filters).values()),
            "earlier": filters.query(page + 1) if len(lines) > PER_PAGE and page < MOST_PAGES else "",
            "later": filters.query(page - 1) if page > 1 else "",
            "page": page,
            "classes": list(AlertClass),
        }
        return await desk.show(request, "incidents.html.j2", view)

    @router.get("/incidents/{incident_id}")
    async def incident(request: Request, incident_id: Id) -> Response:
        return await incident_page(desk, request, await _found(desk, request, incident_id))

    @router.get("/incidents/{incident_id}/now")
    async def now(request: Request, incident_id: Id, version: Annotated[int, Query(ge=0)] = 0) -> Response:
        needing(Role.VIEWER, request)
        if await desk.pages.headlines.version(incident_id) == version:
            return Response(status_code=204)
        return await incident_page(desk, request, await _found(desk, request, incident_id), template="incident_part.html.j2")

    @router.get("/incidents/{incident_id}/evidence/{evidence_id}")
    async def evidence(request: Request, incident_id: Id, evidence_id: Id) -> Response:
        record = await _found(desk, request, incident_id)
        proof = proof_of(record, evidence_id)
        if proof is None:
            raise HTTPException(404, f"incident {incident_id} has no evidence {evidence_id} in its newest investigation")
        return await desk.show(request, "evidence.html.j2", {"record": record, "proof": proof})

    return router


async def incident_page(
    desk: PageDesk,
    request: Request,
    record: IncidentRecord,
    *,
    template: str = "incident.html.j2",
    said: str = "",
    status: int = 200,
) -> Response:
    """One incident's page; `said` is what is told about what was just tried."""
    view = await desk.incident(needing(Role.VIEWER, request), record)
    return await desk.show(request, template, {"view": view, "said": said}, status)


async def _found(desk: PageDesk, request: Request, incident_id: str) -> IncidentRecord:
    needing(Role.VIEWER, request)
    record = await desk.ports.store.load(incident_id)
    if record is None:
        raise HTTPException(404, f"no incident {incident_id} is known here")
    return record
