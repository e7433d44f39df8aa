"""After the verdict or the action: verify, tell people, hand over. Every method is one job's body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sre_agent.audit.record import anchor
from sre_agent.handback.note import NoteContent, marker, render
from sre_agent.handback.status_page import is_customer_facing
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.incident.alert import AlertStatus
from sre_agent.incident.errors import Conflict, Permanent, SreAgentError
from sre_agent.incident.incident import Incident
from sre_agent.policy.handover import Handovers
from sre_agent.response import lifecycle
from sre_agent.response.acknowledged import TeamOf, owners_of, wrongly_held
from sre_agent.response.marks import Marking, marking
from sre_agent.response.record import HandedOn, IncidentRecord, JobKind, State, Step
from sre_agent.response.status_updates import StatusDesk
from sre_agent.response.walk import Walk
from sre_agent.runbook.runbook import Runbook
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.rightful import why_misplaced
from sre_agent.verification.probe import Probes
from sre_agent.verification.verify import verify


@dataclass(frozen=True)
class FollowUp:
    """The telling half of the walk. It can neither resolve nor acknowledge an incident."""

    walk: Walk
    tracker: IncidentTracker
    probes: Probes
    runbooks: Mapping[str, Runbook]
    ownership: Ownership
    public_url: str = ""
    handovers: Handovers = field(default_factory=Handovers)
    target_team: TeamOf | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """Whose address a placeholder in a note seems to stand for: see approval.placing."""
    status: StatusDesk | None = None
    """Drafts updates of status pages; None: there are none."""

    def owners(self, record: IncidentRecord) -> frozenset[str]:
        """Who may rightly hold this incident."""
        return owners_of(record, self.ownership, self.target_team)

    async def verify(self, incident_id: str) -> None:
        """Take one look and judge all looks so far."""
        record = await self.walk.load(incident_id)
        if record.state is not State.VERIFYING or record.verification is None or record.proposal is None:
            return
        runbook = self.runbooks.get(record.proposal.runbook)
        incident = await self._fetch(incident_id)
        now = self.walk.clock.now()
        sample = await self.probes.sample(record.proposal, runbook.objective if runbook else None, incident, now)

        def judge(latest: IncidentRecord) -> Step | None:
            if latest.state is not State.VERIFYING or latest.verification is None:
                return None
            at = self.walk.clock.now()
            return lifecycle.on_sample(latest, sample, verify(latest.verification, (*latest.samples, sample), at), at)

        await self.walk.advance(incident_id, judge)

    async def _fetch(self, incident_id: str) -> Incident | None:
        try:
            return await self.tracker.fetch(incident_id)
        except SreAgentError:
            return None

    async def publish(self, incident_id: str) -> None:
        """Write or update the one living note."""
        record = await self.walk.load(incident_id)
        content = self._content(record)
        chain = await self.walk.store.audit(incident_id)
        text = render(content.model_copy(update={"audit": anchor(chain[-1]) if chain else ""}))
        note_id = await self.tracker.write_note(incident_id, marker(incident_id), text, record.note_id)
        if note_id != record.note_id:
            await self.walk.advance(incident_id, lambda r: Step(to=r.state, changes={"note_id": note_id}))
        await self._tell_customers(record)

    async def _tell_customers(self, record: IncidentRecord) -> None:
        """Draft what a status page may say of an end; a person publishes it, or not."""
        noticed = record.incident.alerts if record.incident else ()
        if self.status is None or not record.state.final or not any(is_customer_facing(a, self.status.routing) for a in noticed):
            return
        incident = await self._fetch(record.id)
        alerts = noticed if incident is None else incident.alerts
        if incident is not None and not incident.open:
            # Whoever resolved it says that it is over, whatever still fires.
            alerts = tuple(a.model_copy(update={"status": AlertStatus.RESOLVED}) for a in alerts)
        await self.status.offer(record, alerts)

    async def hand_back(self, incident_id: str) -> None:
        """Move the incident to its owner's escalation policy, then tell why.

        Also where a wrong team has acknowledged it: before the verdict was known (then this is what hands it on, and it says
        so), or since (then it goes there once more). See acknowledged.py.
        """
        record = await self.walk.load(incident_id)
        receiver = record.triage.receiver if record.triage else "default"
        policy = self.ownership.escalation_policy(receiver)
        wrong = self._wrong(record)
        text = None
        if policy is not None and (record.handed_to is None or wrong is not None):
            text = await self._assign(incident_id, receiver, policy, again=wrong is not None)
        await self.walk.advance(incident_id, lambda r: self._told(r, text, wrong) if r.round == record.round else None)

    def _wrong(self, record: IncidentRecord) -> HandedOn | None:
        """The acknowledgement because of which the incident is handed on now; None when there is none, or that is done."""
        if record.handed_on is not None:
            return None if record.handed_on.ended else record.handed_on
        by = wrongly_held(record, self.owners(record))
        return HandedOn(by=by, why=why_misplaced(by, record.triage)) if by is not None and record.triage is not None else None

    async def _assign(self, incident_id: str, receiver: str, policy: str, *, again: bool) -> str:
        try:
            moved = await self.tracker.assign_policy(incident_id, policy, again=again)
        except Conflict:
            return f"{receiver} (nothing moved: the incident was resolved meanwhile)"
        except Permanent as refusal:
            # A policy that cannot be assigned is no reason to leave people without the note.
            return f"{receiver} (could not be moved to escalation policy {policy}: {refusal})"
        return f"{receiver} (escalation policy {policy}{'' if moved else ', where it was already'})"

    def _told(self, record: IncidentRecord, text: str | None, wrong: HandedOn | None) -> Step:
        # The note first, then what else is declared: both jobs of one incident, one after the other.
        jobs = (lifecycle.job(JobKind.PUBLISH, record.id), *marking(record, self.handovers))
        if text is None and wrong is None:
            return Step(to=record.state, jobs=jobs)
        ended = f"handed on to {text}" if text is not None else "not moved: its receiver has no escalation policy (routing.yaml)"
        tell = lifecycle.Narration(record, self.walk.clock.now())
        changes: dict[str, Any] = {"handed_to": text or record.handed_to}
        if wrong is None:
            return tell.step(record.state, "incident_assigned", f"handed to {text}", changes=changes, jobs=jobs)
        # INVARIANT: somebody of an owning team may have acknowledged meanwhile; what was said of that stays said.
        latest = record.handed_on or wrong
        changes |= {"handed_on": latest.model_copy(update={"ended": latest.ended or ended})}
        return tell.step(record.state, "incident_handed_on", f"{wrong.why}: {ended}", changes=changes, jobs=jobs)

    async def mark(self, incident_id: str) -> None:
        """Set what else is declared for the incident's class. See marks.py."""
        await Marking(self.walk, self.tracker, self.handovers, self.ownership, self._content).once(incident_id)

    def _content(self, record: IncidentRecord) -> NoteContent:
        return note_content(record, self.runbooks, self.public_url).model_copy(update={"names": dict(self.names)})


