"""Which form a text has, and what is in it: objects with all they are, rows of listings, lines of logs, series. Pure."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.kubernetes.state import JsonObject
from sre_agent.evidence.told.described import described
from sre_agent.evidence.told.kinds import kind_of
from sre_agent.evidence.told.manifest import documents, objects_of, series_of
from sre_agent.evidence.told.plain import unwrapped
from sre_agent.evidence.told.records import log_lines
from sre_agent.evidence.told.rows import listed

MOST_LINES = 5_000
_MANIFEST = re.compile(r"^apiVersion:\s*\S", re.MULTILINE)
_DESCRIPTION = re.compile(r"^Name:\s+\S.*\n(?:.*\n)?(?:Namespace|Labels|Priority|Roles|StorageClass):", re.MULTILINE)
_LOGS = re.compile(r"logs?(?:_|\b)", re.IGNORECASE)
_NO_LOG = re.compile(r"^(?:Error from server|error: |Defaulted container )")


class Told(BaseModel):
    """What one text holds. `whole` are objects that were described or printed in full, `rows` those of a listing.

    `log` has the shape of LOGS evidence or is None; `series` are {"labels", "samples"}.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    whole: tuple[JsonObject, ...] = ()
    rows: tuple[JsonObject, ...] = ()
    log: JsonObject | None = None
    series: tuple[JsonObject, ...] = ()


def told_by(payload: Any) -> Told:
    """What the payload of a TEXT evidence holds ({"operation", "args", "output"}); nothing for what has no known form."""
    if not isinstance(payload, dict):
        return Told()
    args = payload.get("args")
    args = args if isinstance(args, dict) else {}
    operation, text = str(payload.get("operation") or ""), unwrapped(str(payload.get("output") or ""))
    kind = kind_of(args.get("kind") or args.get("resource_type") or args.get("resource"))
    namespace = str(args.get("namespace") or args.get("ns") or "")
    if _LOGS.search(operation):
        previous = "previous" in operation or str(args.get("previous")).lower() == "true"
        if text.startswith(("{", "[")) and (lines := log_lines(documents(text))):
            pod = str(args.get("pod_name") or args.get("pod") or args.get("name") or "").replace("*", "")
            return Told(log={"namespace": namespace, "pod": pod, "container": "", "previous": previous, "lines": lines})
        return Told(log=_log(args, namespace, text, previous))
    if text.startswith(("{", "[")) or _MANIFEST.search(text):
        found = documents(text)
        if lines := log_lines(found):
            return Told(log={"namespace": namespace, "pod": "", "container": "", "previous": False, "lines": lines})
        return Told(whole=tuple(objects_of(found)), series=tuple(series_of(found)))
    if _DESCRIPTION.search(text):
        return Told(whole=tuple(described(text, kind or _described_kind(operation, text))))
    return Told(rows=tuple(listed(text, kind, namespace)))


def _described_kind(operation: str, text: str) -> str:
    """The kind that has such keys, where nobody said it."""
    for word in operation.split():
        if found := kind_of(word.partition("/")[0]):
            return found
    keys = {line.partition(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    if {"Node", "Containers"} <= keys:
        return "Pod"
    if {"Pod Template", "StrategyType"} <= keys:
        return "Deployment"
    if {"Pod Template", "Pods Statuses"} <= keys:
        return "Job"
    if {"StorageClass", "Access Modes"} <= keys:
        return "PersistentVolumeClaim"
    return "Node" if {"Allocatable", "Taints"} <= keys else "Service" if {"Endpoints", "IP"} <= keys else ""


def _log(args: JsonObject, namespace: str, text: str, previous: bool) -> JsonObject | None:
    lines = [line for line in text.splitlines()[-MOST_LINES:] if line.strip() and not _NO_LOG.match(line)]
    pod = str(args.get("pod_name") or args.get("pod") or args.get("name") or "")
    if not lines or not pod or pod == "*":
        return None
    container = str(args.get("container_name") or args.get("container") or "")
    return {"namespace": namespace, "pod": pod, "container": container, "previous": previous, "lines": lines}
