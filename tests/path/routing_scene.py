"""One agent behind Alertmanager's door, from a moment of our choice, under the shipped routing file."""

from datetime import UTC, datetime

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.source import Scope
from sre_agent.response.record import IncidentRecord
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.rooms import ManualClock, ScriptedInvestigator
from sre_agent.testing.walkthrough import Walkthrough
from sre_agent.triage.triage import Triage
from tests.path.doors import alert, told
from tests.path.scenes import BUNDLE, DIAGNOSIS, PROPOSAL, night

ROUTING = BUNDLE.declared.ownership
WEDNESDAY_NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
WEDNESDAY_3AM = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
SATURDAY_NOON = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)


def acting(scope: Scope, triage: Triage) -> Investigated:
    """A cause that a runbook acts on, whatever the incident: what is refused is refused for another reason."""
    return Investigated(diagnosis=DIAGNOSIS, proposal=PROPOSAL.model_copy(update={"incident_id": scope.incident.id}))


def nothing_found(scope: Scope, triage: Triage) -> Investigated:
    """No cause that a runbook acts on."""
    return Investigated(diagnosis=Diagnosis(summary="nothing named"), proposal=None)


class Scene:
    """One incident under watch; `start` is when its alert began."""

    def __init__(self, start: datetime, labels: dict[str, str], found=acting, **annotations: str) -> None:
        self.start, self.labels, self.annotations = start, labels, annotations
        self.walk: Walkthrough = night(clock=ManualClock(start), investigator=ScriptedInvestigator(found))

    async def fires(self, **changed: str) -> IncidentRecord:
        """The door tells that it fires (still)."""
        more = {**self.annotations, **changed}
        await self.walk.tell(told([alert(self.labels, 0, None, self.start, **more)], ROUTING))
        return await self.record()

    async def clears(self) -> IncidentRecord:
        """The door tells that it is over, now."""
        end = (self.walk.clock.now() - self.start).total_seconds()
        await self.walk.tell(told([alert(self.labels, 0, end, self.start, **self.annotations)], ROUTING))
        return await self.record()

    async def passes(self, seconds: float) -> None:
        """Time goes by, to the second where that matters and in leaps where it does not."""
        while seconds > 0:
            leap = 1.0 if seconds <= 400 else min(seconds - 400, 300.0)
            self.walk.clock.advance(leap)
            await self.walk.settle()
            seconds -= leap

    async def until(self, moment: datetime) -> None:
        """Time goes by until then."""
        await self.passes((moment - self.walk.clock.now()).total_seconds())

    async def record(self) -> IncidentRecord:
        """The incident."""
        (record,) = await self.walk.store.listing(None, 10)
        return record

    @property
    def paged(self) -> list[str]:
        """Receivers that were paged, in order."""
        return [p.receiver for p in self.walk.pager.pages]

    @property
    def mailed(self) -> list[str]:
        """Receivers that were sent an e-mail, in order."""
        return [m.receiver for m in self.walk.pager.mails]
