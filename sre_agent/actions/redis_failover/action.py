"""The Action: preconditions under the lock, the effect, and recovery."""

import time
from collections.abc import Callable
from typing import Any

from sre_agent.actions.redis_failover.coordinated import coordinated
from sre_agent.actions.redis_failover.fence import fenced
from sre_agent.actions.redis_failover.plan import FailoverPlan, Procedure, plan_failover
from sre_agent.actions.redis_failover.recovery import recover
from sre_agent.actions.redis_failover.run import Run
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.ledger import Intent
from sre_agent.incident.errors import Permanent
from sre_agent.incident.target import Target


class RedisFailover:
    """Action "redis_failover": target kind RedisMaster, name = Sentinel's master name, uid = run id of its primary.

    Tier 3 (data-bearing); it has no inverse: a failover back is another failover. `procedure` FENCED forces the
    fence where COORDINATED would be preferred. `clock`: monotonic seconds.
    """

    name = "redis_failover"
    tier = 3
    undo = "none"
    parameters = NoParameters
    rights = ()

    def __init__(self, procedure: Procedure = Procedure.AUTO, clock: Callable[[], float] = time.monotonic) -> None:
        self._procedure = procedure
        self._clock = clock

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """A FailoverPlan as JSON. Refused with the rule id of the precondition that does not hold."""
        if bench.readers.redis is None:
            raise Permanent("this process has no Redis read access (REDIS_SENTINELS): nothing can be checked before acting")
        state = await bench.readers.redis.read(target.name)
        return plan_failover(target, state, self._procedure).model_dump(mode="json")

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Fail over, coordinated where planned and supported, else fenced. Outcome.measured: procedure, blocked_s,
        epoch_before, epoch_after, offset (fenced), offset_after (bytes), new_primary."""
        run = self._run(intent, bench)
        if run.plan.coordinated:
            outcome = await coordinated(run)
            if outcome is not None:
                return outcome
        return await fenced(run)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """After a crash: finish the fence or undo the pause, by observation. Never a second FAILOVER."""
        return await recover(intent, self._run(intent, bench))

    def _run(self, intent: Intent, bench: Workbench) -> Run:
        return Run(plan=FailoverPlan.model_validate(intent.precondition), bench=bench, clock=self._clock)
