"""The pieces of a run, each done in some process of the pool."""

from collections.abc import Callable

from sre_agent.policy.prove.differential import Comparison
from sre_agent.policy.prove.goals import Outcome, check_all
from sre_agent.policy.prove.invariants import goals
from sre_agent.policy.prove.liveness import liveness
from sre_agent.policy.prove.trial import Fate
from tests.prove.stage import shipped

CHUNK = 500
"""Requests compared in one job."""
MUTANTS = 50
"""Mutants tried in one job."""
Z3_EVERY = 100

Piece = tuple[str, tuple[Outcome, ...] | tuple[Fate, ...] | Comparison]
Job = tuple[str, int]
"""What, and from where on."""


def done(job: Job) -> Piece:
    """One job."""
    what, at = job
    stage = shipped()
    work: dict[str, Callable[[], tuple[Outcome, ...] | tuple[Fate, ...]]] = {
        "goals": lambda: check_all(goals(), stage.scenes),
        "liveness": lambda: liveness(stage.scenes),
        "mutants": lambda: tuple(stage.trial.judge(m) for m in stage.mutants[at : at + MUTANTS]),
    }
    return what, work[what]() if what in work else stage.compared(what, at, CHUNK, Z3_EVERY)
