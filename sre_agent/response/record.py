"""Everything remembered about one incident, as stored: one row, one version."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.approval.request import ApprovalRequest
from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.incident.incident import Incident
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.policy.decision import Decision
from sre_agent.policy.facts import Situation
from sre_agent.routing.memory import Memory
from sre_agent.routing.routed import Routed
from sre_agent.runbook.proposal import Basis, Proposal
from sre_agent.triage.rightful import Acknowledgement
from sre_agent.triage.triage import Triage
from sre_agent.verification.verify import Recovery, Sample, VerificationPlan


class State(StrEnum):
    """Where an incident is in the walk. The last four are final."""

    RECEIVED = "received"
    INVESTIGATING = "investigating"
    AWAITING_APPROVAL = "awaiting_approval"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    RECOVERED = "recovered"
    HANDED_BACK = "handed_back"
    NO_ACTION = "no_action"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True when the agent does nothing more here (a reopened incident starts anew)."""
        return self in (State.RECOVERED, State.HANDED_BACK, State.NO_ACTION, State.CANCELLED)


ANONYMOUS = "somebody"
"""The requester of an investigation who cannot be told: it may be anybody, so two people must then approve."""

OUTSIDER = "pagerduty:"
"""Before the PagerDuty id of a requester whom teams.yaml does not list by it."""


def unidentified(requester: str | None) -> bool:
    """Whether somebody asked who may be any of the approvers, under an identity that nobody joined to them."""
    return requester is not None and (requester == ANONYMOUS or requester.startswith(OUTSIDER))


class Announced(BaseModel):
    """A question as it stands where people answer: `message` is the channel's own id of it (Slack: its ts).

    `message` "" says that it is being posted, or was when a worker died. `digest`: it stands in that digest, not by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    approval_id: str
    channel: str
    message: str
    digest: str = ""


class HandedOn(BaseModel):
    """A wrong team's acknowledgement, and the one time per round that the incident goes to its owner once more because of it.

    `why` is for people; `ended` "" while it is under way. `repeated`: a further acknowledgement was told, and nothing moved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Acknowledgement
    why: str
    ended: str = ""
    repeated: bool = False

    @property
    def told(self) -> str:
        """The whole for a note."""
        again = "; acknowledged like that again, and not moved again" if self.repeated else ""
        return f"{self.why}: {self.ended or 'being handed on'}{again}"


class SentPage(BaseModel):
    """What woke people for this incident, or told them: the receivers that were paged (mailed), and when it was taken back.

    `by` is who paged: "" for the agent itself, else the system that had done so before it ("pagerduty").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    receivers: tuple[str, ...] = ()
    at: datetime
    by: str = ""
    mailed: bool = False
    ended_at: datetime | None = None


class Judged(BaseModel):
    """What the assessment of a round went by and came to: with the evidence, enough to make it again (the flight recorder).

    `at` is when it was concluded, `decision` what it came to before anything later changed the record's. `basis` is None where
    the investigator did not say what it went by, `situation` where the guard was not asked. `tried_in_vain`, `acknowledged`,
    `requested_by` and `spent_before` (on a model) are the record's own as they were then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    decision: Decision
    basis: Basis | None = None
    situation: Situation | None = None
    tried_in_vain: tuple[str, ...] = ()
    acknowledged: bool = False
    requested_by: str | None = None
    spent_before: Spend = Spend()


