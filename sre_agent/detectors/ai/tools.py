"""TOOL_RATE_LIMITED, TOOL_ERRORS and TOOL_SLOW: an integration's API refuses, fails, or answers late.

Pure. Needs counted answers or measured latencies per tool: an alert that merely says "429" is a claim, not a finding.
When all tools fail at the same moment, it is what they share; then none of them is accused.
"""

from datetime import UTC, datetime

from sre_agent.detectors.ai.outside_calls import REFUSED, Slowness, Trouble, slowness, troubles
from sre_agent.evidence.ai.answer import REASON_OF, SAID_OF
from sre_agent.evidence.ai.outside import tool_of, upstream_of
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.view import EvidenceView

SHARED_FROM = 3
SHARED_WITHIN_S = 300.0


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding of each kind per tool; stronger the larger the share, and when an alert names the tool."""
    alerted = view.scope.incident.label_values("tool_name")
    found = troubles(view, tool_of)
    shared = _shared(view, found)
    if shared is not None:
        return (shared,)
    bad = {t.subject for t in found}
    late = tuple(_late(s, s.subject in alerted) for s in slowness(view, tool_of) if s.subject not in bad)
    return (*(_finding(t, t.subject in alerted) for t in found), *late)


def _finding(trouble: Trouble, alerted: bool) -> Finding:
    before = "no baseline" if trouble.rate_before is None else f"{trouble.rate_before:.3g}/s before"
    what = f"{SAID_OF[trouble.answer]}: {trouble.share:.0%} of its requests, {trouble.rate_after:.3g}/s, {before}"
    return Finding(
        kind=FindingKind.TOOL_RATE_LIMITED if trouble.answer in REFUSED else FindingKind.TOOL_ERRORS,
        object=f"tool/{trouble.subject.lower()}",
        cause=f"{trouble.subject} {what}",
        reason=REASON_OF[trouble.answer],
        onset=datetime.fromtimestamp(trouble.began, UTC),
        strength=round(0.55 + 0.25 * trouble.share + (0.15 if alerted else 0.0), 3),
        evidence=trouble.evidence,
        refuted_by="the share is the same on a day without this alert, or the tool's own side sees no trouble",
    )


def _late(slow: Slowness, alerted: bool) -> Finding:
    return Finding(
        kind=FindingKind.TOOL_SLOW,
        object=f"tool/{slow.subject.lower()}",
        cause=f"{slow.subject} answers late: {slow.name} {slow.shift.before:.3g} -> {slow.shift.after:.3g}",
        reason=FindingReason.SLOW,
        onset=datetime.fromtimestamp(slow.shift.at, UTC),
        strength=0.65 if alerted else 0.55,
        evidence=slow.evidence,
        refuted_by="other tools on the same network became slow at the same moment, or the tool's own side measures no delay",
    )


def _shared(view: EvidenceView, found: tuple[Trouble, ...]) -> Finding | None:
    """One finding for all tools when every tool with traffic fails since the same minutes, or all behind one upstream."""
    tools: dict[str, set[str]] = {}
    for _, series in view.series():
        if (tool := tool_of(series)) is not None:
            tools.setdefault(tool, set()).update({u} if (u := upstream_of(series)) is not None else set())
    bad = {t.subject for t in found}
    behind = set().union(*(tools[t] for t in bad)) if bad else set()
    one = next(iter(behind)) if len(behind) == 1 and all(tools[t] == behind for t in bad) else None
    others = set(tools) - bad if one is None else {t for t, u in tools.items() if u == {one}} - bad
    if others or len(bad) < (2 if one is not None else SHARED_FROM):
        return None
    starts = [t.began for t in found]
    if max(starts) - min(starts) > SHARED_WITHIN_S:
        return None
    worst = max(found, key=lambda t: (t.share, t.subject))
    names = ", ".join(sorted(bad)[:6])
    what = f"all tools ({names}) fail since the same minutes, {worst.share:.0%} of the requests of {worst.subject}"
    return Finding(
        kind=FindingKind.TOOL_RATE_LIMITED if all(t.answer in REFUSED for t in found) else FindingKind.TOOL_ERRORS,
        object=f"app/{one.lower()}" if one is not None else "app/tools",
        cause=f"{what}: {f'{one}, through which they all go' if one else 'what they share, such as the way out'}, not each tool",
        reason=REASON_OF[worst.answer],
        onset=datetime.fromtimestamp(min(starts), UTC),
        strength=round(0.55 + 0.25 * worst.share, 3),
        evidence=tuple(sorted({e for t in found for e in t.evidence})),
        refuted_by="one of the tools answers well over the same way, or their own sides each report trouble",
    )
