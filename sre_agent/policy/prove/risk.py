"""Which way each fact points: which of its values gives the agent less reason to act. One row per fact.

Invariant 21 says that a request which is refused stays refused when facts get riskier, all of them at once if need
be. A fact without a row fails the proofs; a row is UNORDERED only when neither direction is the worse one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from sre_agent.policy.prove.concrete import Value
from sre_agent.policy.prove.translate import Algebra
from sre_agent.policy.prove.vocabulary import Kind
from sre_agent.policy.syntax import Entity, Names, Unsupported
from sre_agent.policy.whitelist import MAX_CONFIDENCE_BP

T = TypeVar("T")


class Worse(StrEnum):
    """What makes a fact riskier."""

    MORE = "more"
    LESS = "less"
    TRUE = "true"
    FALSE = "false"
    FILLED = "not empty"
    RANKED = "later in its ranking"
    UNORDERED = "neither"


RANKINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"mode": ("auto", "approve", "observe", "off")})
"""Enum facts, best value first."""

RISK: Final[Mapping[str, Worse]] = MappingProxyType(
    {
        # The class is compared with the claimed class: changing one alone is a dispute, not more or less risk.
        "alert_class": Worse.UNORDERED,
        "labelled_class": Worse.UNORDERED,
        "class_disputed": Worse.TRUE,
        "evidence_kinds": Worse.LESS,
        "evidence_conflict": Worse.TRUE,
        "facts_age_s": Worse.MORE,
        "model_change_in_lookback": Worse.TRUE,
        "lookback_covered": Worse.FALSE,
        "alert_firing": Worse.FALSE,
        "incident_open": Worse.FALSE,
        "human_acknowledged": Worse.TRUE,
        "nominated_by_model": Worse.TRUE,
        "mode": Worse.RANKED,
        "halted": Worse.TRUE,
        "active_freezes": Worse.FILLED,
        "collector_errors": Worse.FILLED,
        "target_actions_30m": Worse.MORE,
        "service_actions_6h": Worse.MORE,
        "global_actions_1h": Worse.MORE,
        "global_actions_24h": Worse.MORE,
        "in_flight_target": Worse.MORE,
        "in_flight_global": Worse.MORE,
        "incident_failovers": Worse.MORE,
        "breakers": Worse.FILLED,
        "managed": Worse.FALSE,
        "target_resolved": Worse.FALSE,
        "protected": Worse.TRUE,
        "unmet": Worse.FILLED,
        "touches_behaviour": Worse.TRUE,
        "pod_controller_owned": Worse.FALSE,
        "pod_unhealthy": Worse.FALSE,
        "rollout_in_progress": Worse.TRUE,
        "restart_can_help": Worse.FALSE,
        "node_ready": Worse.FALSE,
        "replicas_ready": Worse.LESS,
        "replicas_desired": Worse.MORE,
        "pods_touched": Worse.MORE,
        "pods_touched_pct": Worse.MORE,
        "pdb_disruptions_allowed": Worse.LESS,
        "redis_primary_at_fault": Worse.FALSE,
        "redis_replica_in_sync": Worse.FALSE,
        "redis_sentinels_agree": Worse.FALSE,
        "redis_quorum": Worse.FALSE,
        "redis_recent_failover": Worse.TRUE,
        "redis_down_after_ms": Worse.LESS,
        "sentinel_aware": Worse.FALSE,
    }
)

AT_LEAST_ONE: Final = frozenset({"pods_touched"})
"""Counts of which zero is no safer: nothing was selected, and that never means all (the policies refuse it)."""

NEUTRAL: Final[Mapping[str, bool | int | Names]] = MappingProxyType(
    {"alert_class": ("context", "facts", "alert_class"), "confidence_bp": MAX_CONFIDENCE_BP, "veto": False}
)
"""The claims of a model that has nothing to add (invariant 19): a constant, or the path whose value it repeats."""


@dataclass(frozen=True)
class Step:
    """One fact in two requests."""

    name: str
    kind: Kind


def no_riskier(algebra: Algebra[T], step: Step, safer: T, riskier: T) -> T:
    """That one value of a fact is as safe as another, or safer. Raises Unsupported for a fact without a row."""
    if step.name not in RISK:
        raise Unsupported(f"fact {step.name!r} has no row in prove/risk.py: say which of its values is riskier, or UNORDERED")
    at_most = algebra.at_most
    rules: Mapping[Worse, Callable[[], T]] = {
        Worse.MORE: lambda: at_most(safer, riskier),
        Worse.LESS: lambda: at_most(riskier, safer),
        Worse.TRUE: lambda: algebra.some([algebra.negation(safer), riskier]),
        Worse.FALSE: lambda: algebra.some([safer, algebra.negation(riskier)]),
        Worse.FILLED: lambda: algebra.some([algebra.empty(safer), algebra.equal(safer, riskier)]),
        Worse.RANKED: lambda: _ranked(algebra, step, safer, riskier),
        Worse.UNORDERED: lambda: algebra.equal(safer, riskier),
    }
    relation = rules[RISK[step.name]]()
    if step.name in AT_LEAST_ONE:
        return algebra.every([relation, at_most(algebra.constant(1), safer)])
    return relation


def worst(name: str, kind: Kind) -> Value:
    """The riskiest value of a fact. Raises Unsupported for one without a row, or without a worse direction."""
    match RISK.get(name):
        case Worse.MORE:
            return kind.high
        case Worse.LESS:
            return kind.low
        case Worse.TRUE | Worse.FALSE as way:
            return way is Worse.TRUE
        case Worse.FILLED:
            return frozenset({"unknown"})
        case Worse.RANKED:
            return Entity(kind.type, RANKINGS[name][-1])
    raise Unsupported(f"fact {name!r} has no row in prove/risk.py that says which of its values is the worst")


def _ranked(algebra: Algebra[T], step: Step, safer: T, riskier: T) -> T:
    values = [algebra.entity(Entity(step.kind.type, value), step.kind) for value in RANKINGS[step.name]]
    pairs = [(one, other) for i, one in enumerate(values) for other in values[i:]]
    return algebra.some([algebra.every([algebra.equal(safer, a), algebra.equal(riskier, b)]) for a, b in pairs])
