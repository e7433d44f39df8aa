"""What a tool was asked about: by its arguments, else by the alert's labels. Pure."""

import re
from typing import Any

from sre_agent.evidence.told.kinds import kind_of
from sre_agent.incident.incident import Incident

_PAGES = re.compile(r"web(?!hook)|internet|runbook|docs|\bsearch_", re.IGNORECASE)
_SUBJECTS = ("pod", "deployment", "statefulset", "daemonset", "job", "node", "service")


def is_page(payload: dict[str, Any]) -> bool:
    """True for documentation: it is not about this system, whatever it describes."""
    return _PAGES.search(f"{payload.get('source') or ''} {payload.get('operation') or ''}") is not None


def subject_of(payload: dict[str, Any], incident: Incident) -> str:
    """ "kind/name" in lower case."""
    args = payload.get("args")
    args = args if isinstance(args, dict) else {}
    kind = kind_of(args.get("kind") or args.get("resource_type"))
    name = str(args.get("name") or args.get("resource_name") or args.get("pod_name") or args.get("pod") or "")
    if not kind and name and (args.get("pod_name") or args.get("pod")):
        kind = "Pod"
    if kind == "ReplicaSet":
        kind, name = "Deployment", name.rpartition("-")[0] or name
    if kind and name and name != "*":
        return f"{kind}/{name}".lower()
    named = ((k, v) for k in _SUBJECTS for v in sorted(incident.label_values(k)))
    return next((f"{k}/{v}".lower() for k, v in named), f"app/{incident.service.name or 'unknown'}".lower())
