"""Who did what an event or a redacted address tells, where teams.yaml can place them."""

import re
from collections import Counter
from collections.abc import Callable

from sre_agent.approval.teams import Teams
from sre_agent.evidence.redact import redact
from sre_agent.incident.event import IncidentEvent
from sre_agent.policy.people import People, Person
from sre_agent.triage.rightful import Acknowledgement

_TAGGED = re.compile(r"\[redacted:email:[0-9a-f]+\]")


def placing(teams: Teams) -> Callable[[IncidentEvent], Acknowledgement | None]:
    """Joins an event's agent by their PagerDuty user id. None for automation, strangers, and people in no team."""

    def placed(event: IncidentEvent) -> Acknowledgement | None:
        found = at_pagerduty(teams, event.agent_id or "") if event.door == "pagerduty" else None
        if found is None:
            return None
        person, in_teams = found
        return Acknowledgement(person=person.id, name=person.name, teams=in_teams, at=event.occurred_at)

    return placed


def at_pagerduty(teams: Teams, user_id: str) -> tuple[Person, tuple[str, ...]] | None:
    """The person with this PagerDuty user id, and the teams they are in; None for strangers and for people in no team."""
    person = teams.find("pagerduty", user_id)
    in_teams = teams.of(person.id) if person is not None else ()
    return None if person is None or not in_teams else (person, in_teams)


def names_by_address(people: People) -> dict[str, str]:
    """The placeholder that stands for a person's mail address (`oidc`) -> their name, under the redaction key in force.

    Only to say whom to ask: a tag hints at an address and proves nothing. Without a key all addresses look alike, and where two
    people share a tag neither is meant.
    """
    told = {person.id: redact(person.oidc) for person in people.people if person.oidc}
    held = Counter(told.values())
    return {mark: p.name for p in people.people if _TAGGED.fullmatch(mark := told.get(p.id, "")) and held[mark] == 1}
