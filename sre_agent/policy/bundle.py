"""The bundle: policies, declared data and engines as one immutable value with one hash.

There is no reload in place: a new bundle is a new object, swapped whole by whoever holds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from sre_agent.policy.calendar import Freezes
from sre_agent.policy.decision import Verdict
from sre_agent.policy.declarations import Blocking, Protected, Targets
from sre_agent.policy.engine import PolicyEngine
from sre_agent.policy.handover import Handovers
from sre_agent.policy.modes import Modes
from sre_agent.policy.people import People
from sre_agent.routing.file import Routing


@dataclass(frozen=True)
class Rule:
    """One policy as people know it. `outcome` is what a forbid leads to (hand_back or deny); None for a permit.

    `actions` are the action or group ids named in its scope (empty: all). `reads` are the paths its conditions
    touch, such as "context.facts.mode". `text` is the whole policy without comments and layout.
    """

    id: str
    effect: Literal["permit", "forbid"]
    outcome: Verdict | None
    reason: str
    actions: tuple[str, ...]
    reads: frozenset[str]
    file: str
    line: int
    shadow: bool = False
    text: str = ""


@dataclass(frozen=True)
class Declared:
    """The data half of a bundle: what owners and operators wrote into data/*.yaml."""

    targets: Targets
    modes: Modes
    people: People
    freezes: Freezes
    protected: Protected
    ownership: Routing
    blocking: Blocking
    handovers: Handovers


@dataclass(frozen=True)
class Bundle:
    """Loaded, validated, linted, locked and self-tested (see policy.load).

    `hash` is sha256 over the sorted (name, sha256) of every policy and effective data file.
    """

    hash: str
    rules: Mapping[str, Rule]
    declared: Declared
    engine: PolicyEngine
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def grants_for(self, action: str) -> tuple[str, ...]:
        """The ids of the grants that name an action: the nearest ones when none of them holds."""
        return tuple(sorted(r.id for r in self.rules.values() if r.effect == "permit" and not r.shadow and action in r.actions))
