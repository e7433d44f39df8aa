"""Questions over Kubernetes objects as plain API JSON: how a container, a pod, a node is doing. Pure.

Objects are telemetry: a missing or malformed field reads as "not so", never as an exception. Field meanings:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sre_agent.evidence.window import instant as instant

JsonObject = dict[str, Any]

NOT_READY_FOR = timedelta(minutes=3)
"""A pod that fails its readiness probe for less than this may just be starting."""
RECENT_EXIT = timedelta(minutes=15)
"""A container that ended longer ago than this and runs again has recovered (back-off is capped at 5 min)."""
MIN_RESTARTS = 3
MOST_WORDS = 4_096
"""Kubernetes keeps no longer termination messages."""

IMAGE_REASONS = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ImageInspectError",
        "ErrImageNeverPull",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
CONFIG_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CreatePodSandboxError", "PostStartHookError"}
)
CONFIG_EXITS = {126: "its command cannot be executed", 127: "its command was not found"}
_PROBLEM = re.compile(r"KernelDeadlock$|ReadonlyFilesystem$|Corrupt\w{1,60}$|Frequent\w{1,60}$|\w{1,60}(?:Problem|Unhealthy)$")
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


class Trouble(StrEnum):
    """What is wrong with a pod, most telling first where several hold."""

    IMAGE_PULL = "image_pull"
    BAD_CONFIG = "bad_config"
    OOM_KILLED = "oom_killed"
    CRASH_LOOP = "crash_loop"
    NOT_READY = "not_ready"


def dig(item: object, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for key in path:
        item = item.get(key) if isinstance(item, dict) else None
    return item


def text(item: object, *path: str) -> str:
    """The string at a path, or ""."""
    # Asked hundreds of thousands of times in a large cluster, so it does not ask `dig`.
    for key in path:
        if not isinstance(item, dict):
            return ""
        item = item.get(key)
    return item if isinstance(item, str) else ""


def number(item: object, *path: str) -> int:
    """The integer at a path, or 0."""
    value = dig(item, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def entries(item: object, *path: str) -> tuple[JsonObject, ...]:
    """The objects of a list at a path, or ()."""
    value = dig(item, *path)
    return tuple(v for v in value if isinstance(v, dict)) if isinstance(value, list) else ()


def listed(item: object, *path: str) -> list[Any]:
    """The list at a path, or []."""
    value = dig(item, *path)
    return value if isinstance(value, list) else []


def labels_of(item: JsonObject) -> dict[str, str]:
    """metadata.labels, or {}."""
    value = dig(item, "metadata", "labels")
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Container:
    """One container's status. `exit_*` describe its last end, if any; `memory_limit` as written ("256Mi").

    `words` is what it left in its termination message. `init`: it must end before the others begin; a sidecar among the
    init containers (restartPolicy Always) need not. `ran_since`: since when it runs now.
    """

    name: str
    ready: bool
    running: bool
    restarts: int
    waiting: str
    message: str
    exit_code: int | None
    exit_reason: str
    exited_at: datetime | None
    began_at: datetime | None
    memory_limit: str
    words: str = ""
    image: str = ""
    init: bool = False
    sidecar: bool = False
    ran_since: datetime | None = None

    @property
    def log_worth(self) -> bool:
        """Whether it ever ran, so that it has a log."""
        return self.running or self.exit_code is not None


def containers(pod: JsonObject) -> tuple[Container, ...]:
    """Every container with a status, init containers first."""
    init = {text(c, "name"): c for c in entries(pod, "spec", "initContainers")}
    main = {text(c, "name"): c for c in entries(pod, "spec", "containers")}
    starting = [_container(s, init.get(text(s, "name"), {}), True) for s in entries(pod, "status", "initContainerStatuses")]
    return (*starting, *(_container(s, main.get(text(s, "name"), {}), False) for s in entries(pod, "status", "containerStatuses")))


def _container(status: JsonObject, spec: JsonObject, among_init: bool) -> Container:
    ended = dig(status, "state", "terminated") or dig(status, "lastState", "terminated")
    sidecar = among_init and spec.get("restartPolicy") == "Always"
    return Container(
        name=text(status, "name"),
        ready=dig(status, "ready") is True,
        running=isinstance(dig(status, "state", "running"), dict),
        restarts=number(status, "restartCount"),
        waiting=text(status, "state", "waiting", "reason"),
        message=(text(status, "state", "waiting", "message") or text(ended, "message"))[:MOST_WORDS],
        exit_code=number(ended, "exitCode") if isinstance(ended, dict) else None,
        exit_reason=text(ended, "reason"),
        exited_at=instant(dig(ended, "finishedAt")),
        began_at=instant(dig(ended, "startedAt")),
        memory_limit=str(dig(spec, "resources", "limits", "memory") or ""),
        words=text(ended, "message")[-MOST_WORDS:],
        image=text(spec, "image") or text(status, "image"),
        init=among_init and not sidecar,
        sidecar=sidecar,
        ran_since=instant(dig(status, "state", "running", "startedAt")),
    )


def container_trouble(container: Container, now: datetime) -> Trouble | None:
    """What is wrong with one container, or None. A container that recovered long ago is not in trouble."""
    if container.waiting in IMAGE_REASONS:
        return Trouble.IMAGE_PULL
    if container.waiting in CONFIG_REASONS:
        return Trouble.BAD_CONFIG
    looping = container.waiting == "CrashLoopBackOff"
    recent = container.exited_at is not None and now - container.exited_at <= RECENT_EXIT
    if container.exit_code is None or not (looping or recent):
        return Trouble.CRASH_LOOP if looping else None
    started_badly = container.exit_code in CONFIG_EXITS or container.exit_reason in ("StartError", "ContainerCannotRun")
    if started_badly and (looping or not container.running):
        return Trouble.BAD_CONFIG
    # 137 alone is any SIGKILL (a failed liveness probe ends so too); only the reason says memory.
    if container.exit_reason == "OOMKilled":
        return Trouble.OOM_KILLED
    if looping or (container.restarts >= MIN_RESTARTS and container.exit_code != 0):
        return Trouble.CRASH_LOOP
    return None


def pod_trouble(pod: JsonObject, now: datetime) -> tuple[Trouble, Container | None] | None:
    """The most telling trouble of a living pod and the container it is in. None: nothing is wrong, or it is ending."""
    if terminating(pod) or text(pod, "status", "phase") in ("Succeeded", "Failed"):
        return None
    found = [(t, c) for c in _once_ended(pod) if (t := container_trouble(c, now)) is not None]
    if found:
        order = list(Trouble)
        return min(found, key=lambda pair: order.index(pair[0]))
    since = not_ready_since(pod)
    if since is not None and now - since >= NOT_READY_FOR and text(pod, "status", "phase") == "Running":
        return Trouble.NOT_READY, next((c for c in containers(pod) if not c.ready), None)
    return None


def _once_ended(pod: JsonObject) -> tuple[Container, ...]:
    """The containers, when any of them waits or ever ended; of most pods none did, and nothing is wrong with a container then."""
    statuses = (*entries(pod, "status", "initContainerStatuses"), *entries(pod, "status", "containerStatuses"))
    ended = ("waiting", "terminated")
    told = any(dig(s, "state", end) or dig(s, "lastState", "terminated") for s in statuses for end in ended)
    return containers(pod) if told else ()


def terminating(item: JsonObject) -> bool:
    """Whether somebody already deleted it."""
    return bool(dig(item, "metadata", "deletionTimestamp"))


def condition(item: JsonObject, kind: str) -> JsonObject | None:
    """status.conditions[type=kind]."""
    return next((c for c in entries(item, "status", "conditions") if c.get("type") == kind), None)


def ready(item: JsonObject) -> bool:
    """The Ready condition of a pod or node; a pod on its way out is not ready."""
    return text(condition(item, "Ready"), "status") == "True" and not terminating(item)


def not_ready_since(item: JsonObject) -> datetime | None:
    """Since when a pod or node has not been ready; None when it is, or when nobody says."""
    found = condition(item, "Ready")
    if found is None or found.get("status") == "True":
        return None
    return instant(found.get("lastTransitionTime"))


def pressures(node: JsonObject) -> tuple[str, ...]:
    """The resources a node is short of: "MemoryPressure", ..."""
    return tuple(p for p in PRESSURES if text(condition(node, p), "status") == "True")


def problems(node: JsonObject) -> tuple[str, ...]:
    """What a node problem detector says is wrong for good: "ReadonlyFilesystem", "KernelDeadlock", "NTPProblem".

    https://github.com/kubernetes/node-problem-detector . Conditions of other names may be good when they are true.
    """
    told = (c for c in entries(node, "status", "conditions") if c.get("status") == "True")
    return tuple(kind[:100] for c in told if _PROBLEM.match(kind := text(c, "type")))


def controller_of(item: JsonObject) -> JsonObject | None:
    """The owner reference that has controller: true."""
    return next((r for r in entries(item, "metadata", "ownerReferences") if r.get("controller") is True), None)


def odd_conditions(node: JsonObject) -> str:
    """ "Ready=Unknown, MemoryPressure=True": the conditions of a node that are not as they should be, for people."""
    bad = [c for c in entries(node, "status", "conditions") if (c.get("type") == "Ready") != (c.get("status") == "True")]
    return ", ".join(f"{c.get('type')}={c.get('status')}" for c in bad)
