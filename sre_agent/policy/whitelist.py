"""What the policies promise, in numbers and one row per action: the single place of limits, budgets, floors and caps.

The prover holds policies/*.cedar to this table (see prove/invariants.py), `execution.budget` takes its defaults from
it, and tests tie every other copy of a number to it: a limit changed in one place only is noticed before it decides.
Plain data; conditions are written in the policies' own language.

To add an action: its schema entry, grant and refusals in policies/, one row in WHITELIST here, golden cases at its
edges in policies/tests/. A schema action without a row, or a row without one, fails the proofs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final

MIN_CONFIDENCE_BP: Final = 8_000
"""Least confidence in a diagnosis, in basis points; the most is MAX_CONFIDENCE_BP."""
MAX_CONFIDENCE_BP: Final = 10_000
MIN_EVIDENCE_KINDS: Final = 2
"""Independent kinds of evidence (G17)."""
MAX_FACTS_AGE_S: Final = 120
"""Oldest evidence at the moment of deciding, in seconds (G18)."""

ACTIONS_PER_TARGET_30M: Final = 1
"""Budgets (G34, G35): the largest counts, the new action included; those in flight count."""
ACTIONS_PER_SERVICE_6H: Final = 3
ACTIONS_GLOBAL_1H: Final = 5
ACTIONS_GLOBAL_24H: Final = 10
IN_FLIGHT_PER_TARGET: Final = 1
IN_FLIGHT_GLOBAL: Final = 1
FAILOVERS_PER_INCIDENT: Final = 1

MIN_READY_PCT: Final = 51
"""Readiness floor (G36): share of the desired replicas that stays ready, in percent, and how many at least."""
MIN_READY: Final = 1
MAX_PODS_PCT: Final = 25
"""More pods than one at once only up to this share, in percent."""
UNASKED_PODS_PCT: Final = 10
"""Largest share of a production workload that may be touched without asking anybody, in percent."""
MAX_ADDED_PODS: Final = 2
MAX_ADDED_PCT: Final = 50
"""Ceiling of one scaling (G41): pods, and percent of what is there."""
MIN_DOWN_AFTER_MS: Final = 3_000
"""Sentinel's least down-after-milliseconds: below it the fence cannot be finished in time."""

PERSONS_FOR_DATA: Final = 2
"""Distinct people who say yes before data-bearing systems are touched (G27)."""
PERSONS_FOR_ALL: Final = 2
"""The same before all of a production workload is touched at once."""
MOST_APPROVALS: Final = 2
"""The largest obligation there is; the guard asks at 0 .. MOST_APPROVALS."""


class Tier(IntEnum):
    """How much an action can hurt (G09)."""

    READ = 0
    REVERSIBLE = 1
    SERVICE = 2
    DATA = 3


@dataclass(frozen=True)
class Promise:
    """Whatever is allowed fulfils `holds`, where `given` holds. Both are conditions in the policies' language.

    `number` is that of the invariant in docs/proofs.md, or the guardrail's ("G39") for what is promised beyond them.
    """

    number: str
    name: str
    holds: str
    given: str = "true"


@dataclass(frozen=True)
class Row:
    """One action of the whitelist.

    `kinds`: the resource kinds it may be done to. `approvals`: per environment, the least number of people who must
    say yes even to the best of requests. `stateful`: the same for a stateful workload, None when it is never done to
    one. `promises` hold for this action alone; each of `edges` must stay possible together with being allowed.
    """

    action: str
    tier: Tier
    kinds: tuple[str, ...]
    approvals: Mapping[str, int]
    stateful: int | None
    promises: tuple[Promise, ...] = ()
    edges: tuple[str, ...] = field(default=())

    @property
    def data_bearing(self) -> bool:
        """True when data can be lost: two people, always."""
        return self.tier is Tier.DATA


def environments(*, prod: int, staging: int, dev: int) -> Mapping[str, int]:
    """Least approvals per environment."""
    return MappingProxyType({"prod": prod, "staging": staging, "dev": dev})


_FACTS = "context.facts"

FLOOR: Final = Promise(
    "15",
    "the readiness floor is kept",
    f"{_FACTS}.replicas_ready >= {MIN_READY} && {_FACTS}.replicas_ready * 100 >= {_FACTS}.replicas_desired * {MIN_READY_PCT}",
)
"""For every action that takes pods away for a while: replicas_ready counts those that stay."""

