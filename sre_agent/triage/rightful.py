"""Whose acknowledgement is at home with an incident? Pure, over teams of people and the ownership tree.

Right is, in this order:

    receiver's teams not declared           everybody: no team is the wrong one
    in a team of the receiver               right
    the prompt's or tool's declared owner   right, by the team's name or the person's own id
    the team of the target (infra only)     right; so is the alert's label `team`: it can only keep things as they are
    anybody else who is in a team           wrong: the incident must not rot with them
"""

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.visible import unmarked
from sre_agent.incident.alert import AlertClass
from sre_agent.triage.ownership import INTEGRATIONS, Ownership
from sre_agent.triage.triage import Triage

MOST_OWNER = 60


class Acknowledgement(BaseModel):
    """A person (id in teams.yaml) acknowledged the incident at `at`, by the sender's clock. They are in at least one team."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: str
    name: str
    teams: tuple[str, ...]
    at: datetime


def owning_teams(triage: Triage, ownership: Ownership, near: Iterable[str] = ()) -> frozenset[str]:
    """The teams (and people) that may rightly hold the incident; empty when none is declared, so that nobody is wrong.

    `near`: the target's team and the alerts' own `team` labels, which count for infrastructure only.
    """
    teams = ownership.teams.get(triage.receiver, ())
    if not teams:
        return frozenset()
    # A tool's name is a label's text; who owns the tool is declared.
    declared = (ownership.tool_owners.get(triage.owner, "") if triage.receiver == INTEGRATIONS else triage.owner,)
    local = near if triage.alert_class is AlertClass.INFRA else ()
    return frozenset({*teams, *declared, *local} - {"", "default"})


def misplaced(by: Acknowledgement, owners: frozenset[str]) -> bool:
    """True when this person is in no team that owns the incident. Never when nobody is known to own it."""
    return bool(owners) and bool(by.teams) and not owners & {by.person, *by.teams}


def why_misplaced(by: Acknowledgement, triage: Triage) -> str:
    """One clause for people, in declared words."""
    kind = f"{'an' if triage.alert_class.value[0] in 'aeiou' else 'a'} {triage.alert_class.value} incident"
    owner = unmarked(triage.owner, MOST_OWNER)
    return f"acknowledged by {by.name} of {' and '.join(by.teams)}; this is {kind} and belongs to {owner}"
