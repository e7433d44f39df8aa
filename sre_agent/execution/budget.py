"""How many actions there may be, and the refusal when there were enough. Pure; the ledger does the counting.

A count holds actions that were done, that failed, whose outcome is unknown, and those in flight: an
intent reserves its place before anything happens. An action that is known not to have been done gives
its place back.
"""

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.execution.ledger import Intent
from sre_agent.incident.errors import Refused
from sre_agent.policy import whitelist
from sre_agent.policy.facts import SpentBudget

TARGET_WINDOW_S = 30 * 60
SERVICE_WINDOW_S = 6 * 3600
GLOBAL_WINDOW_S = 3600
DAY_WINDOW_S = 24 * 3600
FAILOVERS = frozenset({"redis_failover", "redis_cluster_failover", "postgres_switchover"})
"""Actions of which one incident may have only so many, ever (a failover storm is worse than one outage)."""


class Limits(BaseModel):
    """The largest counts allowed, the new action included. All at least 1, so that a typo cannot mean "no limit".

    The defaults are what the policies refuse by, and are proved to (policy.whitelist).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_target_30m: int = Field(default=whitelist.ACTIONS_PER_TARGET_30M, ge=1)
    per_service_6h: int = Field(default=whitelist.ACTIONS_PER_SERVICE_6H, ge=1)
    global_1h: int = Field(default=whitelist.ACTIONS_GLOBAL_1H, ge=1)
    global_24h: int = Field(default=whitelist.ACTIONS_GLOBAL_24H, ge=1)
    in_flight_global: int = Field(default=whitelist.IN_FLIGHT_GLOBAL, ge=1, le=3)
    failovers_per_incident: int = Field(default=whitelist.FAILOVERS_PER_INCIDENT, ge=1)


def refuse_if_spent(spent: SpentBudget, limits: Limits, intent: Intent) -> None:
    """Raise Refused when one more action would exceed a limit; the rule names which."""
    if spent.in_flight_target >= 1:
        raise Refused("budget-in-flight-target", f"another action on {intent.target_key} has not ended yet")
    if spent.in_flight_global >= limits.in_flight_global:
        raise Refused(
            "budget-in-flight", f"{spent.in_flight_global} action(s) have not ended yet, at most {limits.in_flight_global} may run"
        )
    if spent.target_actions_30m >= limits.per_target_30m:
        raise Refused("budget-target", f"{spent.target_actions_30m} action(s) on {intent.target_key} within 30 min")
    if spent.service_actions_6h >= limits.per_service_6h:
        raise Refused("budget-service", f"{spent.service_actions_6h} action(s) for {intent.service} within 6 h")
    if spent.global_actions_1h >= limits.global_1h:
        raise Refused("budget-global", f"{spent.global_actions_1h} action(s) within 1 h")
    if spent.global_actions_24h >= limits.global_24h:
        raise Refused("budget-day", f"{spent.global_actions_24h} action(s) within 24 h")
    if intent.action in FAILOVERS and spent.incident_failovers >= limits.failovers_per_incident:
        raise Refused("budget-failover", f"{spent.incident_failovers} failover(s) were already tried for this incident")
