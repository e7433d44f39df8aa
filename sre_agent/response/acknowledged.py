"""What the acknowledgement of somebody who can be placed in a team means for an incident. Pure.

    state                      by a wrong team                                 by a right team, or nobody known to be wrong
    received ... verifying     remembered: the hand-back itself hands it on    remembered
    handed back                handed on, once a round; told when repeated     a hand-on under way is called off
    any other final state      remembered                                      remembered

INVARIANT: nothing is moved while an action runs, for a person who cannot be placed, or where somebody of an owning team
acknowledged in the same round. An acknowledgement heard twice, or one older than the last, counts once.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sre_agent.incident.event import EventKind
from sre_agent.incident.target import Target
from sre_agent.response import lifecycle
from sre_agent.response.record import HandedOn, IncidentRecord, JobKind, State, Step
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.rightful import Acknowledgement, misplaced, owning_teams, why_misplaced

TeamOf = Callable[[Target], str]
"""The team that is declared for a target; "" for none."""


def owners_of(record: IncidentRecord, ownership: Ownership, team_of: TeamOf | None) -> frozenset[str]:
    """Who may rightly hold this incident, as far as its verdict is known; empty before, so that nobody is wrong."""
    if record.triage is None:
        return frozenset()
    labels = record.incident.label_values("team") if record.incident else frozenset()
    target = team_of(record.proposal.target) if team_of is not None and record.proposal is not None else ""
    return owning_teams(record.triage, ownership, (*labels, target))


def on_acknowledged(record: IncidentRecord, by: Acknowledgement, owners: frozenset[str], now: datetime) -> Step | None:
    """The step of lifecycle.on_event with what `by` adds to it. `owners` as triage.rightful.owning_teams says of the record."""
    heard = any(a.person == by.person and a.at >= by.at for a in record.acknowledgements)
    plain = lifecycle.on_event(record, EventKind.ACKNOWLEDGED, now)
    if heard:
        return plain
    remembered: dict[str, Any] = {"acknowledgements": (*(a for a in record.acknowledgements if a.person != by.person), by)}
    more = _handed_back(record, by, owners, now, remembered) if record.state is State.HANDED_BACK else None
    if more is None:
        step = plain or Step(to=record.state)
        return step.model_copy(update={"changes": {**step.changes, **remembered}})
    return more.model_copy(update={"changes": {**more.changes, "human_acknowledged": True}})


def wrongly_held(record: IncidentRecord, owners: frozenset[str]) -> Acknowledgement | None:
    """The last acknowledgement of this round, if all of them are by wrong teams; None when one is right, or there is none."""
    held = [a for a in record.acknowledgements if misplaced(a, owners)]
    return held[-1] if held and len(held) == len(record.acknowledgements) else None


def _handed_back(
    record: IncidentRecord, by: Acknowledgement, owners: frozenset[str], now: datetime, remembered: dict[str, Any]
) -> Step | None:
    tell, underway = lifecycle.Narration(record, now), record.handed_on
    if record.triage is None:
        return None
    if not misplaced(by, owners):
        if underway is None or underway.ended:
            return None
        over = underway.model_copy(update={"ended": f"not needed: {by.name} of {' and '.join(by.teams)} acknowledged it"})
        jobs = (lifecycle.job(JobKind.PUBLISH, record.id),)
        text = f"{by.name} of an owning team acknowledged the incident"
        return tell.step(record.state, "incident_acknowledged", text, changes={**remembered, "handed_on": over}, jobs=jobs)
    if any(not misplaced(a, owners) for a in record.acknowledgements):
        return None
    why = why_misplaced(by, record.triage)
    if underway is None:
        jobs = (lifecycle.job(JobKind.HAND_BACK, record.id),)
        changes = {**remembered, "handed_on": HandedOn(by=by, why=why)}
        return tell.step(record.state, "wrong_team_acknowledged", why, changes=changes, jobs=jobs)
    if underway.repeated:
        return None
    text = f"{why}; it was handed on once already and is not moved again"
    jobs = (lifecycle.job(JobKind.PUBLISH, record.id),)
    changes = {**remembered, "handed_on": underway.model_copy(update={"repeated": True})}
    return tell.step(record.state, "wrong_team_acknowledged", text, changes=changes, jobs=jobs)
