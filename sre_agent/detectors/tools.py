"""TOOL_RATE_LIMITED and TOOL_ERRORS: an integration's API answers 429, 5xx or not at all.

Pure. Needs counted answers per tool: an alert that merely says "429" is a claim, not a finding.
"""

from datetime import UTC, datetime

from sre_agent.detectors.responses import Answer, Trouble, troubles
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView

TOOL_LABELS = ("tool_name", "tool", "integration")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding of each kind per tool; stronger the larger the share, and when an alert names the tool."""
    alerted = view.scope.incident.label_values("tool_name")
    return tuple(_finding(t, t.subject in alerted) for t in troubles(view, TOOL_LABELS))


def _finding(trouble: Trouble, alerted: bool) -> Finding:
    limited = trouble.answer is Answer.LIMITED
    before = "no baseline" if trouble.rate_before is None else f"{trouble.rate_before:.3g}/s before"
    what = "answers 429" if limited else "fails"
    return Finding(
        kind=FindingKind.TOOL_RATE_LIMITED if limited else FindingKind.TOOL_ERRORS,
        object=f"tool/{trouble.subject.lower()}",
        cause=f"{trouble.subject} {what}: {trouble.share:.0%} of its requests, {trouble.rate_after:.3g}/s, {before}",
        onset=datetime.fromtimestamp(trouble.began, UTC),
        strength=round(0.55 + 0.25 * trouble.share + (0.15 if alerted else 0.0), 3),
        evidence=trouble.evidence,
        refuted_by="the share is the same on a day without this alert, or the tool's own side sees no trouble",
    )
