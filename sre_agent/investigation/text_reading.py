"""The detectors' second reading: objects that other tools described as text, judged like objects and weighed as text. Pure."""

import difflib
import re

from sre_agent.evidence.described import described
from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView

WEAKER = 0.6
_KINDS = {"pod": "Pod", "persistentvolumeclaim": "PersistentVolumeClaim", "pvc": "PersistentVolumeClaim", "job": "Job"}
_NOT_IN_PATH = re.compile(r"exec: \"([\w.-]+)\": executable file not found")
_COMMANDS = (
    "wget", "curl", "bash", "sh", "python", "python3", "node", "java", "sleep", "echo", "cat", "tail", "nginx", "redis-server",
    "npm", "ruby", "go", "git", "tar", "chmod", "mkdir", "envsubst", "psql",
)  # fmt: skip


def described_view(view: EvidenceView) -> EvidenceView | None:
    """The view as if the cluster had answered what the text describes, under the ids of that text; None without any."""
    found = [e for told in view.ok(EvidenceKind.TEXT) if (e := _as_objects(told)) is not None]
    return view.model_copy(update={"evidence": tuple(found)}) if found else None


def _as_objects(told: Evidence) -> Evidence | None:
    if not isinstance(told.payload, dict) or "describe" not in str(told.payload.get("operation")):
        return None
    args = told.payload.get("args") or {}
    kind = _KINDS.get(str(args.get("kind") or "").lower(), "")
    items = described(str(told.payload.get("output") or ""), kind)
    return told.model_copy(update={"kind": EvidenceKind.KUBERNETES, "payload": {"items": items}}) if items else None


def weaker(finding: Finding, view: EvidenceView) -> Finding:
    """The finding as text supports it. A command that is not found is named, with the one that may have been meant."""
    said = " ".join(str(e.payload.get("output")) for e in view.ok(EvidenceKind.TEXT) if e.id in finding.evidence)
    cause = finding.cause
    if finding.kind is FindingKind.POD_BAD_CONFIG and (m := _NOT_IN_PATH.search(said)):
        near = difflib.get_close_matches(m[1], _COMMANDS, n=1, cutoff=0.7)
        cause += f" (the command `{m[1]}` is not found" + (f"; it may be a typo for `{near[0]}`)" if near else ")")
    return finding.model_copy(update={"strength": round(finding.strength * WEAKER, 3), "cause": cause})
