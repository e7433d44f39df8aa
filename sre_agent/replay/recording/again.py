"""An investigation and its facts as they were recorded: what lets the live rooms come to the same end without asking anybody."""

from dataclasses import dataclass, field

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.source import Scope
from sre_agent.investigation.reasoner import Brief, Dialogue, Look, LookAnswer, Opinion, Turn
from sre_agent.investigation.tools import LOOK_AGAIN
from sre_agent.policy.facts import FactContext, Facts
from sre_agent.response.assess import FactsFor
from sre_agent.response.ports import NOTHING, Investigator
from sre_agent.response.record import Judged
from sre_agent.runbook.proposal import Basis, Investigated
from sre_agent.triage.triage import Triage

LATER = "recorded-looks"


@dataclass
class LaterAnswers:
    """EvidenceSource that has nothing to say the first time, and then what a model had asked to see."""

    answers: tuple[Evidence, ...]
    name: str = LATER
    kind: EvidenceKind = EvidenceKind.TEXT
    _asked: bool = field(default=False, init=False)

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:  # noqa: ARG002
        """Nothing to code's own plan, everything to the look that follows."""
        first, self._asked = not self._asked, True
        return () if first else self.answers


@dataclass
class RecordedReasoner:
    """Reasoner that says what was said. `looks`: whether it first asks for what was asked for then."""

    opinion: Opinion
    looks: bool = False
    name: str = "recorded"

    def prepare(self, brief: Brief, dialogue: Dialogue, answers: tuple[LookAnswer, ...], looked_s: float) -> Turn:  # noqa: ARG002
        """The recorded opinion, once its looks were made."""
        return Turn(dialogue=dialogue) if self.looks and not answers else Turn(dialogue=dialogue, opinion=self.opinion)

    async def ask(self, dialogue: Dialogue) -> Turn:
        """One look that brings everything."""
        look = Look(call_id="recorded", tool=LOOK_AGAIN, arguments=f'{{"source": "{LATER}", "minutes_before_onset": 5}}')
        return Turn(dialogue=dialogue, looks=(look,))


@dataclass(frozen=True)
class AsItWas:
    """response.ports.Investigator that looks at what was looked at: the scope and the labels of the recording."""

    investigator: Investigator
    basis: Basis

    async def investigate(self, scope: Scope, triage: Triage, thread: str, spent: Spend = NOTHING) -> Investigated:  # noqa: ARG002
        """The recorded scope, through the investigator behind it."""
        return await self.investigator.investigate(self.basis.scope, Triage.model_validate(self.basis.triage), thread, spent)

    async def spent(self, thread: str) -> Spend:
        """As the investigator behind it."""
        return await self.investigator.spent(thread)

    async def reexamine(self, scope: Scope, before: Diagnosis) -> Diagnosis:
        """As the investigator behind it."""
        return await self.investigator.reexamine(scope, before)


@dataclass(frozen=True)
class FactsAsRecorded:
    """FactsFor: the recorded facts for the recorded plan, and `otherwise` for any other plan."""

    judged: Judged
    otherwise: FactsFor

    async def __call__(self, context: FactContext) -> Facts:
        """The facts of a plan."""
        situation = self.judged.situation
        if situation is not None and situation.proposal == context.proposal:
            return situation.facts
        return await self.otherwise(context)
