"""Every policy matters: without it some request would get another verdict (invariant 23, third part)."""

from collections.abc import Iterable

from sre_agent.policy.prove.goals import Outcome
from sre_agent.policy.prove.scene import Scene


def liveness(scenes: Iterable[Scene]) -> tuple[Outcome, ...]:
    """One outcome per policy: held when leaving it out changes a verdict somewhere. Raises solver.Undecided."""
    everywhere = tuple(scenes)
    rules = everywhere[0].rules
    found = []
    for policy in rules.policies:
        without = rules.having(tuple(p for p in rules.policies if p is not policy))
        alive = any(scene.possible(scene.having(without).differs_from(scene)) is not None for scene in everywhere)
        found.append(Outcome("23", f"{policy.id} changes a verdict", alive))
    return tuple(found)