def note_content(record: IncidentRecord, runbooks: Mapping[str, Runbook], public_url: str) -> NoteContent:
    """What the note says about a record."""
    runbook = runbooks.get(record.proposal.runbook) if record.proposal else None
    return NoteContent(
        incident_id=record.id,
        status=record.state.value.replace("_", " "),
        triage=record.triage,
        diagnosis=record.diagnosis,
        decision=record.decision,
        proposal=record.proposal,
        worst_case=runbook.worst_case if runbook else "",
        undo=runbook.undo if runbook else "",
        runbook=record.proposal.runbook if record.proposal else _checklist(record, runbooks)[0],
        checklist=checklist_for(record, runbooks),
        approvers=record.approvers,
        outcome=record.outcome,
        measured=record.measured,
        level_before=record.level_before,
        verification=record.verification,
        samples=record.samples,
        recovery=record.recovery,
        reason=record.reason,
        handed_to=record.handed_to,
        handed_on=record.handed_on.told if record.handed_on else "",
        marks=tuple(record.marks.values()),
        link=lifecycle.page_of(record.id, public_url),
        asking=asking(record),
        model_total=record.model_total,
    )


def asking(record: IncidentRecord) -> str:
    """How people answer the question that waits, or why it is not where they look for it; "" when none waits."""
    if record.state is not State.AWAITING_APPROVAL or record.approval_id is None:
        return ""
    command = "sre-agent approvals"
    known = lifecycle.untold_of(record)
    return known or f"Answer with `{command} approve {record.approval_id}` or `{command} deny {record.approval_id}`"


def checklist_for(record: IncidentRecord, runbooks: Mapping[str, Runbook]) -> tuple[str, ...]:
    """Next steps for people: of the first runbook, by id, that knows the top cause."""
    return _checklist(record, runbooks)[1]


def _checklist(record: IncidentRecord, runbooks: Mapping[str, Runbook]) -> tuple[str, tuple[str, ...]]:
    """The runbook's id and its checklist; empty when there is none."""
    top = record.diagnosis.top if record.diagnosis else None
    if top is None or record.state is not State.HANDED_BACK:
        return "", ()
    known = ((name, r.checklist) for name, r in sorted(runbooks.items()) if top.kind in r.findings and r.checklist)
    return next(known, ("", ()))
