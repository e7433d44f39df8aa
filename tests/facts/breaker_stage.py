"""The past that breakers look at: one store, one ledger and one tracker, and words for what happened in them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sre_agent.adapters.postgres.ledger import PostgresLedger
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.evidence.change import Change, ChangeKind
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.execution.budget import Limits
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.facts.breakers import BreakerFacts, Looks
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.breakers import pre_state
from sre_agent.policy.declarations import Blocking
from sre_agent.policy.facts import FactContext, TargetDeclaration
from sre_agent.response.record import IncidentRecord, State
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.memory_store import MemoryLedger, MemoryStore
from sre_agent.testing.rooms import MemoryTracker
from sre_agent.triage.triage import Triage

NOW = datetime.now(UTC).replace(microsecond=0)
WIDE = Limits(per_target_30m=99, per_service_6h=99, global_1h=99, global_24h=99, failovers_per_incident=99)
BLOCKING = Blocking(blocking_alerts=("KubeAPIDown", "etcdNoLeader"), major_priorities=("P1", "SEV1"))
POD = Target(kind="Pod", namespace="voice", name="gateway-7d4b9c6f5-x2x4z", uid="u")


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def plan(action: str = "restart_pod", target: Target = POD) -> Proposal:
    return Proposal(incident_id="Q1", runbook="r", action=action, target=target, cause="pod_crash_loop")


def alert(starts_at: datetime = NOW, **labels: str) -> Alert:
    return Alert(labels={"alertname": "PodCrashLooping", "namespace": "voice", **labels}, starts_at=starts_at)


def incident(identity: str = "Q1", *alerts: Alert, service: str = "PVOICE", **more: object) -> Incident:
    fields = {"id": identity, "status": IncidentStatus.TRIGGERED, "created_at": NOW, "service": Reference(id=service)}
    return Incident.model_validate({**fields, "alerts": alerts, **more})


def changed(at: datetime, *services: str) -> Diagnosis:
    change = Change(at=at, kind=ChangeKind.DEPLOY, target="deployment/gateway", services=services)
    seen = Evidence(
        id="e1",
        source="changes",
        kind=EvidenceKind.CHANGES,
        query="q",
        status=EvidenceStatus.OK,
        observed_at=NOW,
        payload=[change.model_dump(mode="json")],
    )
    return Diagnosis(evidence=(seen,))


@dataclass
class Past:
    """One store and ledger under test, and the tracker beside them."""

    store: PostgresStore | MemoryStore
    ledger: PostgresLedger | MemoryLedger
    tracker: MemoryTracker
    number: int = 0

    async def hears(self, identity: str, kind: EventKind = EventKind.TRIGGERED, at: datetime = NOW, **more: object) -> None:
        self.number += 1
        event = {
            "door": "pagerduty",
            "kind": kind,
            "type_name": f"incident.{kind.value}",
            "event_id": f"E{self.number}",
            "delivery_id": f"D{self.number}",
            "incident_id": identity,
            "occurred_at": at,
        }
        assert await self.store.accept(IncidentEvent.model_validate({**event, **more}), b"{}", at)

    async def remembers(self, of: Incident, state: State = State.RECOVERED, at: datetime = NOW, *in_vain: str) -> None:
        record = IncidentRecord(id=of.id, received_at=at, updated_at=at, state=state, incident=of, tried_in_vain=in_vain)
        await self.store.create(record, ())

    async def did(
        self, at: datetime, end: IntentState = IntentState.DONE, incident_id: str = "Q0", proposal: Proposal | None = None
    ) -> None:
        """An action that began at `at`; the ledger's own clock says when it ended, which is now."""
        self.number += 1
        made = proposal or plan()
        row = Intent(
            key=f"key{self.number}",
            incident_id=incident_id,
            action=made.action,
            target_key=made.target.key,
            service="voice",
            plan_hash="f" * 64,
            permit_id=f"permit{self.number}",
            pre_state=pre_state(made),
            created_at=at,
        )
        await self.ledger.open(row)
        if end is not IntentState.INTENT:
            await self.ledger.close(row.key, end, "")

    async def tripped(self, of: Incident | None = None, *, at: datetime = NOW, **more: object) -> set[str]:
        """The breakers that are tripped for a restart of a pod of incident Q1."""
        extra = {k: more.pop(k) for k in ("diagnosis", "proposal") if k in more}
        looks = Looks(self.store, self.ledger, self.tracker, **more)  # pyright: ignore
        found = await BreakerFacts(looks, BLOCKING).collect(context(of or incident("Q1", alert()), at=at, **extra))
        assert isinstance(found["breakers"], tuple)
        return set(found["breakers"])


def context(
    of: Incident, *, at: datetime = NOW, diagnosis: Diagnosis | None = None, proposal: Proposal | None = None
) -> FactContext:
    return FactContext(
        incident=of,
        triage=Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd-platform"),
        diagnosis=diagnosis or Diagnosis(),
        proposal=proposal or plan(),
        declaration=TargetDeclaration(managed=True, service="voice"),
        human_acknowledged=False,
        now=at,
    )
