"""SERVICE_BUSY: a service uses many times the CPU it ever used before the onset.

Pure. CPU alone of all resources: with dozens of services, ranking every metric together names nobody, and a CPU that jumps
by an order of magnitude names one.
"""

import re
from datetime import UTC, datetime
from statistics import median

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.rates import levels, split
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MAX_FINDINGS = 3
TIMES_USUAL, TIMES_MOST = 10.0, 3.0
MIN_BASELINE = 3
MIN_HIGH = 2
"""Samples that are that high: a single one is a collection of garbage, a warm-up or a timer."""
_CPU = re.compile(r"cpu", re.IGNORECASE)
_OTHER = re.compile(r"node|host|throttl|limit|request|quota|period", re.IGNORECASE)
_LABELS = (("service", "service"), ("deployment", "deployment"), ("pod", "pod"), ("container", "app"))


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding a service, the greatest jump first."""
    found: dict[str, Finding] = {}
    for evidence_id, series in view.series():
        if not _CPU.search(series.name) or _OTHER.search(series.name) or not (named := _object(series)):
            continue
        finding = _jump(evidence_id, series, named, view.scope.onset)
        if finding is not None and (named not in found or finding.strength > found[named].strength):
            found[named] = finding
    return tuple(sorted(found.values(), key=lambda f: (-f.strength, f.object))[:MAX_FINDINGS])


def _object(series: Series) -> str:
    return next((f"{kind}/{series.labels[label].lower()}" for label, kind in _LABELS if series.labels.get(label)), "")


def _jump(evidence_id: str, series: Series, named: str, onset: datetime) -> Finding | None:
    baseline, recent = split(levels(series), onset, MIN_BASELINE)
    if len(baseline) < MIN_BASELINE or not recent:
        return None
    usual, most = median(v for _, v in baseline), max(v for _, v in baseline)
    high = [s for s in recent if usual > 0 and s[1] >= max(TIMES_USUAL * usual, TIMES_MOST * most)]
    if len(high) < MIN_HIGH:
        return None
    at, peak = high[0][0], max(v for _, v in high)
    return Finding(
        kind=FindingKind.SERVICE_BUSY,
        object=named,
        namespace=series.labels.get("namespace"),
        cause=f"{series.name} jumped to {peak:.4g}, usually {usual:.4g} and never above {most:.4g} before the onset",
        onset=datetime.fromtimestamp(at, UTC),
        strength=round(0.5 + min(0.12, peak / most / 500), 3),
        evidence=(evidence_id,),
        refuted_by="it had more work to do, in proportion, and did it",
    )
