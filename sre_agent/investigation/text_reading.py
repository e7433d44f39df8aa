"""The detectors' second reading: what other tools printed, judged like what the cluster answers and weighed as text. Pure."""

import difflib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes.state import JsonObject, containers, dig, entries, instant, text
from sre_agent.evidence.source import Scope
from sre_agent.evidence.told.reading import Told, told_by
from sre_agent.evidence.view import EvidenceView

WEAKER, WEAKEST = 0.6, 0.45
"""What a finding keeps of its strength: from an object that was described in full, and from a row of a listing."""
LAST_WORDS = 100
"""Lines of a log that are read once more beside the rows of listings."""
OLD = timedelta(hours=1)
LOOKED_AFTER = timedelta(minutes=10)
"""How long after the newest time in a text somebody printed it, where nobody says: long enough to be sick, short of recovered."""
_NOT_IN_PATH = re.compile(r"exec: \"([\w.-]+)\": executable file not found")
_COMMANDS = (
    "wget", "curl", "bash", "sh", "python", "python3", "node", "java", "sleep", "echo", "cat", "tail", "nginx", "redis-server",
    "npm", "ruby", "go", "git", "tar", "chmod", "mkdir", "envsubst", "psql",
)  # fmt: skip


def text_views(view: EvidenceView) -> Iterator[tuple[EvidenceView, float]]:
    """Views as if the cluster had answered what the text tells, under the ids of that text, each with the weight it has."""
    told = [(e, told_by(e.payload)) for e in view.ok(EvidenceKind.TEXT)]
    for weight, pick in ((WEAKER, _whole), (WEAKEST, _rows)):
        found = [made for e, t in told for made in pick(e, t)]
        if found:
            clock = _clock(view, [item for _, t in told for item in t.whole])
            yield view.model_copy(update={"evidence": tuple(found), "scope": clock}), weight


def _whole(evidence: Evidence, told: Told) -> Iterator[Evidence]:
    if told.whole:
        yield _as(evidence, EvidenceKind.KUBERNETES, {"items": list(told.whole)})
    if told.log is not None:
        yield _as(evidence, EvidenceKind.LOGS, told.log)
    if told.series:
        yield _as(evidence, EvidenceKind.METRICS, list(told.series))
    # Events are printed as rows wherever they come from, and belong to the objects that were described.
    if events := [r for r in told.rows if r.get("kind") == "Event"]:
        yield _as(evidence, EvidenceKind.KUBERNETES, {"items": events})


def _rows(evidence: Evidence, told: Told) -> Iterator[Evidence]:
    """Rows together with what was printed in full: a Service of a manifest selects pods of a listing, a pod has a log."""
    if told.rows or told.whole:
        rows = [_ended(row, evidence.observed_at) for row in told.rows]
        yield _as(evidence, EvidenceKind.KUBERNETES, {"items": [*rows, *told.whole]})
    if told.log is not None:  # again, for what the rows lack: the last words of a pod that is listed
        yield _as(evidence, EvidenceKind.LOGS, {**told.log, "lines": told.log["lines"][-LAST_WORDS:]})


def _ended(row: JsonObject, at: datetime) -> JsonObject:
    """A pod that is listed as OOMKilled or Error has ended by then: a row does not say when."""
    status = row.get("status")
    for name in ("containerStatuses", "initContainerStatuses") if isinstance(status, dict) and row.get("kind") == "Pod" else ():
        listed = [
            {**c, "state": {"terminated": {**ended, "finishedAt": at.isoformat()}}}
            if (ended := dig(c, "state", "terminated"))
            else c
            for c in entries(row, "status", name)
        ]
        if listed:
            row = {**row, "status": {**row["status"], name: listed}}
    return row


def _as(evidence: Evidence, kind: EvidenceKind, payload: object) -> Evidence:
    return evidence.model_copy(update={"kind": kind, "payload": payload})


def _clock(view: EvidenceView, items: list[JsonObject]) -> Scope:
    """The scope with the text's own clock: what was printed long before the incident was fetched is not old in itself."""
    times = [at for item in items for at in _times(item) if at <= view.scope.now]
    newest = max(times, default=view.scope.now)
    return view.scope.model_copy(update={"now": newest + LOOKED_AFTER}) if view.scope.now - newest > OLD else view.scope


def _times(item: JsonObject) -> Iterator[datetime]:
    told = list(containers(item)) if item.get("kind") == "Pod" else []
    stamps = [t for c in told for t in (c.exited_at, c.began_at)] + [instant(text(item, "status", "startTime"))]
    return (t for t in stamps if t is not None)


def weaker(finding: Finding, view: EvidenceView, weight: float) -> Finding:
    """The finding as text supports it. A command that is not found is named, with the one that may have been meant."""
    said = " ".join(str(e.payload.get("output")) for e in view.ok(EvidenceKind.TEXT) if e.id in finding.evidence)
    cause = finding.cause.rstrip(" :")
    if finding.kind in (FindingKind.POD_BAD_CONFIG, FindingKind.POD_INIT_FAILED) and (m := _NOT_IN_PATH.search(said)):
        near = difflib.get_close_matches(m[1], _COMMANDS, n=1, cutoff=0.7)
        cause += f" (the command `{m[1]}` is not found" + (f"; it may be a typo for `{near[0]}`)" if near else ")")
    return finding.model_copy(update={"strength": round(finding.strength * weight, 3), "cause": cause})
