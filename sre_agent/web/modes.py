"""Which mode holds for what, over HTTP: what `sre-agent status` shows. Read-only."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from sre_agent.policy.autonomy import AGREEMENTS
from sre_agent.policy.facts import Mode
from sre_agent.web.ports import ModeTable


class PairView(BaseModel):
    """One entry of modes.yaml: the mode listed, the mode in force, and what was earned. `until`: of the autonomy, also past.

    `agreements` are the `approved` ones and, up to half of `needed`, those in `shadow`.
    """

    model_config = ConfigDict(frozen=True)

    action: str
    service: str
    listed: Mode
    mode: Mode
    agreements: int
    approved: int
    shadow: int
    needed: int
    until: datetime | None
    why_not_auto: str


class ModesView(BaseModel):
    """The agent's own mode, the mode of everything without an entry, and the entries."""

    model_config = ConfigDict(frozen=True)

    overall: Mode
    others: Mode
    pairs: tuple[PairView, ...]


def routes(table: ModeTable) -> APIRouter:
    """The one endpoint."""
    router = APIRouter(prefix="/api/v1", tags=["modes"])

    @router.get("/modes")
    async def modes() -> ModesView:
        """Which mode holds for which action on which service, and why it is not auto."""
        pairs = tuple(
            PairView(
                action=row.entry.action,
                service=row.entry.service,
                listed=row.entry.mode,
                mode=row.mode,
                agreements=row.standing.agreements,
                approved=row.standing.approved,
                shadow=row.standing.shadow,
                needed=AGREEMENTS,
                until=row.standing.until,
                why_not_auto=row.why_not_auto,
            )
            for row in await table.rows()
        )
        return ModesView(overall=table.overall, others=table.others, pairs=pairs)

    return router
