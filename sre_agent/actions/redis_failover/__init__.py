"""Fail a Sentinel-managed Redis over without losing an acknowledged write.

Sentinel's own `SENTINEL FAILOVER` promotes a replica while the old primary goes on acknowledging writes, which are
then thrown away. So either Sentinel coordinates the switch with the primary (Valkey >= 9, COORDINATED), or this
package fences the old primary itself, in seven steps each written to the ledger before it is taken:

    pause -> drain -> failover -> agree -> demote -> unpause -> verify

Law: before `failover` everything is undone by an unpause; from `failover` on the fence is finished first, whatever
the kill switch says, because a half-fenced primary is worse than either end. Never a second FAILOVER.

plan.py (pure) judges the preconditions; run.py holds what every step shares; fence.py and coordinated.py are the two
procedures; stand_down.py ends a fence that switched nothing; recovery.py is what happens after a crash; action.py is the
Action.
"""

from sre_agent.actions.redis_failover.action import RedisFailover
from sre_agent.actions.redis_failover.plan import FailoverPlan, Procedure

__all__ = ["FailoverPlan", "Procedure", "RedisFailover"]
