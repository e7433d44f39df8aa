"""Who asked for an investigation, as far as the door could tell. Pure."""

from sre_agent.approval.teams import Teams
from sre_agent.incident.event import IncidentEvent
from sre_agent.response.record import ANONYMOUS, OUTSIDER


def requester_of(teams: Teams, event: IncidentEvent) -> str:
    """The person of teams.yaml with this PagerDuty id; else that id, marked as somebody not listed; else ANONYMOUS."""
    if event.agent_id is None:
        return ANONYMOUS
    person = teams.find("pagerduty", event.agent_id)
    if person is not None:
        return person.id
    outsider = f"{OUTSIDER}{event.agent_id}"
    # SAFETY: the mark must never be somebody's own id, or that person's yes and this request would be one person's.
    return outsider if teams.find("id", outsider) is None else ANONYMOUS


def nobody_known(event: IncidentEvent) -> str:  # noqa: ARG001
    """Without people to look up, whoever asked may be anybody."""
    return ANONYMOUS
