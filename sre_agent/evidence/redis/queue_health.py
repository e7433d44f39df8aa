"""Which conditions of pausing or resuming a queue do not hold, by id, and each in words. Pure.

The guard denies on any of them (fact `unmet`), the action refuses on the same ones just before its effect, and the script that
runs in Redis checks them once more. A condition that cannot be seen to hold does not hold.
"""

import re
from collections.abc import Iterator

from sre_agent.evidence.redis.queue_state import QueueState, identity

MIN_MAJOR = 6
MOST_MEMORY_PCT = 70
MIN_ENDED = 10
"""Jobs that must have ended lately before a share of them means anything."""
FAILING = 0.5
MODEL_SHARE = 0.1
DOWNSTREAM_SHARE = 0.5
PAUSE_TTL_MS = 900_000
WORDS = {
    "queue-unseen": "it could not be read",
    "queue-changed": "another Redis process answers, or somebody paused or resumed it since the plan was made",
    "queue-not-primary": "its Redis is not a primary",
    "queue-untagged": "its Redis is a cluster and its prefix has no hash tag: its keys are not one node's",
    "queue-version": "its meta does not say that BullMQ 6 or later wrote it",
    "queue-bull": "a Bull 3 or 4 uses these keys: its pause moves the waiting jobs and can lose them",
    "queue-legacy-jobs": "jobs still lie in the list that BullMQ 5 and earlier moved them to",
    "queue-already-paused": "it is paused already",
    "queue-memory": "its Redis uses 70 percent or more of its memory, or has no limit to tell by: waiting jobs need room",
    "queue-evicts": "its Redis may evict keys (maxmemory-policy is not noeviction): waiting jobs could be among them",
    "queue-jobs-well": "not more than half of at least 10 jobs that ended in the last 5 minutes failed",
    "queue-model-errors": "some of its jobs fail at a model: that is not for a pause",
    "queue-cause-unknown": "most of the reasons that its jobs give do not tell of a system behind it that does not answer",
    "queue-not-our-pause": "this agent did not pause it",
    "queue-paused-again": "somebody else paused or resumed it since, or the events do not reach back to our pause",
    "queue-too-late": "the command came too late to still be meant",
    "queue-no-right": "the write user lacks a right that the script needs",
    "queue-wrong-type": "one of its keys is not of the type that BullMQ gives it",
}
"""Ids of `unmet`, for people."""


def unmet_for_pause(state: QueueState, uid: str) -> tuple[str, ...]:
    """What forbids pausing the queue that `uid` identifies, most fundamental first."""
    return tuple(_pause(state, uid))


def unmet_for_resume(state: QueueState, uid: str) -> tuple[str, ...]:
    """What forbids resuming it: above all, that the pause is not the agent's own."""
    return tuple(_resume(state, uid))


def at_model(state: QueueState) -> bool:
    """Whether more of its failures than a few are a model's."""
    return state.recent.share("model") > MODEL_SHARE


def jobs_fail(state: QueueState) -> bool:
    """Whether more than half of enough jobs failed lately."""
    return state.recent.ended >= MIN_ENDED and state.recent.failing > FAILING


def behind_it(state: QueueState) -> bool:
    """Whether most of the reasons told are those of a system that does not answer."""
    return state.recent.share("downstream") > DOWNSTREAM_SHARE


def left_paused(state: QueueState) -> bool:
    """Whether the agent's own pause has outlived its time."""
    return bool(state.owner) and state.at_ms >= state.until_ms


def unreadable(state: QueueState) -> bool:
    """Whether nothing can be said of it."""
    return bool(state.error) or not state.run_id


def _pause(state: QueueState, uid: str) -> Iterator[str]:
    yield from _common(state, uid)
    if unreadable(state):
        return
    if state.paused:
        yield "queue-already-paused"
    if state.max_memory <= 0 or state.used_memory * 100 >= state.max_memory * MOST_MEMORY_PCT:
        yield "queue-memory"
    if state.eviction != "noeviction":
        yield "queue-evicts"
    if not jobs_fail(state):
        yield "queue-jobs-well"
    if at_model(state):
        yield "queue-model-errors"
    if not behind_it(state):
        yield "queue-cause-unknown"


def _resume(state: QueueState, uid: str) -> Iterator[str]:
    yield from _common(state, uid)
    if unreadable(state):
        return
    if not state.owner:
        yield "queue-not-our-pause"
    elif not state.since.kept or state.since.flips:
        yield "queue-paused-again"


def _common(state: QueueState, uid: str) -> Iterator[str]:
    if unreadable(state):
        yield "queue-unseen"
        return
    if identity(state) != uid:
        yield "queue-changed"
    if state.role != "master":
        yield "queue-not-primary"
    if state.clustered and not re.search(r"\{[^{}]+\}", f"{state.prefix}:{state.name}"):
        yield "queue-untagged"
    told = re.match(r"bullmq:(\d+)\.", state.meta.get("version", ""))
    if told is None or int(told[1]) < MIN_MAJOR:
        yield "queue-version"
    if state.bull_flag:
        yield "queue-bull"
    if state.paused_list:
        yield "queue-legacy-jobs"
