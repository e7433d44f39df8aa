"""What travels through the graph: JSON only, so that a checkpoint can hold nothing that runs when it is read.

Everything in it has been redacted before it came here.
"""

from typing import Any, Protocol, TypedDict

from sre_agent.evidence.evidence import Evidence
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView

# Raise it whenever a node is renamed, or the meaning of a field below changes: a paused thread of another
# version must never be continued.
VERSION = 2

Json = dict[str, Any]


class State(TypedDict, total=False):
    """Fields are dumped pydantic models (`mode="json"`).

    `planned`: how many pieces of evidence code's own plan brought. `asked`: looks to make next. `looked_s`: how many
    seconds the last looks took. `opinion`: None until the reasoner is done; `said`: the same before critique held it against
    the evidence. `remarks`: what critique left of the model's statements. `spent_before`: what other investigations of this
    incident spent on a model; `spent_here`: what an earlier run of this one did.
    """

    version: int
    scope: Json
    triage: Json
    planned: int | None
    evidence: list[Json]
    asked: list[Json]
    answers: list[Json]
    looked_s: float
    spent_before: Json
    spent_here: Json
    dialogue: Json
    examined: Json
    opinion: Json | None
    said: Json
    remarks: list[str]
    investigated: Json


class Node(Protocol):
    """One node: reads the state, answers with the fields that change."""

    async def __call__(self, state: State) -> State:
        """Runs again from its top when interrupted: so it only reads the world."""
        ...


def evidence_of(state: State) -> tuple[Evidence, ...]:
    """The evidence gathered so far."""
    return tuple(Evidence.model_validate(e) for e in state.get("evidence", ()))


def view_of(state: State) -> EvidenceView:
    """The reader's view of it."""
    return EvidenceView(scope=Scope.model_validate(state["scope"]), evidence=evidence_of(state))