RESTART_POD: Final = Row(
    action="restart_pod",
    tier=Tier.REVERSIBLE,
    kinds=("Pod",),
    approvals=environments(prod=0, staging=0, dev=0),
    stateful=1,
    promises=(
        FLOOR,
        Promise(
            "16",
            f"one pod, or at most {MAX_PODS_PCT} percent of them; never none",
            f"{_FACTS}.pods_touched == 1 || ({_FACTS}.pods_touched > 1 && {_FACTS}.pods_touched_pct <= {MAX_PODS_PCT})",
        ),
        Promise("G54", "the PodDisruptionBudget allows it", f"{_FACTS}.pods_touched <= {_FACTS}.pdb_disruptions_allowed"),
        Promise("G36", "a controller brings the pod back", f"{_FACTS}.pod_controller_owned"),
        Promise("G36", "the pod is the unhealthy one", f"{_FACTS}.pod_unhealthy"),
        Promise("G39", "no rollout is in progress", f"!{_FACTS}.rollout_in_progress"),
        Promise("G36", "a restart can help, and the node is ready", f"{_FACTS}.restart_can_help && {_FACTS}.node_ready"),
    ),
    edges=(
        f"{_FACTS}.replicas_ready == {MIN_READY_PCT} && {_FACTS}.replicas_desired == 100",
        f"{_FACTS}.replicas_ready == {MIN_READY} && {_FACTS}.replicas_desired == 1",
        f"{_FACTS}.pods_touched == 2 && {_FACTS}.pods_touched_pct == {MAX_PODS_PCT}",
        f"{_FACTS}.pods_touched == 1 && {_FACTS}.pods_touched_pct == 100",
        f'context.approvals == 0 && resource.env == Sre::Environment::"prod" && {_FACTS}.pods_touched_pct == {UNASKED_PODS_PCT}',
        f'context.approvals == 0 && resource.env == Sre::Environment::"dev" && {_FACTS}.pods_touched_pct > {UNASKED_PODS_PCT}',
    ),
)

NO_ROLLOUT: Final = Promise("G39", "no rollout is in progress", f"!{_FACTS}.rollout_in_progress")

ROLLOUT_RESTART: Final = Row(
    action="rollout_restart",
    tier=Tier.SERVICE,
    kinds=("Deployment",),
    approvals=environments(prod=PERSONS_FOR_ALL, staging=1, dev=1),
    stateful=None,
    promises=(FLOOR, NO_ROLLOUT),
    edges=(
        f"{_FACTS}.replicas_ready == {MIN_READY_PCT} && {_FACTS}.replicas_desired == 100",
        f"{_FACTS}.replicas_ready == {MIN_READY} && {_FACTS}.replicas_desired == 1",
        f"{_FACTS}.pods_touched_pct == 100",
    ),
)

SCALE_UP: Final = Row(
    action="scale_up",
    tier=Tier.SERVICE,
    kinds=("Deployment",),
    approvals=environments(prod=1, staging=0, dev=0),
    stateful=None,
    promises=(
        NO_ROLLOUT,
        Promise(
            "17",
            f"at least one pod more, at most {MAX_ADDED_PODS}, and at most {MAX_ADDED_PCT} percent more",
            f"{_FACTS}.pods_touched >= 1 && {_FACTS}.pods_touched <= {MAX_ADDED_PODS} && "
            f"{_FACTS}.pods_touched_pct <= {MAX_ADDED_PCT}",
        ),
    ),
    edges=(
        f"{_FACTS}.pods_touched == 1",
        f"{_FACTS}.pods_touched == {MAX_ADDED_PODS} && {_FACTS}.pods_touched_pct == {MAX_ADDED_PCT}",
    ),
)

ROLLBACK_DEPLOYMENT: Final = Row(
    action="rollback_deployment",
    tier=Tier.SERVICE,
    kinds=("Deployment",),
    approvals=environments(prod=PERSONS_FOR_ALL, staging=1, dev=1),
    stateful=None,
    edges=(f"{_FACTS}.rollout_in_progress", f"!{_FACTS}.rollout_in_progress", f"{_FACTS}.replicas_ready == 0"),
)

CORDON_NODE: Final = Row(
    action="cordon_node",
    tier=Tier.REVERSIBLE,
    kinds=("Node",),
    approvals=environments(prod=1, staging=1, dev=1),
    stateful=1,
)

