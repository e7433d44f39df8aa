"""The JSON API: the same facts the pages show. Read-only; answers this machine, and whoever is signed in (see `front`)."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query

from sre_agent.response.record import State
from sre_agent.web.ports import WebPorts
from sre_agent.web.views import IncidentDetail, Listing, detail, summary

OPENAPI_PATH = "/api/v1/openapi.json"
_ID = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$"


def routes(ports: WebPorts) -> APIRouter:
    """The endpoints under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["incidents"])

    @router.get("/incidents")
    async def incidents(
        state: Annotated[list[State] | None, Query(description="only these states")] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="at most so many")] = 50,
    ) -> Listing:
        """Incidents, newest first."""
        records = await ports.store.listing(frozenset(state) if state else None, limit)
        return Listing(incidents=tuple(summary(record) for record in records))

    @router.get("/incidents/{incident_id}", responses={404: {"description": "no such incident"}})
    async def incident(incident_id: Annotated[str, Path(pattern=_ID)]) -> IncidentDetail:
        """One incident: state, class, verdict, actions, timeline."""
        record = await ports.store.load(incident_id)
        if record is None:
            raise HTTPException(404, f"no incident {incident_id!r} is known here")
        return detail(record, await ports.store.audit(incident_id))

    return router
