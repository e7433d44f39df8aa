"""Incidents like this one, and what people wrote about them, from whatever history wiring passes in (PagerDuty's).

Read-only. It is text about other days: it corroborates nothing, no detector reads it, people and a model may. Payload:
{"source": "pagerduty", "incidents": [dumps of `evidence.past_incident.PastIncident`]}.
"""

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.past_incident import IncidentHistory
from sre_agent.evidence.source import Scope

NOT_AVAILABLE = "past and related incidents are not available in this account"


class PastIncidentsSource:
    """EvidenceSource over one IncidentHistory. Raises what the history raises: Transient or Permanent."""

    name = "pagerduty"
    # SAFETY: TEXT never corroborates. Notes of other incidents are anybody's words about another day.
    kind = EvidenceKind.TEXT

    def __init__(self, history: IncidentHistory) -> None:
        self._history = history

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One TEXT evidence; NO_DATA where there are none, and where the account does not have this."""
        similar = await self._history.similar(scope.incident.id)
        payload = {"source": self.name, "incidents": [p.model_dump(mode="json") for p in similar]} if similar else None
        return (
            Evidence(
                id="",
                source=self.name,
                kind=self.kind,
                query=f"incidents like {scope.incident.id}",
                status=EvidenceStatus.OK if similar else EvidenceStatus.NO_DATA,
                observed_at=scope.now,
                link=scope.incident.html_url,
                payload=payload,
                size_bytes=len(str(payload or "")),
                error=NOT_AVAILABLE if similar is None else "",
            ),
        )
