"""What a list of incidents shows of each: a line, without the evidence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import AlertClass
from sre_agent.incident.target import Target
from sre_agent.policy.decision import Verdict
from sre_agent.response.record import IncidentRecord, State

LONGEST = 300
"""Characters of a title or a reason that a line keeps."""


class Headline(BaseModel):
    """One incident as a line. Before the first investigation only its id, state and times are known.

    `alert_class` is after the evidence, `labelled_class` what the labels said; `service` is its name, else its id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    version: int
    state: State
    round: int
    received_at: datetime
    updated_at: datetime
    number: int | None = None
    title: str | None = None
    service: str | None = None
    alert_class: AlertClass | None = None
    labelled_class: AlertClass | None = None
    owner: str | None = None
    verdict: Verdict | None = None
    action: str | None = None
    target: Target | None = None
    reason: str = ""


@dataclass(frozen=True)
class Wanted:
    """Which incidents: all that is given must hold; "" and None ask for nothing. `text` is looked for, in any case, in title,
    id, number, service, owner, and the target's name."""

    states: frozenset[State] | None = None
    alert_class: AlertClass | None = None
    verdict: Verdict | None = None
    owner: str = ""
    service: str = ""
    text: str = ""


class Headlines(Protocol):
    """Lists incidents. Both raise Transient when the database cannot be reached."""

    async def newest(self, wanted: Wanted, limit: int, skip: int = 0) -> tuple[Headline, ...]:
        """Those wanted, newest first (by `received_at`), at most `limit` behind the first `skip`."""
        ...

    async def version(self, incident_id: str) -> int | None:
        """The version an incident is at; None when there is no such incident."""
        ...


def headline(record: IncidentRecord) -> Headline:
    """A record's line, as the database makes it from the stored document."""
    incident, triage, plan = record.incident, record.triage, record.proposal
    return Headline(
        id=record.id,
        version=record.version,
        state=record.state,
        round=record.round,
        received_at=record.received_at,
        updated_at=record.updated_at,
        number=incident.number if incident else None,
        title=incident.title[:LONGEST] if incident else None,
        service=(incident.service.name or incident.service.id) if incident else None,
        alert_class=triage.alert_class if triage else None,
        labelled_class=triage.labelled if triage else None,
        owner=triage.owner if triage else None,
        verdict=record.decision.verdict if record.decision else None,
        action=plan.action if plan else None,
        target=plan.target if plan else None,
        reason=record.reason[:LONGEST],
    )


def matches(line: Headline, wanted: Wanted) -> bool:
    """Whether a line is one of those wanted."""
    if wanted.states is not None and line.state not in wanted.states:
        return False
    asked = ((wanted.alert_class, line.alert_class), (wanted.verdict, line.verdict))
    named = ((wanted.owner, line.owner), (wanted.service, line.service))
    if any(want is not None and want is not has for want, has in asked) or any(want and want != has for want, has in named):
        return False
    said = (line.title, line.id, line.number, line.service, line.owner, line.target.name if line.target else None)
    return wanted.text.lower() in " ".join(str(part) for part in said if part is not None).lower()