class IncidentRecord(BaseModel):
    """One incident's row. `version` is the compare-and-set fence: who holds an old one has lost.

    `round` counts reopenings; `human_acknowledged` once true stays true for the round. `level_before` is the
    service level (in the runbook objective's unit) as it was when the plan was made. `tried_in_vain` are actions that
    failed, did not help or may have done either: they are not tried again in this incident, in no round.
    `requested_by` is the person (id in teams.yaml, or what the door knew of them) who asked for the investigation, ANONYMOUS when
    one did who cannot be told apart, None when the alert did. `announced` is where the newest question was put to people.
    `acknowledgements` are those of this round by people who could be placed in teams. `marks` maps what else was set on the
    incident when it was handed back ("priority", ...) to how that ended: what is named there is not done again in the round.
    `door` is the door it came by, where no tracker keeps the incident for us; "" means PagerDuty does. `linked` names the same
    incident in other systems ("pagerduty:Q...", "opsgenie:..."). `routed` is the newest decision on who hears of it, made with
    what `memory` holds; `page` is what came of that.
    `model_spent` is what each round's investigation spent on a model: the ceilings hold for their sum.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    version: int = 0
    round: int = 1
    state: State = State.RECEIVED
    received_at: datetime
    updated_at: datetime
    human_acknowledged: bool = False
    tried_in_vain: tuple[str, ...] = ()
    incident: Incident | None = None
    triage: Triage | None = None
    diagnosis: Diagnosis | None = None
    proposal: Proposal | None = None
    plan_hash: str | None = None
    decision: Decision | None = None
    judged: Judged | None = None
    approval_id: str | None = None
    approvers: tuple[str, ...] = ()
    level_before: float | None = None
    outcome: str | None = None
    measured: dict[str, float | int | str] = {}
    verification: VerificationPlan | None = None
    samples: tuple[Sample, ...] = ()
    recovery: Recovery | None = None
    reason: str = ""
    note_id: str | None = None
    handed_to: str | None = None
    requested_by: str | None = None
    announced: Announced | None = None
    acknowledgements: tuple[Acknowledgement, ...] = ()
    handed_on: HandedOn | None = None
    marks: dict[str, str] = {}
    timeline: tuple[TimelineEntry, ...] = ()
    door: str = ""
    title: str = ""
    link: str = ""
    linked: tuple[str, ...] = ()
    routed: Routed | None = None
    memory: Memory = Memory()
    page: SentPage | None = None
    model_spent: dict[int, Spend] = {}

    @property
    def model_total(self) -> Spend:
        """What the incident has spent on a model, over all rounds."""
        return sum(self.model_spent.values(), start=Spend())

    def with_model_spent(self, round_: int, spend: Spend) -> dict[str, Any]:
        """The change that this record knows of `spend` in a round; the same spend told twice counts once."""
        known = self.model_spent.get(round_, Spend())
        told = known.at_least(spend)
        return {} if told == known else {"model_spent": {**self.model_spent, round_: told}}


class PastIncident(BaseModel):
    """What breakers look at of an incident's row: small, so that many can be read for one decision.

    `incident` is as last fetched by an investigation; None when it was over before one had begun.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    state: State
    received_at: datetime
    tried_in_vain: tuple[str, ...] = ()
    incident: Incident | None = None


class JobKind(StrEnum):
    """The jobs a step can start. EXECUTE runs in the hands' queue only.

    HAND_BACK moves the incident to its owner, MARK sets what else is declared for its class. PUBLISH writes the living note,
    ANNOUNCE the question and what became of it where people answer (Slack). RECORD keeps what a round was decided on. PAGE looks
    again at who must hear of an incident that no other system has paged for, and tells them; it is the timer of holds too.
    """

    INVESTIGATE = "investigate"
    EXECUTE = "execute"
    VERIFY = "verify"
    PUBLISH = "publish"
    ANNOUNCE = "announce"
    HAND_BACK = "hand_back"
    MARK = "mark"
    RECORD = "record"
    PAGE = "page"
    EXPIRE_APPROVAL = "expire_approval"


class Job(BaseModel):
    """A job to be put on the queue in the same transaction. `at` None: now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: JobKind
    incident_id: str
    at: datetime | None = None
    arguments: dict[str, Any] = {}


class Step(BaseModel):
    """One transition: all of it happens in one transaction, or none of it.

    `changes` are fields of IncidentRecord; `approval` is inserted or replaced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    to: State
    changes: dict[str, Any] = {}
    audit: tuple[AuditEntry, ...] = ()
    jobs: tuple[Job, ...] = ()
    approval: ApprovalRequest | None = None
