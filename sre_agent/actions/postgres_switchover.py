"""Hand a PostgreSQL cluster's leadership to a replica without lag: Patroni's POST /switchover, leader and candidate named.

Patroni shuts the old leader down cleanly, so that the candidate has every write, and promotes it on a new timeline. Never
/failover. Steps: switchover -> observe. The first is the point of no return; the request is sent once, ever.
"""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.postgres.patroni import PatroniState, agreed_leader, candidates, identity, problems, topology_problems
from sre_agent.evidence.source import PatroniReader
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.hands import PatroniHands
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.target import Target

POLL_S = 0.5
WATCH_S = 45.0
"""How long a switchover that does not show is waited for: a few of Patroni's loops (10 s each by default)."""
ATTACH_S = 120.0
"""How long the old leader gets to stream from the new one."""
FRESH_S = 5.0
"""How old the last line's leave may be when the request is sent: a process that slept meanwhile sends nothing."""


class SwitchoverPlan(BaseModel):
    """What must still hold at the effect. `uid` is system identifier, leader and timeline (evidence.patroni_state)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cluster: str
    uid: str
    leader: str
    candidate: str
    timeline: int


class PostgresSwitchover:
    """Action "postgres_switchover": target kind PostgresCluster, name = Patroni's scope, uid = system, leader and timeline.

    Tier 3 (data-bearing); it has no inverse: switching back is another switchover. `clock`: monotonic seconds.
    """

    name = "postgres_switchover"
    tier = 3
    undo = "none"
    parameters = NoParameters
    rights = ()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """A SwitchoverPlan as JSON. Refused with the rule id of the first precondition that does not hold."""
        if target.kind != "PostgresCluster" or not target.uid:
            raise Refused("patroni-wrong-target", f"{target.key} is not a PostgreSQL cluster with a known leader")
        return plan_switchover(target, await _reader(bench).read(target.name)).model_dump(mode="json")

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look again, ask the last line, send once, observe. Outcome.measured: timeline_before, timeline_after, leader, moved_s."""
        plan = SwitchoverPlan.model_validate(intent.precondition)
        hands = _hands(bench)
        await bench.record("switchover", {"leader": plan.leader, "candidate": plan.candidate})
        await bench.still_allowed()
        allowed = self._clock()
        unchanged(plan, await _reader(bench).glance(plan.cluster))
        if self._clock() - allowed > FRESH_S:
            raise Refused("patroni-leave-too-old", "this process slept between the last line and the request")
        try:
            await hands.switchover(plan.leader, plan.candidate)
        except OutcomeUnknown:
            pass  # Observed below; never sent again.
        except Transient as unsent:
            return Outcome(IntentState.NOT_DONE, f"nothing was sent: {unsent}")
        await bench.record("observe", {})
        return await self._observe(plan, bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """After a crash: what became of it, by observation alone. OutcomeUnknown when the cluster does not settle."""
        if "switchover" not in intent.steps:
            return Outcome(IntentState.NOT_DONE, "nothing had been sent to Patroni")
        return await self._observe(SwitchoverPlan.model_validate(intent.precondition), bench)

    async def _observe(self, plan: SwitchoverPlan, bench: Workbench) -> Outcome:
        began = self._clock()
        while True:
            state = await _reader(bench).glance(plan.cluster)
            waited = self._clock() - began
            problem, late = moved_problem(plan, state), attached_problem(plan, state)
            if not problem and (not late or waited >= ATTACH_S):
                return _moved(plan, state, waited, late)
            if problem and waited >= WATCH_S and identity(state) == plan.uid and not topology_problems(state):
                return Outcome(IntentState.NOT_DONE, f"Patroni did not carry it out: {plan.leader} still leads")
            if problem and waited >= ATTACH_S:
                raise OutcomeUnknown(f"{plan.cluster} did not settle within {ATTACH_S:.0f} s: {problem}")
            await bench.sleep(POLL_S)


def _moved(plan: SwitchoverPlan, state: PatroniState, waited: float, late: str) -> Outcome:
    leader = agreed_leader(state)
    name, timeline = (leader.name, leader.timeline or 0) if leader else ("", 0)
    measured: dict[str, float | int | str] = {
        "timeline_before": plan.timeline,
        "timeline_after": timeline,
        "leader": name,
        "moved_s": round(waited, 3),
    }
    if name != plan.candidate:
        return Outcome(IntentState.FAILED, f"{name} leads now, not {plan.candidate}: Patroni's own failover", measured)
    told = f"{plan.cluster}: {name} leads instead of {plan.leader}"
    return Outcome(IntentState.DONE, f"{told}; {late}" if late else told, measured)


def plan_switchover(target: Target, state: PatroniState) -> SwitchoverPlan:
    """The plan for a live cluster. Refused with the rule id of the first precondition that does not hold."""
    for rule, reason in problems(state, target.uid or ""):
        raise Refused(rule, reason)
    leader = agreed_leader(state)
    if leader is None or leader.timeline is None:
        raise Refused("patroni-views-disagree", "the members do not agree on one leader and its timeline")
    return SwitchoverPlan(
        cluster=state.name,
        uid=target.uid or "",
        leader=leader.name,
        candidate=candidates(state)[0].name,
        timeline=leader.timeline,
    )


def unchanged(plan: SwitchoverPlan, state: PatroniState) -> None:
    """Refused unless the same leader leads on the same timeline, and the candidate is still fit (without any lag)."""
    for rule, reason in topology_problems(state):
        raise Refused(rule, reason)
    if identity(state) != plan.uid:
        raise Refused("patroni-leader-changed", f"{plan.leader} no longer leads on timeline {plan.timeline}")
    if plan.candidate not in {m.name for m in candidates(state)}:
        raise Refused("patroni-no-candidate", f"{plan.candidate} is no longer fit to take over")


def moved_problem(plan: SwitchoverPlan, state: PatroniState) -> str:
    """Why the switchover cannot be called done; "" once at least two members agree on another leader on a newer timeline."""
    for _, reason in topology_problems(state):
        return reason
    leader = agreed_leader(state)
    if leader is None or leader.name == plan.leader:
        return f"{plan.leader} still leads"
    return "" if (leader.timeline or 0) > plan.timeline else f"{leader.name} leads, but on the old timeline"


def attached_problem(plan: SwitchoverPlan, state: PatroniState) -> str:
    """Why the old leader is not yet a replica of the new one; "" when it streams on the new timeline."""
    leader = agreed_leader(state)
    old = next((m for v in state.answering[:1] for m in v.members if m.name == plan.leader), None)
    if leader is not None and old is not None and old.state in ("streaming", "running") and old.timeline == leader.timeline:
        return ""
    return f"{plan.leader} does not stream from the new leader yet"


def _reader(bench: Workbench) -> PatroniReader:
    if bench.readers.patroni is None:
        raise Permanent("this process cannot look at Patroni (PATRONI_URLS): nothing can be checked before acting")
    return bench.readers.patroni


def _hands(bench: Workbench) -> PatroniHands:
    if bench.hands.patroni is None:
        raise Permanent("this process has no Patroni write credentials (PATRONI_WRITE_USERNAME, --role hands)")
    return bench.hands.patroni
