"""Why a probe fails, and whether a probe is what kills a container. Pure.

Defaults of a probe's times: https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
"""

import re
from dataclasses import dataclass

from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.events import Told, message, newest_first, subject, times_seen
from sre_agent.evidence.kubernetes.state import Container, JsonObject, dig, entries, number, text
from sre_agent.evidence.visible import one_line

FAILS = {"readiness": R.READINESS_FAILED, "liveness": R.LIVENESS_FAILED, "startup": R.STARTUP_FAILED}
MISCONFIGURED = frozenset({R.PROBE_PORT_WRONG, R.PROBE_PATH_WRONG, R.PROBE_TOO_STRICT})
MIN_PROBES = 3
STRICT_START_S, GRACE_S = 60, 45
"""A start that gets less than this is short; how much longer than its probes allow a killed run may have lasted."""
_REFUSED = re.compile(r"connection refused|actively refused", re.IGNORECASE)
_LATE = re.compile(r"deadline exceeded|timed? ?out|Client\.Timeout", re.IGNORECASE)
_NO_PATH = re.compile(r"statuscode: (?:404|405)\b")
_ENDED_WHEN_ASKED = (None, 0, 137, 143)


@dataclass(frozen=True)
class ProbeFault:
    """A failing probe: "readiness", "liveness" or "startup"; why; in words; and the events that say so."""

    which: str
    reason: R
    words: str
    told: Told


def readiness_fault(pod: JsonObject, container: Container | None, about: Told) -> ProbeFault | None:
    """Why a running container is not ready, by the newest words of its readiness or startup probe; None without any."""
    for which in ("startup", "readiness"):
        if failed := _failed(which, container, about):
            return _fault(which, pod, container, failed)
    return None


def probe_kill(pod: JsonObject, container: Container, about: Told) -> ProbeFault | None:
    """The probe that keeps killing this container; None when it ends by itself."""
    for which in ("startup", "liveness"):
        failed = _failed(which, container, about)
        killed = [
            (i, e)
            for i, e in about
            if text(e, "reason") == "Killing" and f"failed {which} probe" in message(e) and _of(e, container)
        ]
        if killed or (times_seen(failed) >= MIN_PROBES and container.exit_code in _ENDED_WHEN_ASKED):
            return _fault(which, pod, container, [*failed, *killed])
    return None


def _failed(which: str, container: Container | None, about: Told) -> Told:
    said = re.compile(f"{which} probe (?:failed|errored)", re.IGNORECASE)
    return [(i, e) for i, e in about if text(e, "reason") == "Unhealthy" and said.search(message(e)) and _of(e, container)]


def _of(event: JsonObject, container: Container | None) -> bool:
    """Whether an event is about this container: field paths read spec.containers{name}, and are often absent."""
    path = text(subject(event), "fieldPath")
    return not path or container is None or f"{{{container.name}}}" in path


def _fault(which: str, pod: JsonObject, container: Container | None, told: Told) -> ProbeFault:
    said = next((message(e) for _, e in newest_first(told) if "probe failed" in message(e) or "probe errored" in message(e)), "")
    spec = _spec(pod, container)
    probe = dig(spec, f"{which}Probe")
    words = one_line(said.partition("probe ")[2] or said, 160)
    if not isinstance(probe, dict):
        return ProbeFault(which, FAILS[which], f"its {which} probe {words or 'failed'}", told)
    reason, why = _judged(which, probe, pod, container, said)
    return ProbeFault(which, reason, f"its {which} probe ({_asks(probe)}) {words or 'failed'}{why}", told)


def _judged(which: str, probe: JsonObject, pod: JsonObject, container: Container | None, said: str) -> tuple[R, str]:
    port, spec = _port(probe), _spec(pod, container)
    names = {text(p, "name") for p in entries(spec, "ports")}
    declared = sorted({number(p, "containerPort") for c in entries(pod, "spec", "containers") for p in entries(c, "ports")} - {0})
    listens = ", ".join(map(str, declared))
    if isinstance(port, str) and not port.isdecimal() and port not in names:
        return R.PROBE_PORT_WRONG, f"; the container has no port named {port}, it declares {listens or 'none'}"
    asked = int(port) if isinstance(port, int) or (isinstance(port, str) and port.isdecimal()) else 0
    if asked and declared and asked not in declared and (_REFUSED.search(said) or _LATE.search(said)):
        return R.PROBE_PORT_WRONG, f"; the container declares port {listens}, not {asked}"
    if _NO_PATH.search(said) and isinstance(probe.get("httpGet"), dict):
        return R.PROBE_PATH_WRONG, f"; it has no path {text(probe, 'httpGet', 'path') or '/'}"
    patience, allowed = number(probe, "timeoutSeconds") or 1, _allowed_s(probe)
    if which == "readiness":
        return R.READINESS_FAILED, f"; it has {patience} s to answer" if _LATE.search(said) else ""
    if _LATE.search(said) and patience <= 1:
        return R.PROBE_TOO_STRICT, f"; it has only {patience} s to answer"
    if _REFUSED.search(said) and allowed <= STRICT_START_S and _ended_starting(container, allowed):
        return R.PROBE_TOO_STRICT, f"; it gives the container only {allowed} s to start"
    return FAILS[which], ""


def _ended_starting(container: Container | None, allowed: int) -> bool:
    """Whether the last run was not much longer than the probe allows a start to be: it never got to answer."""
    if container is None or container.began_at is None or container.exited_at is None:
        return False
    return (container.exited_at - container.began_at).total_seconds() <= allowed + GRACE_S


def _allowed_s(probe: JsonObject) -> int:
    """Seconds from a container's start to its kill when it never answers."""
    period = number(probe, "periodSeconds") or 10
    return number(probe, "initialDelaySeconds") + period * (number(probe, "failureThreshold") or 3)


def _port(probe: JsonObject) -> object:
    return next((dig(probe, how, "port") for how in ("httpGet", "tcpSocket", "grpc") if isinstance(probe.get(how), dict)), None)


def _asks(probe: JsonObject) -> str:
    """What a probe does, for people: "GET :8080/healthz"."""
    if isinstance(probe.get("httpGet"), dict):
        return f"GET :{_port(probe)}{text(probe, 'httpGet', 'path') or '/'}"
    if isinstance(probe.get("exec"), dict):
        command = dig(probe, "exec", "command")
        return "command " + one_line(" ".join(map(str, command)) if isinstance(command, list) else "", 60)
    return f"port {_port(probe)}"


def _spec(pod: JsonObject, container: Container | None) -> JsonObject:
    made = (*entries(pod, "spec", "initContainers"), *entries(pod, "spec", "containers"))
    return next((c for c in made if container is not None and text(c, "name") == container.name), {})
