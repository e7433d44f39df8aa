"""MODEL_PROVIDER_ERRORS: the company behind the model answers 429, 5xx, or late.

Pure. The object is "app/<provider or model>": nothing of ours to act on.
"""

import re
from collections import defaultdict
from datetime import UTC, datetime

from sre_agent.detectors.rates import Shift, is_counter, levels, shift
from sre_agent.detectors.responses import Answer, subject_of, troubles
from sre_agent.detectors.tools import TOOL_LABELS
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

PROVIDER_LABELS = ("provider", "llm_provider", "gen_ai_system", "model", "model_name", "gen_ai_request_model")
MIN_SLOWDOWN = 2.0
MIN_SCORE = 6.0
_LATENCY_NAME = re.compile(r"latency|duration|first_token|ttft|ftl")
_TAIL_NAME = re.compile(r"p9\d|p50|p75|avg|mean")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding per provider: bad answers first, else its latency. A tool's own series never count."""
    refused = _refusals(view)
    return (*refused, *_lateness(view, {f.object for f in refused}))


def _refusals(view: EvidenceView) -> tuple[Finding, ...]:
    worst: dict[str, Finding] = {}
    for trouble in troubles(view, PROVIDER_LABELS, without=TOOL_LABELS):
        code = "429" if trouble.answer is Answer.LIMITED else "5xx or time-outs"
        finding = Finding(
            kind=FindingKind.MODEL_PROVIDER_ERRORS,
            object=f"app/{trouble.subject.lower()}",
            cause=f"{trouble.subject} answers {code}: {trouble.share:.0%} of its requests, {trouble.rate_after:.3g}/s",
            onset=datetime.fromtimestamp(trouble.began, UTC),
            strength=round(0.65 + 0.3 * trouble.share, 3),
            evidence=trouble.evidence,
            refuted_by="another provider fails in the same way over the same network",
        )
        if finding.object not in worst or worst[finding.object].strength < finding.strength:
            worst[finding.object] = finding
    return tuple(worst.values())


def _lateness(view: EvidenceView, known: set[str]) -> tuple[Finding, ...]:
    slow: dict[str, list[tuple[str, Series, Shift]]] = defaultdict(list)
    for evidence_id, series in view.series():
        subject = subject_of(series, PROVIDER_LABELS, without=TOOL_LABELS)
        if subject is None or f"app/{subject.lower()}" in known or not _LATENCY_NAME.search(series.name):
            continue
        found = _slowdown(series, view)
        if found is not None:
            slow[subject].append((evidence_id, series, found))
    findings = []
    for subject, each in sorted(slow.items()):
        _, series, worst = max(each, key=lambda s: s[2].ratio)
        findings.append(
            Finding(
                kind=FindingKind.MODEL_PROVIDER_ERRORS,
                object=f"app/{subject.lower()}",
                cause=f"{subject} answers late: {series.name} {worst.before:.3g} -> {worst.after:.3g}",
                onset=datetime.fromtimestamp(worst.at, UTC),
                strength=0.6,
                evidence=tuple(sorted({e for e, _, _ in each})),
                refuted_by="prompts or answers got longer at the onset, or everything else on the same network is slow too",
            )
        )
    return tuple(findings)


def _slowdown(series: Series, view: EvidenceView) -> Shift | None:
    """A quantile or mean gauge that at least doubled. Sums and counts are load, not latency."""
    if is_counter(series) or not ("quantile" in series.labels or _TAIL_NAME.search(series.name)):
        return None
    found = shift(levels(series), view.scope.onset)
    return found if found is not None and found.score >= MIN_SCORE and found.ratio >= MIN_SLOWDOWN else None
