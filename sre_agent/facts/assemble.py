"""From collectors to Facts: all at once, each with a deadline, and whatever is not known answered restrictively.

SAFETY: nothing here may let a failure pass as a fact. A collector that raises, is late, answers a field that is not
its own to answer or a value that is none, leaves its name in `collector_errors`: the verdict is then hand_back.
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from sre_agent.incident.alert import AlertClass
from sre_agent.policy.breakers import Breaker
from sre_agent.policy.facts import BOUND, FactCollector, FactContext, Facts, Mode

DEADLINE_S: Final = 10.0

TARGET_FIELDS: Final[Mapping[str, object]] = MappingProxyType(
    {
        "target_resolved": False,
        "unmet": ("unknown",),
        "touches_behaviour": True,
        "pod_controller_owned": False,
        "pod_unhealthy": False,
        "rollout_in_progress": True,
        "restart_can_help": False,
        "node_ready": False,
        "replicas_ready": 0,
        "replicas_desired": BOUND,
        "pods_touched": BOUND,
        "pods_touched_pct": BOUND,
        "pdb_disruptions_allowed": 0,
        "redis_primary_at_fault": False,
        "redis_replica_in_sync": False,
        "redis_sentinels_agree": False,
        "redis_quorum": False,
        "redis_recent_failover": True,
        "redis_down_after_ms": 0,
    }
)
"""What holds when no collector speaks for a kind of target: nothing that could help."""

RESTRICTIVE: Final[Mapping[str, object]] = MappingProxyType(
    {
        **TARGET_FIELDS,
        "alert_class": AlertClass.UNKNOWN,
        "labelled_class": AlertClass.UNKNOWN,
        "class_disputed": True,
        "evidence_kinds": 0,
        "evidence_conflict": True,
        "facts_age_s": BOUND,
        "model_change_in_lookback": True,
        "lookback_covered": False,
        "alert_firing": False,
        "incident_open": False,
        "human_acknowledged": True,
        "nominated_by_model": True,
        "mode": Mode.OFF,
        "halted": True,
        "active_freezes": ("unknown",),
        "target_actions_30m": BOUND,
        "service_actions_6h": BOUND,
        "global_actions_1h": BOUND,
        "global_actions_24h": BOUND,
        "in_flight_target": BOUND,
        "in_flight_global": BOUND,
        "incident_failovers": BOUND,
        "breakers": tuple(Breaker),
        "managed": False,
        "protected": True,
        "sentinel_aware": False,
    }
)
"""The most restrictive value of every field but collector_errors."""


async def assemble(collectors: Sequence[FactCollector], context: FactContext, deadline_s: float = DEADLINE_S) -> Facts:
    """The facts of one plan. Costs the slowest collector, not the sum, and never raises for one that failed.

    Programming errors in a collector count as its failure; cancelling the caller cancels them all.
    """
    answers = await asyncio.gather(*(_ask(c, context, deadline_s) for c in collectors), return_exceptions=True)
    fields: dict[str, object] = {}
    owner: dict[str, str] = {}
    failed: set[str] = set()
    for collector, answer in zip(collectors, answers, strict=True):
        if not isinstance(answer, dict):
            failed.add(collector.name)
            continue
        for name, value in answer.items():
            if name not in RESTRICTIVE or name in owner:
                # SAFETY: two answers for one field, or a field nobody knows: neither answer is believed.
                failed |= {collector.name, owner.get(name, collector.name)}
                fields.pop(name, None)
                continue
            fields[name], owner[name] = value, collector.name
    return _validated(fields, owner, failed)


async def _ask(collector: FactCollector, context: FactContext, deadline_s: float) -> object:
    async with asyncio.timeout(deadline_s):
        return await collector.collect(context)


def _validated(fields: dict[str, object], owner: dict[str, str], failed: set[str]) -> Facts:
    """Facts of what is valid; a bad value is replaced by the restrictive one and its collector has failed."""
    unanswered = RESTRICTIVE.keys() - fields.keys() - TARGET_FIELDS.keys()
    if unanswered and not failed:
        # Not a kind of target that nobody speaks for, but a fact every decision needs: wiring forgot a collector.
        failed = {f"unanswered:{name}" for name in unanswered}
    try:
        return Facts.model_validate({**RESTRICTIVE, **fields, "collector_errors": tuple(sorted(failed))})
    except ValidationError as error:
        bad = {str(e["loc"][0]) for e in error.errors(include_url=False, include_input=False) if e["loc"]}
        kept = {name: value for name, value in fields.items() if name not in bad}
        return Facts.model_validate(
            {**RESTRICTIVE, **kept, "collector_errors": tuple(sorted(failed | {owner[n] for n in bad if n in owner}))}
        )
