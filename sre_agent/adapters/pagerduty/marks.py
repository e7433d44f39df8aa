"""What is set on an incident besides its policy and note: priority, custom fields, a status update.

    priority        read the account's list and the incident; PUT only where that raises it; no answer: read again
    custom fields   PUT of values, which says the same however often it is sent
    status update   POST, sent once, whatever comes back: subscribers may be customers

Shapes: PagerDuty REST v2, "Update an incident", "Set custom field values", "Create a status update" (a flat body).
"""

from collections.abc import Mapping

from sre_agent.adapters.pagerduty.gateway import Gateway
from sre_agent.incident.errors import Conflict, OutcomeUnknown, Permanent, Transient
from sre_agent.intake.untrusted import fields, text


class Marks:
    """Sets them through a gateway. Raises what the gateway raises."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def raise_priority(self, incident_id: str, name: str) -> bool:
        """The priority of that name, unless the incident's own is as urgent. Raises Permanent when there is none, Conflict when
        the incident is resolved."""
        # The list is ordered, most severe first.
        listed = [fields(p) for p in await self._gateway.pages("/priorities", "priorities")]
        ranks = {text(p.get("id"), 40): rank for rank, p in enumerate(listed)}
        named = [text(p.get("name"), 80).strip() for p in listed]
        wanted = next((rank for rank, n in enumerate(named) if n.casefold() == name.strip().casefold()), None)
        if wanted is None:
            known = ", ".join(named) or "none"
            raise Permanent(f"PagerDuty has no priority {name.strip()!r} (it has: {known}); correct policies/data/handback.yaml")
        if not await self._less_urgent(incident_id, ranks, wanted):
            return False
        reference = {"id": text(listed[wanted].get("id"), 40), "type": "priority_reference"}
        try:
            body = {"incident": {"type": "incident_reference", "priority": reference}}
            await self._gateway.write("PUT", f"/incidents/{incident_id}", body)
        except OutcomeUnknown as error:
            if await self._less_urgent(incident_id, ranks, wanted):
                raise Transient(f"{error}; the incident was read again and has its old priority", error.retry_after) from error
        return True

    async def _less_urgent(self, incident_id: str, ranks: Mapping[str, int], wanted: int) -> bool:
        """Whether the incident's priority stands below `wanted`. One that the list does not know is left alone."""
        found = fields((await self._gateway.get(f"/incidents/{incident_id}")).get("incident"))
        if found.get("id") != incident_id:
            raise Permanent(f"PagerDuty answered with incident {text(found.get('id'), 40)!r} when asked for {incident_id}")
        if found.get("status") == "resolved":
            raise Conflict(f"PagerDuty: incident {incident_id} is resolved; its priority is not changed any more")
        current = found.get("priority")
        return current is None or ranks.get(text(fields(current).get("id"), 40), wanted) > wanted

    async def set_fields(self, incident_id: str, values: Mapping[str, str]) -> None:
        """Give custom fields their values."""
        listed = [{"name": name, "value": value} for name, value in sorted(values.items())]
        await self._gateway.write("PUT", f"/incidents/{incident_id}/custom_fields/values", {"custom_fields": listed})

    async def post_status(self, incident_id: str, message: str) -> None:
        """One status update to the incident's subscribers."""
        await self._gateway.write("POST", f"/incidents/{incident_id}/status_updates", {"message": message})
