"""A past incident through the same rooms as a live one, with dry hands: what would have been seen, decided and said.

There is no second path: `Assessor.assess` and the lifecycle are the live ones. Only the readers are recordings, the mode is
auto, nothing was done before, and there is nobody to hand anything to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sre_agent.evidence.redact import case_key, redaction_key
from sre_agent.handback.note import render
from sre_agent.policy.decision import Decision
from sre_agent.policy.facts import SpentBudget
from sre_agent.replay.case import Case
from sre_agent.replay.expectation import HumanOutcome
from sre_agent.replay.replayed import Replayed, told_of
from sre_agent.replay.result import CaseResult, result_of
from sre_agent.response.applied import advanced
from sre_agent.response.assess import Assessment, Assessor
from sre_agent.response.conclude import assessed
from sre_agent.response.follow_up import note_content
from sre_agent.response.record import IncidentRecord, State
from sre_agent.runbook.runbook import Runbook


class NeverHalted:
    """policy.facts.Halt of a replay: nobody pulls a kill switch in the past."""

    async def halted(self) -> bool:
        """Always False."""
        return False


class NothingSpent:
    """policy.facts.Budgets of a replay: every case starts with empty budgets."""

    async def spent(self, target_key: str, service: str, incident_id: str, now: datetime) -> SpentBudget:  # noqa: ARG002
        """All zero."""
        return SpentBudget(
            target_actions_30m=0,
            service_actions_6h=0,
            global_actions_1h=0,
            global_actions_24h=0,
            in_flight_target=0,
            in_flight_global=0,
            incident_failovers=0,
        )


@dataclass(frozen=True)
class DryRun:
    """One case, its assessor, the runbooks that the note quotes, and what people did (for the report alone)."""

    case: Case
    assessor: Assessor
    runbooks: Mapping[str, Runbook]
    outcome: HumanOutcome | None = None

    async def result(self) -> CaseResult:
        """The line of this case. Never raises for missing or odd evidence: that is in the result."""
        with redaction_key(case_key(self.case.id)):
            return self._result(*await self._assessed())

    async def replayed(self, place: str) -> Replayed:
        """The same with what a report tells besides; `place` is where the case came from, for people."""
        case = self.case
        with redaction_key(case_key(case.id)):
            found, after = await self._assessed()
            decision = after.decision or found.decision
            told = told_of(case, found, decision.sha256, self.outcome)
            return Replayed(case=case.id, place=place, result=self._result(found, after), told=told, warnings=case.warnings)

    async def _assessed(self) -> tuple[Assessment, IncidentRecord]:
        """The assessment, and the incident's record after it."""
        case = self.case
        found = await self.assessor.assess(case.incident, human_acknowledged=False, thread=case.id, now=case.at)
        record = IncidentRecord(
            id=case.incident.id, received_at=case.at, updated_at=case.at, state=State.INVESTIGATING, human_acknowledged=False
        )
        return found, advanced(record, assessed(record, case.incident, found, case.at, "dry-run"))

    def _result(self, found: Assessment, after: IncidentRecord) -> CaseResult:
        note = render(note_content(after, self.runbooks, ""))
        decision: Decision = after.decision or found.decision
        return result_of(self.case.id, found.triage, found.investigated.diagnosis, found.investigated.proposal, decision, note)
