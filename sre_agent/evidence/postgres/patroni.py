"""What the members of one Patroni cluster say, each by itself, and what may be concluded for a switchover. Pure.

Payload of the evidence that source `patroni` gives is `PatroniState.model_dump(mode="json")`. Shapes: Patroni's REST API,
GET /cluster and GET /patroni. A condition that cannot be seen to hold does not hold.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

SOURCE = "patroni"
SLOW_MS = 1000.0
"""GET /patroni asks the member's PostgreSQL; a healthy one answers within tens of milliseconds."""
SLOW_OF = 2
"""So many late answers of those timed make a member slow; one late answer proves nothing."""
MIN_VANTAGES = 2
MIN_REPLICAS_AFTER = 2
"""Replicas that remain beside the new leader, the old one included."""

Problem = tuple[str, str]
"""(rule id, reason for a human)."""


class PatroniMember(BaseModel):
    """One member in /cluster. `lag` in bytes, None when unknown; `tags` as the member sets them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    role: str = ""
    state: str = ""
    timeline: int | None = None
    lag: int | None = None
    tags: dict[str, Any] = {}


class PatroniView(BaseModel):
    """One member's answers. `name`, `scope`, `system` are its own (GET /patroni); `answers_ms` its timed answers, None: none
    came. `paused` and `scheduled` are the cluster's maintenance mode and planned switchover, as it sees them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    name: str = ""
    scope: str = ""
    system: str = ""
    state: str = ""
    watchdog_failed: bool = False
    members: tuple[PatroniMember, ...] = ()
    paused: bool = False
    scheduled: bool = False
    answers_ms: tuple[float | None, ...] = ()
    error: str = ""

    @property
    def late(self) -> int:
        """How many of its timed answers were late or missing."""
        return sum(ms is None or ms >= SLOW_MS for ms in self.answers_ms)

    @property
    def leader(self) -> PatroniMember | None:
        """The one member that this view calls leader; None when not exactly one."""
        found = [m for m in self.members if m.role in ("leader", "master", "standby_leader")]
        return found[0] if len(found) == 1 else None


class PatroniState(BaseModel):
    """One cluster at one instant, from every configured member."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    views: tuple[PatroniView, ...] = ()

    @property
    def answering(self) -> tuple[PatroniView, ...]:
        """The members that told their view."""
        return tuple(v for v in self.views if not v.error and v.members)

    def view(self, member: str) -> PatroniView | None:
        """A member's own answers."""
        return next((v for v in self.views if v.name == member and not v.error), None)


def agreed_leader(state: PatroniState) -> PatroniMember | None:
    """The leader, when every answering member names the same one on the same timeline."""
    leaders = {(v.leader.name, v.leader.timeline) if v.leader else None for v in state.answering}
    return state.answering[0].leader if len(leaders) == 1 and None not in leaders else None


def identity(state: PatroniState) -> str:
    """System identifier, leader and timeline as one id; "" when the members do not agree on all three."""
    leader, systems = agreed_leader(state), {v.system for v in state.answering}
    if leader is None or leader.timeline is None or len(systems) != 1 or not all(systems):
        return ""
    return f"{next(iter(systems))}:{leader.name}:{leader.timeline}"


def candidates(state: PatroniState) -> tuple[PatroniMember, ...]:
    """Members fit to become leader without losing a write, by name: synchronous ones where there are any."""
    leader = agreed_leader(state)
    if leader is None:
        return ()
    others = [m for m in state.answering[0].members if m.name != leader.name]
    in_sync = [m for m in others if m.role in ("sync_standby", "quorum_standby")]
    fit = [m for m in (in_sync or others) if not unfit(state, m, leader)]
    return tuple(sorted(fit, key=lambda m: m.name))


def unfit(state: PatroniState, member: PatroniMember, leader: PatroniMember) -> str:
    """Why this member must not become leader; "" when it may."""
    view = state.view(member.name)
    if view is None or view.late >= SLOW_OF or view.state != "running":
        return f"{member.name} does not answer in time itself"
    if member.state not in ("streaming", "running") or member.timeline != leader.timeline:
        return f"{member.name} is {member.state or 'in no known state'} on timeline {member.timeline}"
    if member.lag != 0:
        return f"{member.name} lags by {'an unknown amount' if member.lag is None else f'{member.lag} bytes'}"
    if member.tags.get("nofailover") or member.tags.get("failover_priority") == 0 or view.watchdog_failed:
        return f"{member.name} is not to be promoted (its tags or its watchdog say so)"
    return ""


def slow_leader(state: PatroniState) -> str:
    """Why the leader alone is sick, as one line; "" when it is not, or when the others are no better."""
    leader = agreed_leader(state)
    view = state.view(leader.name) if leader else None
    if leader is None or view is None or view.late < SLOW_OF:
        return ""
    others = [v for v in state.answering if v.name != leader.name]
    if not others or any(v.late for v in others):
        return ""
    return f"{leader.name} answered {view.late} of {len(view.answers_ms)} times late or not at all, the other members in time"


def problems(state: PatroniState, uid: str) -> tuple[Problem, ...]:
    """Every precondition of a switchover away from `uid` (see `identity`) that does not hold; () when all hold."""
    found = [*topology_problems(state)]
    if not found and identity(state) != uid:
        found.append(("patroni-leader-changed", "the leader or its timeline is not what the plan was made for"))
    if not found:
        leader = agreed_leader(state)
        if leader is None or state.view(leader.name) is None:
            found.append(("patroni-leader-silent", "the leader does not answer: leave it to Patroni's own failover"))
        elif not slow_leader(state):
            found.append(("patroni-leader-not-at-fault", "the leader answers in time, or the others are no better"))
        fit = candidates(state)
        if not fit:
            others = [m for m in state.answering[0].members if leader and m.name != leader.name]
            told = [why for m in others if leader and (why := unfit(state, m, leader))]
            found.append(("patroni-no-candidate", f"no member may take over: {'; '.join(told) or 'none is synchronous'}"))
        running = [m for m in state.answering[0].members if m.state in ("streaming", "running")]
        if len(running) - 1 < MIN_REPLICAS_AFTER:
            found.append(("patroni-too-few-replicas", f"only {len(running) - 1} replica(s) would remain"))
    return tuple(found)


def topology_problems(state: PatroniState) -> tuple[Problem, ...]:
    """What is wrong with the cluster as a whole; () when nothing is."""
    seen = state.answering
    if len(seen) < MIN_VANTAGES:
        return (("patroni-unseen", f"only {len(seen)} member(s) answer: one view may be a partition's"),)
    found: list[Problem] = []
    foreign = sorted({v.scope for v in seen} - {state.name})
    if foreign:
        found.append(("patroni-wrong-cluster", f"some members belong to {', '.join(foreign) or 'no cluster'}"))
    leader = agreed_leader(state)
    if leader is None or not identity(state):
        found.append(("patroni-views-disagree", "the members do not agree on one leader and its timeline"))
    elif leader.role == "standby_leader":
        found.append(("patroni-standby-cluster", "this is a standby cluster: it takes no writes"))
    if any(v.paused for v in seen):
        found.append(("patroni-paused", "Patroni is paused: a person has taken over"))
    if any(v.scheduled for v in seen):
        found.append(("patroni-scheduled", "a switchover is scheduled already"))
    return tuple(found)
