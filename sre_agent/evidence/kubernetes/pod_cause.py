"""Why a pod is in trouble, in a reason and in one line, from its containers, its events and the last words of both. Pure.

Logs may choose a reason from the closed list where neither exit code nor events tell; they are never quoted, and never make
anything stronger.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sre_agent.evidence.finding_kind import FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.events import Told, last_seen, message, newest_first
from sre_agent.evidence.kubernetes.exit_cause import exit_cause, log_lines, words_cause
from sre_agent.evidence.kubernetes.probe_cause import probe_kill, readiness_fault
from sre_agent.evidence.kubernetes.pull_cause import MISSING_MOUNT, PLATFORM, create_reason, pull_reason
from sre_agent.evidence.kubernetes.state import CONFIG_REASONS, Container, JsonObject, Trouble, condition, entries, listed, text
from sre_agent.evidence.visible import one_line

QUOTE = 200
NODE_KILL = timedelta(minutes=2)
_GENERIC = frozenset({R.APP_ERROR, R.ABORTED, R.EXITS_CLEANLY})
_IMAGE = re.compile(r"image \"([^\"]{1,300})\"")


@dataclass(frozen=True)
class PodTrouble:
    """One pod in trouble with everything told about it: its own events, its node's kills for memory, its logs."""

    pod: JsonObject
    trouble: Trouble
    container: Container | None
    about: Told
    node_kills: Told
    logs: Sequence[dict[str, Any]]

    @property
    def name(self) -> str:
        """The pod's name."""
        return text(self.pod, "metadata", "name")

    @property
    def who(self) -> str:
        """ "init container migrate of pod api-1"."""
        c = self.container
        if c is None:
            return f"pod {self.name}"
        beside = len(entries(self.pod, "spec", "containers"))
        part = "init container" if c.init else "sidecar container" if c.sidecar else "container"
        several = f" (one of {beside})" if beside > 1 and not c.init and not c.sidecar else ""
        return f"{part} {c.name}{several} of pod {self.name}"

    @property
    def times(self) -> str:
        """ "restarted 6 times, now in CrashLoopBackOff"."""
        c = self.container
        looping = ", now in CrashLoopBackOff" if c is not None and c.waiting == "CrashLoopBackOff" else ""
        return f"restarted {c.restarts if c else 0} times{looping}"


@dataclass(frozen=True)
class PodCause:
    """The fault, why, and in one line."""

    kind: FindingKind
    reason: R | None
    words: str


def pod_cause(sick: PodTrouble) -> PodCause:
    """What is wrong and why."""
    match sick.trouble:
        case Trouble.IMAGE_PULL:
            return _image(sick)
        case Trouble.BAD_CONFIG:
            return _config(sick)
        case Trouble.OOM_KILLED:
            return _memory(sick)
        case Trouble.NOT_READY:
            return _unready(sick)
        case Trouble.CRASH_LOOP:
            return _crash(sick)


def _image(sick: PodTrouble) -> PodCause:
    c = sick.container
    said = [
        message(e) for _, e in newest_first(sick.about) if text(e, "reason") in ("Failed", "InspectFailed", "ErrImageNeverPull")
    ]
    told = " ".join([c.waiting if c else "", c.message if c else "", *said])
    named = _IMAGE.search(told)
    image = (c.image if c else "") or (named[1] if named else "")
    secrets = entries(sick.pod, "spec", "imagePullSecrets")
    reason = pull_reason(told, image, bool(secrets))
    detail = next(
        (m for m in [c.message if c else "", *said] if pull_reason(m, image, bool(secrets)) is reason), said[0] if said else ""
    )
    lost = [m for _, e in sick.about if text(e, "reason") == "FailedToRetrieveImagePullSecret" for m in [message(e)]]
    why = "; the image is not made for the node's architecture" if PLATFORM.search(told) else ""
    why += f"; {one_line(lost[0], 120)}" if lost and reason is R.REGISTRY_UNAUTHORIZED else ""
    what = f"its image {image}" if image else "its image"
    words = f"{sick.who} cannot pull {what} ({c.waiting if c else 'image'}): {one_line(detail or (c.message if c else ''), QUOTE)}"
    return PodCause(FindingKind.POD_IMAGE_PULL_FAILED, reason, words + why)


def _config(sick: PodTrouble) -> PodCause:
    c = sick.container
    if c is None:
        said = next((m for _, e in newest_first(sick.about) if MISSING_MOUNT.search(m := message(e))), "")
        words = f"{sick.who} cannot start, a volume is missing: {one_line(said, QUOTE)}"
        return PodCause(FindingKind.POD_BAD_CONFIG, create_reason(said), words)
    events = " ".join(message(e) for _, e in newest_first(sick.about) if text(e, "reason") in ("Failed", "FailedMount"))
    if c.waiting in CONFIG_REASONS or c.exit_reason in ("StartError", "ContainerCannotRun"):
        state = c.waiting if c.waiting in CONFIG_REASONS else c.exit_reason
        own = c.words if c.waiting not in CONFIG_REASONS else c.message or c.words
        reason = create_reason(own) or create_reason(f"{c.words} {events}")
        kind = FindingKind.POD_OOM_KILLED if reason is R.MEMORY_LIMIT else FindingKind.POD_BAD_CONFIG
        if reason is R.MEMORY_LIMIT:
            own = f"its memory limit of {c.memory_limit or 'unknown size'} is too low to start it; {own}"
        return PodCause(kind, reason, f"{sick.who} cannot be created ({state}): {one_line(own or events, QUOTE)}")
    reason, meaning = exit_cause(c.exit_code)
    # A shell that found its script but not what the script calls ends with 127 as well.
    kind = FindingKind.POD_INIT_FAILED if c.init else FindingKind.POD_BAD_CONFIG
    quoted = f" ({one_line(c.words, QUOTE)})" if c.words else ""
    return PodCause(kind, reason, f"{sick.who} exits with code {c.exit_code}: {meaning}{quoted}, {sick.times}")


