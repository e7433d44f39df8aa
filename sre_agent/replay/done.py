"""What a person did, in the agent's own terms: one of its actions, something else, or not to be told from what was written.

People write free text. It is read for a few set phrases per action and nothing is inferred: a text that says neither, says
two things, or weakens what it says ("tried", "no effect", "instead of") is UNTOLD. Whoever wants certainty writes the keys
`action` and `target` (tests/replay/README.md).
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.target import Target
from sre_agent.replay.expectation import OTHER, HumanAction

LONGEST = 2_000
"""Characters of a text that are read."""

_KINDS: Final = {"redismaster": "redis"}
"""How a kind is written in `kind/name`, where that is not the kind in lower case."""

PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "restart_pod": (
        r"\bkubectl delete pod\b",
        r"\b(?:deleted|restarted|killed|evicted|bounced|recreated) (?:(?:the|a|one|that|this|crashing|sick|bad) ){0,3}pod\b",
    ),
    "rollout_restart": (r"\brollout restart\b", r"\brestarted (?:the )?(?:\S+ )?deployment\b"),
    "scale_up": (
        r"\bscaled (?!down\b)(?:\S+ ){0,3}up\b",
        r"\badded (?:\d+|a|one|two|three|another)(?: more)? (?:pods?|replicas?)\b",
        r"\b(?:raised|increased) (?:\S+ ){0,3}replicas\b",
    ),
    "rollback_deployment": (
        r"\brollout undo\b",
        r"\bhelm rollback\b",
        r"\brolled back (?:the )?(?:\S+ )?deployment\b",
        r"\brolled (?:the )?(?:\S+ )?deployment(?:/\S+)? back\b",
    ),
    "cordon_node": (r"\bcordon(?:ed)?\b",),
    "uncordon_node": (r"\buncordon(?:ed)?\b",),
    "redis_failover": (
        r"(?-i:\bSENTINEL FAILOVER\b)",
        r"\bsentinel failover by hand\b",
        r"\bfailed (?:the )?redis over\b",
    ),
    "redis_cluster_failover": (r"(?-i:\bCLUSTER FAILOVER\b)", r"\bcluster failover by hand\b"),
    "postgres_switchover": (r"\bpatronictl switchover\b", r"\bswitched (?:the )?postgres(?:ql)? over\b"),
    "pause_queue": (r"\bpaused (?:the )?(?:\S+ )?queue\b", r"\bqueue\.pause\b"),
    "resume_queue": (r"\bresumed (?:the )?(?:\S+ )?queue\b", r"\bqueue\.resume\b"),
}
"""Action -> phrases (regular expressions, in any case unless a command is meant) that say it was done. "Rolled back" by
itself is none: a prompt may have been."""

WEAKENED: Final = re.compile(
    r"\b(?:not|never|without|instead|considered|would|could|should|might|maybe|almost|tried|trying|in vain|no effect|no help|"
    r"did nothing|plan(?:ned)? to|asked|told|cancelled|aborted|all|every|several|both)\b|n't\b|\?",
    re.IGNORECASE,
)
"""Words that make a phrase say less, or about more than one object, than it seems to."""

_PATTERNS: Final = {action: tuple(re.compile(p, re.IGNORECASE) for p in phrases) for action, phrases in PHRASES.items()}
_CLAUSES = re.compile(r"[;,:]\s|\.\s|\band\b|\bthen\b|\n")
_NAMED = re.compile(r"\b[a-z]+/(?:[a-z0-9.-]+/)?[a-z0-9][a-z0-9.-]*")


class Told(StrEnum):
    """How much is known of what somebody did."""

    WRITTEN = "written"
    """The keys `action` and perhaps `target` say it."""
    READ = "read"
    """A set phrase says it."""
    OTHER = "other"
    """Something that is none of the agent's actions: the key `action` says so."""
    UNTOLD = "untold"
    """Nobody can tell from what was written."""


class Done(BaseModel):
    """One thing a person did. `action` is the agent's name for it, "" unless told; `objects` are `kind/name` or
    `kind/namespace/name`, empty when none is named. `clause` is the part of free text that said it. `helped` is None where
    nobody said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    told: Told
    action: str = ""
    objects: tuple[str, ...] = ()
    what: str = ""
    clause: str = ""
    helped: bool | None = None


def done(action: HumanAction) -> Done:
    """What this was. Never raises, never guesses."""
    plain = Done(at=action.at, told=Told.UNTOLD, what=action.what, helped=action.helped)
    if action.action == OTHER:
        return plain.model_copy(update={"told": Told.OTHER})
    if action.action is not None:
        objects = (action.target,) if action.target else ()
        return plain.model_copy(update={"told": Told.WRITTEN, "action": action.action, "objects": objects})
    text = action.what[:LONGEST]
    found = [(name, clause) for clause in _CLAUSES.split(text) for name in _named_in(clause)]
    if len({name for name, _ in found}) != 1 or WEAKENED.search(text):
        return plain
    name, clause = found[0][0], " ".join(clause for _, clause in found).lower()
    return plain.model_copy(
        update={"told": Told.READ, "action": name, "clause": clause, "objects": tuple(dict.fromkeys(_NAMED.findall(clause)))}
    )


def _named_in(clause: str) -> list[str]:
    return [name for name, patterns in _PATTERNS.items() if any(p.search(clause) for p in patterns)]


def kind_word(target: Target) -> str:
    """How the target's kind is written in `kind/name`."""
    return _KINDS.get(target.kind.lower(), target.kind.lower())


def same_object(done: Done, target: Target) -> bool | None:
    """Whether it was done to this object; None where that cannot be told.

    An object that is written counts by kind and name, and by namespace where one is written. In free text a name counts by
    itself only if it can be no ordinary word (it holds a digit or a hyphen), and only in the clause that says the action.
    """
    kind, name = kind_word(target), target.name.lower()
    of_kind = [parts for o in done.objects if (parts := o.lower().split("/"))[0] == kind]
    if of_kind:
        return any(parts[-1] == name and _same_namespace(parts, target) for parts in of_kind)
    distinct = re.search(r"[-0-9]", name) and re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-])", done.clause)
    return True if distinct else None


def _same_namespace(parts: list[str], target: Target) -> bool:
    return len(parts) < 3 or parts[1] == (target.namespace or "-").lower()
