"""Few findings for one trouble: ten equal pods of one workload must not crowd out another cause. Pure."""

from collections import Counter
from collections.abc import Iterable

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes.workload_owner import Owner

PER_WORKLOAD = 3
MOST = 10


def foremost(found: Iterable[tuple[Owner, Finding]]) -> tuple[Finding, ...]:
    """The strongest first, at most PER_WORKLOAD of one kind for one workload, and MOST in all."""
    ordered = sorted(found, key=lambda pair: (-pair[1].strength, pair[1].namespace or "", pair[1].object))
    seen: Counter[tuple[Owner, FindingKind]] = Counter()
    kept = []
    for owner, finding in ordered:
        seen[owner, finding.kind] += 1
        if seen[owner, finding.kind] <= PER_WORKLOAD:
            kept.append(finding)
    return tuple(kept[:MOST])
