"""Who did what an event tells, where teams.yaml can place them: a known person who is in at least one team."""

from collections.abc import Callable

from sre_agent.approval.teams import Teams
from sre_agent.incident.event import IncidentEvent
from sre_agent.triage.rightful import Acknowledgement


def placing(teams: Teams) -> Callable[[IncidentEvent], Acknowledgement | None]:
    """Joins an event's agent by their PagerDuty user id. None for automation, strangers, and people in no team."""

    def placed(event: IncidentEvent) -> Acknowledgement | None:
        person = teams.find("pagerduty", event.agent_id or "") if event.door == "pagerduty" else None
        in_teams = teams.of(person.id) if person is not None else ()
        if person is None or not in_teams:
            return None
        return Acknowledgement(person=person.id, name=person.name, teams=in_teams, at=event.occurred_at)

    return placed
