"""The facts a decision rests on, and the protocol of who collects them.

Facts come from trusted collectors in facts/ only; claims come from the model and can only restrict.
Every integer is bounded so that no Cedar arithmetic can overflow (an overflow inside a forbid would be
skipped by the engine, which fails open).
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.incident import Incident
from sre_agent.runbook.proposal import Proposal
from sre_agent.triage.triage import Triage

BOUND = 1_000_000
Count = Annotated[int, Field(strict=True, ge=0, le=BOUND)]
Text = Annotated[str, Field(strict=True, max_length=256)]


class Mode(StrEnum):
    """How far the agent may go. A fresh install observes."""

    OFF = "off"
    OBSERVE = "observe"
    APPROVE = "approve"
    AUTO = "auto"


class Facts(BaseModel):
    """What trusted code knows about the incident, the target and the agent itself, now.

    All fields are required: a collector that failed leaves its name in `collector_errors`, and the
    verdict is then hand_back. Units: *_s seconds, *_pct percent rounded up, *_bytes bytes (capped).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # whose problem it is
    alert_class: AlertClass
    labelled_class: AlertClass
    class_disputed: bool
    # evidence
    evidence_kinds: Count
    evidence_conflict: bool
    facts_age_s: Count
    model_change_in_lookback: bool
    lookback_covered: bool
    # incident
    alert_firing: bool
    incident_open: bool
    human_acknowledged: bool
    nominated_by_model: bool
    # agent
    mode: Mode
    halted: bool
    active_freezes: tuple[Text, ...]
    collector_errors: tuple[Text, ...]
    # budgets: in-flight counted
    target_actions_30m: Count
    service_actions_6h: Count
    global_actions_1h: Count
    global_actions_24h: Count
    in_flight_target: Count
    in_flight_global: Count
    incident_failovers: Count
    # what was seen and done lately: the ids of tripped breakers (policy.breakers)
    breakers: tuple[Text, ...]
    # target declaration (policies/data/targets.yaml); missing means managed = False
    managed: bool
    target_resolved: bool
    protected: bool
    # what the action's own collector found missing, by id; and whether the action would change how the system behaves
    # (a new image, config, prompt or model): then it is no remediation
    unmet: tuple[Text, ...]
    touches_behaviour: bool
    # pods
    pod_controller_owned: bool
    pod_unhealthy: bool
    rollout_in_progress: bool
    restart_can_help: bool
    node_ready: bool
    replicas_ready: Count
    replicas_desired: Count
    pods_touched: Count
    pods_touched_pct: Count
    pdb_disruptions_allowed: Count
    # redis
    redis_primary_at_fault: bool
    redis_replica_in_sync: bool
    redis_sentinels_agree: bool
    redis_quorum: bool
    redis_recent_failover: bool
    redis_down_after_ms: Count
    sentinel_aware: bool


class TargetDeclaration(BaseModel):
    """What the owners declared about a target in policies/data/targets.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    managed: bool = False
    environment: str = "prod"
    team: str = ""
    dataset: str | None = None
    sentinel_aware: bool = False
    stateful: bool = False
    has_prompts: bool = False
    service: str = ""
    redis: str = ""
    key_prefix: str = "bull"


class Claims(BaseModel):
    """What a model said, reduced to what policies may read: it can only restrict."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    alert_class: AlertClass
    confidence_bp: Annotated[int, Field(ge=0, le=10_000)]
    veto: bool


class Situation(BaseModel):
    """What the guard is asked about, complete: what to do, to what its owners declared, knowing what, told what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    proposal: Proposal
    declaration: TargetDeclaration
    facts: Facts
    claims: Claims


class GuardRequest(BaseModel):
    """The whole input of a decision: (action, target, declaration, facts, claims, approvals)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str
    proposal: Proposal
    declaration: TargetDeclaration
    facts: Facts
    claims: Claims
    approvals: Annotated[int, Field(strict=True, ge=0, le=2)]


class FactContext(BaseModel):
    """What collectors are told: everything already known about the plan, at `now`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident: Incident
    triage: Triage
    diagnosis: Diagnosis
    proposal: Proposal
    declaration: TargetDeclaration
    human_acknowledged: bool
    now: datetime


class FactCollector(Protocol):
    """Collects part of the facts for one plan. Anything it raises becomes a collector error.

    Returns a dict of Facts field names to values; two collectors never answer the same field, and one
    that does not apply to the target's kind returns {}.
    """

    name: str

    async def collect(self, context: FactContext) -> dict[str, object]:
        """Read the live world with read credentials and answer."""
        ...


class Halt(Protocol):
    """The kill switch as the guard and the last line see it. Unreadable means halted."""

    async def halted(self) -> bool:
        """True when engaged."""
        ...


class ModeSource(Protocol):
    """Which mode holds for an action on a service, now. What cannot be read is never auto."""

    async def mode(self, action: str, service: str, now: datetime) -> Mode:
        """The mode in force."""
        ...


class SpentBudget(BaseModel):
    """Actions already done or in flight, as the ledger counts them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_actions_30m: int
    service_actions_6h: int
    global_actions_1h: int
    global_actions_24h: int
    in_flight_target: int
    in_flight_global: int
    incident_failovers: int


class Budgets(Protocol):
    """Counts of past and in-flight actions."""

    async def spent(self, target_key: str, service: str, incident_id: str, now: datetime) -> SpentBudget:
        """The counts at `now`, from the ledger."""
        ...
