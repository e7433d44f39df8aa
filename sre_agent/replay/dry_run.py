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
from sre_agent.replay.recording.departures import departures
from sre_agent.replay.recording.recording import Recording
from sre_agent.replay.replayed import Recalled, Replayed, told_of
from sre_agent.replay.result import CaseResult, result_of
from sre_agent.response.applied import advanced
from sre_agent.response.assess import Assessment, Assessor
from sre_agent.response.conclude import assessed
from sre_agent.response.follow_up import note_content
from sre_agent.response.ports import NOTHING
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
    """One case, its assessor, the runbooks that the note quotes, and what people did (for the report alone).

    `recording`: what it was recorded as, when it is to be judged as it was; `other_books` as in Recalled.
    """

    case: Case
    assessor: Assessor
    runbooks: Mapping[str, Runbook]
    outcome: HumanOutcome | None = None
    recording: Recording | None = None
    other_books: tuple[str, ...] = ()

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
            recalled = self._recalled(decision)
            if recalled is not None:
                told = told.model_copy(update={"recorded_sha256": recalled.sha256, "recalled": recalled})
            return Replayed(case=case.id, place=place, result=self._result(found, after), told=told, warnings=case.warnings)

    async def _assessed(self) -> tuple[Assessment, IncidentRecord]:
        """The assessment, and the incident's record after it."""
        case, was = self.case, self.recording.judged if self.recording else None
        acknowledged, spent = (was.acknowledged, was.spent_before) if was else (False, NOTHING)
        found = await self.assessor.assess(case.incident, human_acknowledged=acknowledged, thread=case.id, now=case.at, spent=spent)
        record = IncidentRecord(
            id=case.incident.id,
            received_at=case.at,
            updated_at=case.at,
            state=State.INVESTIGATING,
            round=self.recording.round if self.recording else 1,
            human_acknowledged=acknowledged,
            tried_in_vain=was.tried_in_vain if was else (),
            requested_by=was.requested_by if was else None,
        )
        return found, advanced(record, assessed(record, case.incident, found, case.at, "dry-run"))

    def _recalled(self, decision: Decision) -> Recalled | None:
        if self.recording is None:
            return None
        was = self.recording.judged.decision
        differ = tuple(departures(was.model_dump(mode="json"), decision.model_dump(mode="json")))
        return Recalled(sha256=was.sha256, departures=differ, inexact=self.recording.inexact, other_books=self.other_books)

    def _result(self, found: Assessment, after: IncidentRecord) -> CaseResult:
        note = render(note_content(after, self.runbooks, ""))
        decision: Decision = after.decision or found.decision
        return result_of(self.case.id, found.triage, found.investigated.diagnosis, found.investigated.proposal, decision, note)