def _memory(sick: PodTrouble) -> PodCause:
    c = sick.container
    limit = f"its memory limit of {c.memory_limit}" if c is not None and c.memory_limit else "its memory limit"
    if c is not None and not c.memory_limit and sick.node_kills:
        return _node_memory(sick)
    return PodCause(FindingKind.POD_OOM_KILLED, R.MEMORY_LIMIT, f"{sick.who} was killed at {limit} (OOMKilled), {sick.times}")


def _node_memory(sick: PodTrouble) -> PodCause:
    node = text(sick.pod, "spec", "nodeName")
    words = f"{sick.who} was killed because its node {node} ran out of memory: {one_line(message(sick.node_kills[0][1]), 120)}"
    return PodCause(FindingKind.POD_OOM_KILLED, R.NODE_OUT_OF_MEMORY, f"{words}, {sick.times}")


def _unready(sick: PodTrouble) -> PodCause:
    gate = condition(sick.pod, "Ready")
    if text(gate, "reason") == "ReadinessGatesNotReady":
        words = f"{sick.who} waits for a readiness gate: {one_line(text(gate, 'message'), QUOTE)}"
        return PodCause(FindingKind.POD_NOT_READY, None, words)
    fault = readiness_fault(sick.pod, sick.container, sick.about)
    if fault is None:
        return PodCause(FindingKind.POD_NOT_READY, R.READINESS_FAILED, f"{sick.who} runs but fails its readiness check")
    words = f"{sick.who} runs but fails its readiness check: {fault.words}"
    reason, more = fault.reason, ""
    if reason is R.READINESS_FAILED and (spoken := _log_words(sick)) is not None:
        more = f"; its log speaks of {spoken[1]}"
        reason = R.DEPENDENCY_UNREACHABLE if spoken[0] is R.DEPENDENCY_UNREACHABLE else reason
    return PodCause(FindingKind.POD_NOT_READY, reason, words + more)


def _crash(sick: PodTrouble) -> PodCause:
    c = sick.container
    if c is None or c.exit_code is None:
        return PodCause(_crash_kind(c), None, f"{sick.who} keeps ending, {sick.times}")
    if c.exit_code == 137 and _killed_with_node(c, sick.node_kills):
        return _node_memory(sick)
    reason, meaning = exit_cause(c.exit_code)
    killed = probe_kill(sick.pod, c, sick.about)
    if killed is None and c.exit_code == 137 and _liveness_told(sick.about):
        killed_words: str | None = "its liveness probe failed"
        reason = R.LIVENESS_FAILED
    else:
        killed_words = killed.words if killed else None
        reason = killed.reason if killed else reason
    if killed_words is not None:
        meaning = killed_words
    more = ""
    if reason in _GENERIC and (spoken := words_cause(c.words.splitlines())) is not None:
        reason = spoken[0]
    elif reason in _GENERIC and (spoken := _log_words(sick)) is not None:
        reason, more = spoken[0], f"; its log speaks of {spoken[1]}"
    quoted = f", last words: {one_line(c.words[-QUOTE:], QUOTE)}" if c.words else ""
    words = f"{sick.who} keeps ending with exit code {c.exit_code} ({meaning}), {sick.times}{quoted}{more}"
    return PodCause(_crash_kind(c), reason, words)


def _crash_kind(container: Container | None) -> FindingKind:
    return FindingKind.POD_INIT_FAILED if container is not None and container.init else FindingKind.POD_CRASH_LOOP


def _liveness_told(about: Told) -> bool:
    return any(text(e, "reason") == "Unhealthy" and "iveness probe failed" in message(e) for _, e in about)


def _killed_with_node(container: Container, kills: Told) -> bool:
    """Whether the node killed for memory at the time this container ended."""
    at = container.exited_at
    times = [t for _, e in kills if (t := last_seen(e)) is not None]
    return at is not None and any(abs(t - at) <= NODE_KILL for t in times)


def _log_words(sick: PodTrouble) -> tuple[R, str] | None:
    """What the log of the last run speaks of, else that of the present one."""
    c = sick.container
    mine = [log for log in sick.logs if c is None or log.get("container") in (c.name, None, "")]
    for log in sorted(mine, key=lambda each: each.get("previous") is not True):
        if (spoken := words_cause(log_lines(log))) is not None:
            return spoken
    return None


def waits_for(container: Container | None, pod: JsonObject) -> str:
    """The command of an init container, for people: what it may be waiting for."""
    made = next((c for c in entries(pod, "spec", "initContainers") if container and text(c, "name") == container.name), {})
    command = [*listed(made, "command"), *listed(made, "args")]
    return one_line(" ".join(str(part) for part in command), 120)
