"""What is declared for a class besides escalation policy and note: priority, custom fields, a status update. One job's body.

Each is done at most once a round and fails alone: what the account lacks or PagerDuty refuses is said once, in the timeline
and the note, and not tried again; what may pass is tried again later, without repeating the others.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sre_agent.evidence.redact import redact
from sre_agent.handback.facts import facts_of, status_text
from sre_agent.handback.note import NoteContent
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.incident.errors import Conflict, OutcomeUnknown, Permanent, Transient
from sre_agent.policy.handover import Handover, Handovers
from sre_agent.response import lifecycle
from sre_agent.response.record import IncidentRecord, Job, JobKind, State, Step
from sre_agent.response.walk import Walk
from sre_agent.triage.ownership import Ownership

PRIORITY, FIELDS, STATUS = "priority", "custom fields", "status update"
SENDING = "status update: being sent"
"""Written before it is sent. INVARIANT: whatever happens next, subscribers never get the same update twice."""
UNKNOWN = "status update: it is not known whether it arrived, so it is not sent again"
_MOST_ERROR = 300


def wanted(rules: Handover) -> tuple[str, ...]:
    """What is declared, in the order in which it is done."""
    declared = {PRIORITY: rules.priority is not None, FIELDS: bool(rules.custom_fields), STATUS: rules.status_update}
    return tuple(name for name, holds in declared.items() if holds)


def marking(record: IncidentRecord, handovers: Handovers) -> tuple[Job, ...]:
    """The job that does what is declared and not done yet; none when that is nothing."""
    left = [n for n in wanted(_rules(record, handovers)) if record.marks.get(n) in (None, SENDING)]
    return (lifecycle.job(JobKind.MARK, record.id),) if left and record.state is State.HANDED_BACK else ()


def _rules(record: IncidentRecord, handovers: Handovers) -> Handover:
    return handovers.of(record.triage.alert_class) if record.triage is not None else Handover()


@dataclass(frozen=True)
class Marking:
    """Sets them. `content` is what the note knows of a record."""

    walk: Walk
    tracker: IncidentTracker
    handovers: Handovers
    ownership: Ownership
    content: Callable[[IncidentRecord], NoteContent]

    async def once(self, incident_id: str) -> None:
        """Do what is left to do. Raises Transient, after everything was tried, when something is to be tried again."""
        record = await self.walk.load(incident_id)
        if record.state is not State.HANDED_BACK:
            return
        rules, later = _rules(record, self.handovers), None
        steps = {PRIORITY: self._priority, FIELDS: self._fields, STATUS: self._status}
        for name in wanted(rules):
            try:
                if name not in record.marks:
                    await steps[name](record, rules)
                elif record.marks[name] == SENDING:
                    await self._told(record, name, UNKNOWN)  # a crash, between the note of it and its answer
            except Transient as failed:
                later = later or failed
        if later is not None:
            raise later

    async def _priority(self, record: IncidentRecord, rules: Handover) -> None:
        name = (rules.priority or "").strip()

        async def done() -> str:
            raised = await self.tracker.raise_priority(record.id, name)
            return f"priority {name}" if raised else f"priority left as it is: as urgent as {name} already"

        await self._settled(record, PRIORITY, done)

    async def _fields(self, record: IncidentRecord, rules: Handover) -> None:
        known = facts_of(self.content(record))
        values = {name: known[fact] for name, fact in rules.custom_fields.items() if fact in known}

        async def done() -> str:
            if values:
                await self.tracker.set_fields(record.id, values)
            return f"custom fields set: {', '.join(sorted(values)) or 'none, for none of their facts is known'}"

        await self._settled(record, FIELDS, done)

    async def _settled(self, record: IncidentRecord, name: str, done: Callable[[], Awaitable[str]]) -> None:
        """Do it and say how it ended; what may pass is raised."""
        try:
            ended = await done()
        except Conflict:
            ended = f"{name}: nothing set, the incident was resolved meanwhile"
        except Permanent as refusal:
            ended = f"{name}: could not be set ({redact(str(refusal))[:_MOST_ERROR]})"
        await self._told(record, name, ended)

    async def _status(self, record: IncidentRecord, _rules: Handover) -> None:
        """INVARIANT: noted as sent before it is sent, and taken back only where it certainly was not."""
        text = status_text(self.content(record), self.ownership)
        begun: Step | None = None

        def begin(r: IncidentRecord) -> Step | None:
            nonlocal begun
            free = STATUS not in r.marks and r.round == record.round and r.state is State.HANDED_BACK
            begun = Step(to=r.state, changes={"marks": {**r.marks, STATUS: SENDING}}) if free else None
            return begun

        await self.walk.advance(record.id, begin)
        if begun is None:
            return  # another worker was first, or it is another round's business
        try:
            await self.tracker.post_status(record.id, text)
            ended = "status update sent"
        except OutcomeUnknown:
            ended = UNKNOWN
        except Transient:
            await self.walk.advance(record.id, lambda r: Step(to=r.state, changes={"marks": _without(r, STATUS)}))
            raise
        except Permanent as refusal:
            ended = f"status update: could not be sent ({redact(str(refusal))[:_MOST_ERROR]})"
        await self._told(record, STATUS, ended)

    async def _told(self, before: IncidentRecord, name: str, ended: str) -> None:
        """Remember how it ended, unless another round has begun meanwhile, and let the note say so."""

        def tell(r: IncidentRecord) -> Step | None:
            if r.round != before.round:
                return None
            jobs = (lifecycle.job(JobKind.PUBLISH, r.id),)
            changes = {"marks": {**r.marks, name: ended}}
            return lifecycle.Narration(r, self.walk.clock.now()).step(r.state, "incident_marked", ended, changes=changes, jobs=jobs)

        await self.walk.advance(before.id, tell)


def _without(record: IncidentRecord, name: str) -> dict[str, str]:
    return {k: v for k, v in record.marks.items() if k != name}