UNCORDON_NODE: Final = Row(
    action="uncordon_node",
    tier=Tier.REVERSIBLE,
    kinds=("Node",),
    approvals=environments(prod=1, staging=1, dev=1),
    stateful=1,
)

REDIS_FAILOVER: Final = Row(
    action="redis_failover",
    tier=Tier.DATA,
    kinds=("RedisMaster",),
    approvals=environments(prod=2, staging=2, dev=2),
    stateful=2,
    promises=(
        Promise("10", "a declared dataset and a replica in sync", f"resource.stateful && {_FACTS}.redis_replica_in_sync"),
        Promise("G47", "at most one failover per incident", f"{_FACTS}.incident_failovers < {FAILOVERS_PER_INCIDENT}"),
        Promise("G47", "none a short while ago", f"!{_FACTS}.redis_recent_failover"),
        Promise("G36", "the sentinels agree and have a quorum", f"{_FACTS}.redis_sentinels_agree && {_FACTS}.redis_quorum"),
        Promise("G36", "the primary itself is at fault", f"{_FACTS}.redis_primary_at_fault"),
        Promise("G36", "clients follow Sentinel", f"{_FACTS}.sentinel_aware"),
        Promise("G36", "there is time for the fence", f"{_FACTS}.redis_down_after_ms >= {MIN_DOWN_AFTER_MS}"),
    ),
    edges=(f"{_FACTS}.redis_down_after_ms == {MIN_DOWN_AFTER_MS}",),
)

_ONE_FAILOVER: Final = Promise(
    "G47", "at most one failover per incident", f"{_FACTS}.incident_failovers < {FAILOVERS_PER_INCIDENT}"
)

REDIS_CLUSTER_FAILOVER: Final = Row(
    action="redis_cluster_failover",
    tier=Tier.DATA,
    kinds=("RedisCluster",),
    approvals=environments(prod=2, staging=2, dev=2),
    stateful=2,
    promises=(Promise("10", "a declared dataset", "resource.stateful"), _ONE_FAILOVER),
)

POSTGRES_SWITCHOVER: Final = Row(
    action="postgres_switchover",
    tier=Tier.DATA,
    kinds=("PostgresCluster",),
    approvals=environments(prod=2, staging=2, dev=2),
    stateful=2,
    promises=(Promise("10", "a declared dataset", "resource.stateful"), _ONE_FAILOVER),
)

PAUSE_QUEUE: Final = Row(
    action="pause_queue",
    tier=Tier.SERVICE,
    kinds=("Queue",),
    approvals=environments(prod=1, staging=1, dev=1),
    stateful=1,
)

RESUME_QUEUE: Final = Row(
    action="resume_queue",
    tier=Tier.SERVICE,
    kinds=("Queue",),
    approvals=environments(prod=1, staging=1, dev=1),
    stateful=1,
)

WHITELIST: Final = (
    RESTART_POD,
    ROLLOUT_RESTART,
    SCALE_UP,
    ROLLBACK_DEPLOYMENT,
    CORDON_NODE,
    UNCORDON_NODE,
    REDIS_FAILOVER,
    REDIS_CLUSTER_FAILOVER,
    POSTGRES_SWITCHOVER,
    PAUSE_QUEUE,
    RESUME_QUEUE,
)
"""Every action there is. What has no row is not possible (G01)."""

NEVER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "delete_volume_claim": "deletes data",
        "delete_volume": "deletes data",
        "delete_namespace": "deletes everything in it",
        "delete_custom_resource_definition": "deletes every object of that kind",
        "delete_secret": "cannot be undone",
        "edit_access_rights": "the agent never widens anybody's rights, least of all its own",
        "scale_to_zero": "an outage by design",
        "scale_down": "less capacity during an incident",
        "force_delete_pod": "two pods with one identity",
        "redis_flush": "deletes data",
        "redis_cluster_takeover": "breaks the cluster's epochs",
        "patroni_failover": "skips the checks that a switchover makes: lost writes",
        "drain_queue": "loses jobs",
        "obliterate_queue": "loses jobs",
        "clean_queue": "loses jobs",
        "resume_foreign_queue": "undoes what a person did on purpose",
        "uncordon_foreign_node": "undoes what a person did on purpose",
    }
)
"""Tier 4 (G08): actions that must never get a row, a schema entry or a grant, and why."""


def row_of(action: str) -> Row:
    """The row of an action. Raises KeyError when there is none."""
    return {row.action: row for row in WHITELIST}[action]
