"""Bugs somebody might write one day, each planted in one part of the product. The laws must notice every one of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sre_agent.approval.decide import Approvers
from sre_agent.approval.request import ApprovalRequest
from sre_agent.audit.record import AuditEntry
from sre_agent.execution.action import Outcome, StillAllowed
from sre_agent.execution.budget import Limits
from sre_agent.execution.executor import Executor
from sre_agent.execution.ledger import IntentState
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.guard import Guard
from sre_agent.response.assess import Assessment
from sre_agent.response.operate import LastLine, Operator
from sre_agent.response.record import IncidentRecord, Step
from sre_agent.response.sweep import Sweep
from sre_agent.testing.crowd import Crowd
from tests.properties.stage import Parts
from tests.properties.watched import WatchedLedger, WatchedStore


class ForgetsTheLastLine(Operator):
    """Asks nothing right before the effect."""

    async def _carry_out(self, record: IncidentRecord, last_line: LastLine) -> tuple[Outcome | None, Assessment | None]:
        async def nothing() -> None:
            return

        return await super()._carry_out(record, nothing)


class CountsAnyYes(Approvers):
    """Counts every yes ever given, whoever gave it, whenever, to whatever."""

    def count(self, request: ApprovalRequest, plan_hash: str, now: datetime) -> int:
        return len(request.approvers)


class NeverSpent(WatchedLedger):
    """Reserves no budget."""

    def __init__(self, note: Any, **more: Any) -> None:
        endless = dict.fromkeys(Limits.model_fields, 1000)
        super().__init__(note, limits=Limits.model_construct(**endless), **more)


class HaltIsForOthers(WatchedLedger):
    """Writes intents whatever the kill switch says."""

    def __init__(self, note: Any, **more: Any) -> None:
        super().__init__(note, **{**more, "halt": None})


class TriesAgain(Executor):
    """After a crash it looks where the target is now and starts over, instead of finding out what happened."""

    async def resume(self, key: str, still_allowed: StillAllowed) -> Outcome:
        intent = await self._ledger.find(key)
        if intent is None or intent.state is not IntentState.INTENT:
            return await super().resume(key, still_allowed)
        action = self._action(intent.action)
        live = action._world.places[intent.precondition["place"]].target
        afresh = intent.model_copy(update={"precondition": {**intent.precondition, "uid": live.uid}})
        return await self._close(intent, await self._act(action, afresh, self._bench(key, still_allowed)))


class FailsOpen(Guard):
    """Takes a failure of its own for a yes."""

    def _refused(self, rule: str, reason: str, before: Decision | None = None) -> Decision:
        return super()._refused(rule, reason, before).model_copy(update={"verdict": Verdict.ALLOW})


class SkipsTheLadder(Guard):
    """Takes it that enough people said yes."""

    def permit(self, *given: Any, **more: Any) -> Any:
        return super().permit(*given, **{**more, "approvals": 2})


class ForgetsFailures(WatchedStore):
    """Loses what was tried in vain."""

    async def advance(self, record: IncidentRecord, step: Step) -> IncidentRecord:
        kept = {k: v for k, v in step.changes.items() if k != "tried_in_vain"}
        return await super().advance(record, step.model_copy(update={"changes": kept}))


class LastWriteWins(WatchedStore):
    """Compares no versions: who writes last is right."""

    async def advance(self, record: IncidentRecord, step: Step) -> IncidentRecord:
        newest = self._records[record.id].version
        return await super().advance(record.model_copy(update={"version": newest}), step)


class KeepsNoRecord(WatchedStore):
    """Does not write down what was allowed."""

    async def append_audit(self, entry: AuditEntry) -> Any:
        return None


@dataclass
class LosesJobs(Crowd):
    """A dead worker's job dies with it."""

    def crash(self, name: str) -> bool:
        if name in self.workers:
            self.workers[name].job = None
        return super().crash(name)


class SweepsNothing(Sweep):
    """Looks away from silent incidents."""

    async def once(self) -> int:
        return 0


@dataclass(frozen=True)
class Bug:
    """What is wrong, in which part, what sort of crossing brings it out (see drawn.GROUPS), and the laws it breaks."""

    parts: Parts
    crossings: tuple[str, ...]
    breaks: str


BUGS: dict[str, Bug] = {
    "asks no last line": Bug(Parts(operator=ForgetsTheLastLine), ("people", "alerts"), "P2|W|P5"),
    "counts any yes": Bug(Parts(approvers=CountsAnyYes), ("answers", "time"), "P5"),
    "has no budget": Bug(Parts(ledger=NeverSpent), ("company",), "P4"),
    "writes intents while halted": Bug(Parts(ledger=HaltIsForOthers), ("halts",), "P6"),
    "starts over after a crash": Bug(Parts(executor=TriesAgain), ("crashes", "stalls"), "P3|P7"),
    "fails open": Bug(Parts(guard=FailsOpen), ("failures",), "P8"),
    "skips the ladder": Bug(Parts(guard=SkipsTheLadder), ("people", "answers"), "P5"),
    "tries again what did not help": Bug(Parts(store=ForgetsFailures), ("rounds",), "P11"),
    "compares no versions": Bug(Parts(store=LastWriteWins), ("stalls", "people"), "P|W|L"),
    "keeps no record of decisions": Bug(Parts(store=KeepsNoRecord), ("time",), "P1"),
    "loses a dead worker's jobs": Bug(Parts(crowd=LosesJobs, sweep=SweepsNothing), ("crashes",), "L"),
}
