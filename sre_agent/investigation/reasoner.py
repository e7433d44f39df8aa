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
    """A read-only look somebody asks for. `arguments` is JSON text, checked by tools.py alone.

    `within_s`: the most seconds it may take; None for as long as a source may.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    call_id: str
    tool: str
    arguments: str = "{}"
    within_s: float | None = None


class LookAnswer(BaseModel):
    """What a look showed: `text` for the model, or the ids of new `evidence`. `valid` False: no such tool, or wrong arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    call_id: str
    text: str
    valid: bool = True
    evidence: tuple[str, ...] = ()


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


class Reservation(BaseModel):
    """A call that is about to be made, at its estimate. It is in a checkpoint before the call is.

    `ticket` is known only to the reasoner that made it, and only until it asks: whoever finds another one knows that the
    call was made, or may have been, and that its answer is lost. `last`: no more looks are offered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ticket: str
    spend: Spend
    last: bool = False


class Dialogue(BaseModel):
    """What a reasoner must remember between two turns; JSON in a checkpoint.

    `before` is what other investigations of the incident spent, `spent` what this one did. `strikes` counts unusable
    answers and useless looks; `seen` holds looks already asked for. `shown` maps the fingerprint of a block of data to
    the evidence id under which the model has it; `judged` is what it was told last of findings and causes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Message, ...] = ()
    before: Spend = Spend()
    spent: Spend = Spend()
    reserved: Reservation | None = None
    rounds: int = 0
    strikes: int = 0
    seen: tuple[str, ...] = ()
    shown: dict[str, str] = {}
    judged: str = ""

    @property
    def total(self) -> Spend:
        """What the incident has spent."""
        return self.before.plus(self.spent)

    @property
    def owed(self) -> Spend:
        """What this investigation has spent if the call that is reserved was made."""
        return self.spent if self.reserved is None else self.spent.plus(self.reserved.spend.model_copy(update={"lost": 1}))


class Turn(BaseModel):
    """One step of reasoning: an opinion ends it; without one, `looks` are made and another turn follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialogue: Dialogue = Dialogue()
    looks: tuple[Look, ...] = ()
    opinion: Opinion | None = None


class Reasoner(Protocol):
    """Thinks about a brief, one turn at a time. Never raises for a model that failed: it falls back."""

    name: str

    def prepare(self, brief: Brief, dialogue: Dialogue, answers: tuple[LookAnswer, ...], looked_s: float) -> Turn:
        """What is said next, given the answers to the last looks, which took `looked_s` seconds. Calls nobody.

        A turn with an opinion ends the matter. Without one its dialogue is checkpointed, and then `ask` is called with it.
        """
        ...

    async def ask(self, dialogue: Dialogue) -> Turn:
        """The call that `prepare` reserved, or only its loss when another process may have made it."""
        ...
