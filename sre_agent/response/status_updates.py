"""Drafts status page updates as an incident goes on. INVARIANT: it publishes nothing; only a person's command does."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sre_agent.handback.status_page import (
    DraftState,
    KeptDraft,
    StatusDraft,
    StatusDrafts,
    StatusPhase,
    draft,
    ended,
    open_at,
)
from sre_agent.incident.alert import Alert, AlertClass, AlertStatus
from sre_agent.incident.errors import Conflict
from sre_agent.response import lifecycle
from sre_agent.response.record import IncidentRecord, State
from sre_agent.response.walk import Walk
from sre_agent.routing.file import Routing

AGENT: Final = "sre-agent"
_OUTRUN: Final = "the incident went on before anybody published it"


@dataclass(frozen=True)
class StatusDesk:
    """The drafts of one incident after another. Safe to call again: a draft is kept and told of once."""

    walk: Walk
    drafts: StatusDrafts
    routing: Routing

    async def offer(self, record: IncidentRecord, alerts: Sequence[Alert]) -> tuple[StatusDraft, ...]:
        """Draft what there is to tell now; returns the drafts that began to wait for a person.

        While it lasts: one draft for each page whose customers notice, unless that page tells of it already. When it is over: its
        end, for pages that were told of it. What waits and fits no more is discarded. Raises Transient.
        """
        kept = await self.drafts.of_incident(record.id)
        standing, over = open_at(kept), is_over(record, alerts)
        if over:
            wanted = tuple(ended(first.draft, record.round) for first in standing.values())
        else:
            found = record.triage.alert_class if record.triage else AlertClass.UNKNOWN
            fresh = draft(record.id, alerts, found, self.routing, (record.round, StatusPhase.INVESTIGATING))
            wanted = tuple(d for d in fresh if d.audience not in standing)
        phase = StatusPhase.RESOLVED if over else StatusPhase.INVESTIGATING
        await self._discard_outrun(k for k in kept if k.draft.phase is not phase or k.draft.round != record.round)
        waiting = (*await self.drafts.keep(wanted, self.walk.clock.now()), *await self._waiting_again(kept, wanted))
        if waiting:
            names = ", ".join(d.id for d in waiting)
            text = f"a status page update waits for a person (sre-agent status-page show ID): {names}"
            now = self.walk.clock.now()
            await self.walk.advance(record.id, lambda r: lifecycle.remark(r, "status_drafted", text, now))
        return waiting

    async def _discard_outrun(self, kept: Iterable[KeptDraft]) -> None:
        for each in kept:
            if each.state is DraftState.PENDING:
                with suppress(Conflict):  # a person was first
                    await self._move(each, DraftState.DISCARDED, _OUTRUN)

    async def _waiting_again(self, kept: Iterable[KeptDraft], wanted: Iterable[StatusDraft]) -> tuple[StatusDraft, ...]:
        """Drafts that were outrun and fit again. What a person discarded stays so."""
        again, ids = list[StatusDraft](), {d.id for d in wanted}
        for each in kept:
            if each.draft.id in ids and each.state is DraftState.DISCARDED and each.by == AGENT:
                with suppress(Conflict):
                    await self._move(each, DraftState.PENDING, "")
                    again.append(each.draft)
        return tuple(again)

    async def _move(self, before: KeptDraft, state: DraftState, why: str) -> None:
        changes = {"state": state, "by": AGENT, "why": why, "changed_at": self.walk.clock.now()}
        await self.drafts.move(before, before.model_copy(update=changes))
        if state is DraftState.DISCARDED:
            text = f"{before.draft.id}: {why}"
            now = self.walk.clock.now()
            await self.walk.advance(before.draft.incident_id, lambda r: lifecycle.remark(r, "status_discarded", text, now))


def is_over(record: IncidentRecord, alerts: Sequence[Alert]) -> bool:
    """Whether customers can be told that it is over: it recovered or ended elsewhere, or none of its alerts fires any more."""
    if record.state in (State.RECOVERED, State.CANCELLED):
        return True
    return bool(alerts) and all(a.labels_known and a.status is AlertStatus.RESOLVED for a in alerts)
