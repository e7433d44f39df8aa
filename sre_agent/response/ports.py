"""What the responder needs of the rooms it may not import or that touch the outside."""

from typing import Protocol

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.source import Scope
from sre_agent.runbook.proposal import Investigated
from sre_agent.triage.triage import Triage

NOTHING = Spend()


class Investigator(Protocol):
    """The investigation graph, seen from outside."""

    async def investigate(self, scope: Scope, triage: Triage, thread: str, spent: Spend = NOTHING) -> Investigated:
        """Gather, reason, propose. `thread` names the checkpoint (incident id and round); `spent` is what other rounds
        spent on a model. Never raises for a source or a model that failed: that is in the diagnosis."""
        ...

    async def spent(self, thread: str) -> Spend:
        """What a thread that has no result has spent on a model; nothing when nothing is known of it."""
        ...

    async def reexamine(self, scope: Scope, before: Diagnosis) -> Diagnosis:
        """Gather and detect again without the model; the model's claims of `before` are kept."""
        ...
