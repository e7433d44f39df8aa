"""One BullMQ queue as its keys in Redis say it, read in one transaction.

Payload of the evidence that source `bullmq` gives is `QueueState.model_dump(mode="json")`. Source of the keys and events:
BullMQ's own scripts, version 6 (pause sets a field of the hash `meta`; before 6 it moved the waiting list).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

SOURCE = "bullmq"
"""The name of the source: what tells this evidence from a Sentinel-managed Redis, which is of the same kind."""

PREFIX = "bull"
"""BullMQ's own default key prefix."""
OWNER, PLAN, UNTIL, EVENT, WAITING, RESUMED = (
    f"sre-agent:{word}" for word in ("owner", "plan", "until", "event", "waiting", "resumed")
)
"""Fields that the agent adds to `meta`: the intent that paused, its plan, when the pause should end (ms), the id of its own event,
how many jobs waited then; and the intent that resumed. BullMQ reads none of them."""
RECENT_MS = 300_000
"""How far back the share of failures is counted."""

Events = Iterable[tuple[str, Mapping[str, str]]]
"""(stream id, fields), oldest first."""

# Reasons are text that anybody may have written: they are only sorted into these kinds, never kept.
_REASONS = (
    ("model", r"openai|anthropic|gemini|mistral|bedrock|vertex|llm|gpt|\bmodel|prompt|completion|token|context.?(length|window)"),
    ("model", r"content.?(filter|policy)|hallucinat|json.?schema|structured.?output|guardrail|transcri|embedding"),
    ("tool", r"\b429\b|rate.?limit|too many requests|throttl|quota"),
    ("downstream", r"econn|etimedout|ehostunreach|enetunreach|epipe|enotfound|eai_again|socket hang ?up|timed? ?-?out"),
    ("downstream", r"\b50[0234]\b|bad gateway|service unavailable|gateway time|connection (refused|reset|closed|terminated|lost)"),
)
_KINDS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _REASONS)


class Recent(BaseModel):
    """Jobs that were done or failed for good in the last RECENT_MS, from the event stream.

    `reasons` counts the kinds of reason of those that failed: model, tool, downstream, other. An attempt that failed and will
    be repeated is not counted: its event is the same as that of a job that is limited in rate or puts itself off.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    completed: int = 0
    failed: int = 0
    reasons: dict[str, int] = {}

    @property
    def ended(self) -> int:
        """All jobs that ended."""
        return self.completed + self.failed

    @property
    def failing(self) -> float:
        """Share of them that failed, 0..1; 0 when none ended."""
        return self.failed / self.ended if self.ended else 0.0

    def share(self, kind: str) -> float:
        """Share of the reasons told that are of a kind, 0..1."""
        told = sum(self.reasons.values())
        return self.reasons.get(kind, 0) / told if told else 0.0


class Since(BaseModel):
    """What the event stream says since the agent's own pause. `kept`: that event is still there, so nothing is missing.

    `added` jobs began to wait, `taken` ones began to run, `removed` ones were taken out by hand; `flips` counts pauses and
    resumptions by anybody else.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kept: bool = False
    added: int = 0
    taken: int = 0
    removed: int = 0
    flips: int = 0


class QueueState(BaseModel):
    """One queue at one instant of its server's clock (`at_ms`, unix milliseconds).

    `meta` is its hash of settings. `bull_flag`: the key by which Bull 3 and 4 pause; `paused_list`: the list to which BullMQ 5
    and earlier moved waiting jobs. Counts are jobs.
    Memory is in bytes; `max_memory` 0 means no limit. `error` is set, and all else empty, when it could not be read.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    prefix: str = PREFIX
    at_ms: int = 0
    run_id: str = ""
    role: str = ""
    clustered: bool = False
    used_memory: int = 0
    max_memory: int = 0
    eviction: str = ""
    meta: dict[str, str] = {}
    bull_flag: bool = False
    paused_list: bool = False
    waiting: int = 0
    prioritized: int = 0
    delayed: int = 0
    active: int = 0
    failed: int = 0
    completed: int = 0
    recent: Recent = Recent()
    since: Since = Since()
    error: str = ""

    @property
    def paused(self) -> bool:
        """No worker takes a job: the field is there, whatever its value."""
        return "paused" in self.meta

    @property
    def owner(self) -> str:
        """The agent's intent that paused it; "" when it is not paused or the agent never did."""
        return self.meta.get(OWNER, "") if self.paused else ""

    @property
    def until_ms(self) -> int:
        """When the agent's pause should end; 0 when there is none."""
        told = self.meta.get(UNTIL, "")
        return int(told) if self.owner and told.isdigit() else 0

    @property
    def backlog(self) -> int:
        """Jobs that a worker would take now: waiting and prioritized."""
        return self.waiting + self.prioritized

    @property
    def lost(self) -> int:
        """Jobs that should wait and do not, since the agent's pause; negative: more than should. 0 when it cannot be told."""
        before = self.meta.get(WAITING, "")
        if not self.owner or not self.since.kept or not before.isdigit():
            return 0
        return int(before) + self.since.added - self.since.taken - self.since.removed - self.backlog


def key(prefix: str, name: str, part: str) -> str:
    """One of the queue's keys."""
    return f"{prefix}:{name}:{part}"


def identity(state: QueueState) -> str:
    """The server process, the queue's keys and whose pause there is: what a plan is made for. "" when unread."""
    if not state.run_id:
        return ""
    pause = f"/paused:{state.owner[:16] or 'not-ours'}" if state.paused else ""
    return f"{state.run_id}/{state.prefix}:{state.name}{pause}"


def recent(events: Events) -> Recent:
    """The ends of jobs that these events tell of."""
    ends = [(fields.get("event"), fields.get("failedReason", "")) for _, fields in events]
    reasons = Counter(reason_kind(reason) for event, reason in ends if event == "failed")
    completed = sum(event == "completed" for event, _ in ends)
    return Recent(completed=completed, failed=reasons.total(), reasons=dict(reasons))


def reason_kind(text: str) -> str:
    """model, tool, downstream or other; what mentions a model is a model's, whatever else it mentions."""
    return next((kind for kind, pattern in _KINDS if pattern.search(text)), "other")


def since(events: Events, own: str) -> Since:
    """What these events tell, the first of which should be the agent's own (id `own`)."""
    listed = list(events)
    if not own or not listed or listed[0][0] != own:
        return Since()
    counts = Counter(_effect(fields) for _, fields in listed[1:])
    return Since(kept=True, **{name: counts[name] for name in ("added", "taken", "removed", "flips")})


def _effect(fields: Mapping[str, str]) -> str:
    match fields.get("event"):
        case "waiting":
            return "added"
        case "active":
            return "taken"
        case "removed" if fields.get("prev") in ("wait", "waiting", "prioritized"):
            return "removed"
        case "paused" | "resumed":
            return "flips"
    return ""
