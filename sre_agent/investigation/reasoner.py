"""The protocol between the graph and whoever reasons: rules or a model.

INVARIANT: an Opinion has no field for a target, a parameter, an action or a permission. Whatever a model
writes, that is all that leaves this file.
"""

from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import ModelUsage, Outcome
from sre_agent.evidence.evidence import Evidence
from sre_agent.evidence.finding import Finding, RootCause
from sre_agent.evidence.source import Scope
from sre_agent.incident.alert import AlertClass
from sre_agent.investigation.chat import Message
from sre_agent.triage.triage import Triage


class Brief(BaseModel):
    """Everything known so far, redacted. `runbooks` are (id, title) of those that code found applicable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: Scope
    triage: Triage
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    root_causes: tuple[RootCause, ...] = ()
    outcome: Outcome = Outcome()
    notes: tuple[str, ...] = ()
    runbooks: tuple[tuple[str, str], ...] = ()


class Look(BaseModel):
    """A read-only look somebody asks for. `arguments` is JSON text, checked by tools.py alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    call_id: str
    tool: str
    arguments: str = "{}"


class LookAnswer(BaseModel):
    """What a look showed, as text for the model. `valid` False: no such tool, or wrong arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    call_id: str
    text: str
    valid: bool = True


class Statement(BaseModel):
    """One thing a model says, with the evidence ids it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    evidence: tuple[str, ...] = ()


class Opinion(BaseModel):
    """What a reasoner thinks. All of it is claims: it explains, restricts, or names another applicable runbook.

    The defaults are the neutral opinion: it changes nothing. `confidence_bp` is in basis points.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    statements: tuple[Statement, ...] = ()
    claimed_class: AlertClass | None = None
    confidence_bp: int = Field(default=10_000, ge=0, le=10_000)
    veto: str | None = None
    runbook: str | None = None
    usage: ModelUsage = ModelUsage()


class Dialogue(BaseModel):
    """What a reasoner must remember between two turns; JSON in a checkpoint.

    `strikes` counts unusable answers and useless looks; `seen` holds looks already asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Message, ...] = ()
    spent: Spend = Spend()
    rounds: int = 0
    strikes: int = 0
    seen: tuple[str, ...] = ()


class Turn(BaseModel):
    """One step of reasoning: an opinion ends it; without one, `looks` are made and another turn follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialogue: Dialogue = Dialogue()
    looks: tuple[Look, ...] = ()
    opinion: Opinion | None = None


class Reasoner(Protocol):
    """Thinks about a brief, one turn at a time. Never raises for a model that failed: it falls back."""

    name: str

    async def turn(self, brief: Brief, dialogue: Dialogue, answers: tuple[LookAnswer, ...]) -> Turn:
        """The next step, given the answers to the looks of the last one."""
        ...
