"""The Action protocol: one file each in actions/, discovered by name."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.source import KubernetesReader, PatroniReader, QueueReader, RedisClusterReader, RedisReader
from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.execution.rights import Right
from sre_agent.incident.target import Target

StepRecorder = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Writes a step to the ledger *before* it is taken: await record("pause", {...})."""

StillAllowed = Callable[[], Awaitable[None]]
"""The last line before an effect: raises Refused when halted, or when the incident moved on."""

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Readers:
    """Read-only views with read credentials; an action looks through these and acts through Hands."""

    redis: RedisReader | None = None
    kubernetes: KubernetesReader | None = None
    redis_cluster: RedisClusterReader | None = None
    patroni: PatroniReader | None = None
    queues: QueueReader | None = None


@dataclass(frozen=True)
class Workbench:
    """What the executor hands an action for one run."""

    hands: Hands
    readers: Readers
    record: StepRecorder
    still_allowed: StillAllowed
    sleep: Sleep


@dataclass(frozen=True)
class Outcome:
    """How an effect ended: DONE, NOT_DONE (nothing changed), FAILED (changed, wrongly) or UNKNOWN.

    `measured` is for the note: durations in seconds, offsets, counts.
    """

    state: IntentState
    result: str
    measured: dict[str, float | int | str] | None = None


class NoParameters(BaseModel):
    """Of an action that takes none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(Protocol):
    """One thing the agent can do. `name` is the Cedar action and the runbook's `action`.

    `tier`: 1 reversible single replica, 2 service wide, 3 data-bearing. `undo`: its declared inverse or "none".
    `parameters`: what a runbook may give it, as a strict model; others are refused when the runbook is loaded.
    `rights`: what its effect needs in a Kubernetes cluster (execution.rights); the manifests follow from it.
    """

    name: str
    tier: int
    undo: str
    parameters: type[BaseModel]
    rights: tuple[Right, ...]

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """Read the live target; return what must still hold at the effect. Refused when it must not be touched."""
        ...

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Do it, step by step, each recorded first; then observe. Never called twice for one intent."""
        ...

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """After a crash: observe, finish what is past its point of no return, undo what is not; else UNKNOWN."""
        ...
