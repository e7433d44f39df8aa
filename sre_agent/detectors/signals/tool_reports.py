"""What tools beside kubectl reported of a fault, and what their text says that no reader knows: typed, quoted and weak.

Pure. Delivery, mesh, brokers, stores, certificates, traces, alerts: by the form of the text (evidence/told/). Where a text has no
known form at all, the lines that speak of trouble are quoted as they are, so that a person reads the tool's own words.

SAFETY: below what stands for infrastructure anywhere (0.5): whoever writes the text must not decide whose problem it is.
"""

import re
from collections.abc import Iterator

from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes.state import number, text
from sre_agent.evidence.logs.said_errors import said_errors
from sre_agent.evidence.told.json_reports import json_reports
from sre_agent.evidence.told.manifest import documents
from sre_agent.evidence.told.plain import unwrapped
from sre_agent.evidence.told.reading import Told, told_by
from sre_agent.evidence.told.report import Asked, Report
from sre_agent.evidence.told.subject import is_page, subject_of
from sre_agent.evidence.told.tool_reports import has_form, reports
from sre_agent.evidence.view import EvidenceView

REPORTED, QUOTED = 0.4, 0.2
MOST_SAID, QUOTE, CAUSE = 3, 240, 600
MOST_LACKING = 5
_COUNTS = {
    "Deployment": (("spec", "replicas"), ("status", "readyReplicas")),
    "StatefulSet": (("spec", "replicas"), ("status", "readyReplicas")),
    "DaemonSet": (("status", "desiredNumberScheduled"), ("status", "numberReady")),
}
_PROSE = re.compile(r"^#{1,4} |\. [A-Z][a-z]+ [a-z]+ [a-z]+ ", re.MULTILINE)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding a report; at most one quoted text for each piece of evidence that no reader knows."""
    found: list[Finding] = []
    for told in view.ok(EvidenceKind.TEXT):
        if not isinstance(told.payload, dict) or is_page(told.payload):
            continue
        args = told.payload.get("args")
        asked = Asked(subject_of(told.payload, view.scope.incident), str((args or {}).get("namespace") or ""), view.scope.now)
        said = unwrapped(str(told.payload.get("output") or ""))
        known = told_by(told.payload)
        if known.log is not None:
            continue
        made = [_finding(r, told, asked) for r in _reported(said, asked)] + list(_lacking(known, told, asked))
        found += made or ([] if known.rows or known.series or known.whole else _quoted(said, told, asked))
    return tuple(found)


def _reported(output: str, asked: Asked) -> list[Report]:
    """By the two forms: JSON, and everything else."""
    return json_reports(documents(output), asked) if output.startswith(("{", "[")) else reports(output, asked)


def _lacking(known: Told, told: Evidence, asked: Asked) -> Iterator[Finding]:
    """Workloads that were printed with fewer ready replicas than they should have: that much is true whatever the cause."""
    lacking = []
    for item in (*known.whole, *known.rows):
        wanted, there = (number(item, *path) for path in _COUNTS.get(text(item, "kind"), (("spec",), ("spec",))))
        if there < wanted:
            lacking.append((there > 0, item, f"has {there} of {wanted} replicas ready, as a tool's text says"))
    for _, item, words in sorted(lacking, key=lambda each: each[0])[:MOST_LACKING]:
        kind, name = text(item, "kind").lower(), text(item, "metadata", "name")
        made = _finding(Report(FindingKind.DEPLOYMENT_DEGRADED, f"{kind}/{name}", f"{kind} {name} {words}"), told, asked, QUOTED)
        yield made.model_copy(update={"namespace": text(item, "metadata", "namespace") or made.namespace})


def _quoted(output: str, told: Evidence, asked: Asked) -> Iterator[Finding]:
    """The lines that speak of trouble. Prose (a page, a runbook) speaks of trouble in general."""
    if output.startswith(("{", "[")) or _PROSE.search(output) or has_form(output):
        return
    said = said_errors(output.splitlines())[:MOST_SAID]
    if said:
        what = str(told.payload.get("operation") or "a tool")[:60]
        cause = f"{what} says: " + " | ".join(e.text.strip()[:QUOTE] for e in said)
        yield _finding(Report(FindingKind.LOG_ERRORS, asked.subject, cause), told, asked, QUOTED)


def _finding(report: Report, told: Evidence, asked: Asked, strength: float = REPORTED) -> Finding:
    return Finding(
        kind=report.kind,
        object=report.object.lower(),
        namespace=asked.namespace or None,
        cause=" ".join(report.cause.split())[:CAUSE],
        reason=report.reason,
        onset=report.onset,
        strength=strength,
        evidence=(told.id,),
        refuted_by="the text is old, or somebody wrote it who knew that it would be read",
    )
