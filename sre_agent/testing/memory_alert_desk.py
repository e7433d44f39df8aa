"""A double of the alert desk, in memory. The contract tests hold it to the real one's behaviour."""

from sre_agent.handback.alert_desk import ToldAlert
from sre_agent.incident.errors import Permanent


class MemoryAlertDesk:
    """handback.alert_desk.AlertDesk. `notes` and the alerts' teams are what was written."""

    def __init__(self) -> None:
        self.alerts: dict[str, ToldAlert] = {}
        self.notes: dict[str, list[str]] = {}
        self.failure: Exception | None = None

    def put(self, alert: ToldAlert) -> None:
        """An alert to be found from now on."""
        self.alerts[alert.id] = alert

    async def alert(self, alert_id: str) -> ToldAlert:
        """The alert. Raises Permanent when there is none."""
        if self.failure is not None:
            raise self.failure
        if alert_id not in self.alerts:
            raise Permanent(f"there is no alert {alert_id!r}")
        return self.alerts[alert_id]

    async def note(self, alert_id: str, marker: str, text: str) -> bool:
        """Kept once for each marker."""
        await self.alert(alert_id)
        if not marker.strip():
            raise Permanent("a note without a marker could not be found again; none was written")
        notes = self.notes.setdefault(alert_id, [])
        if any(note.split("\n", 1)[0] == marker.strip() for note in notes):
            return False
        notes.append(f"{marker.strip()}\n{text.strip()}")
        return True

    async def reassign(self, alert_id: str, team: str) -> bool:
        """Added once."""
        alert = await self.alert(alert_id)
        if team in alert.teams:
            return False
        self.alerts[alert_id] = alert.model_copy(update={"teams": (*alert.teams, team)})
        return True
