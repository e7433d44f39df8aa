"""NODE_PRESSURE from node-exporter: a disk or a memory that is all but used up, measured before Kubernetes speaks of pressure.

Pure. The newest MIN_POINTS samples must all be short. Metric names: https://github.com/prometheus/node_exporter. A node is
called as the label `node` or `nodename` says, else as the instance without its port.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MIN_POINTS = 3
LEAST_DISK, LEAST_MEMORY = 0.05, 0.05
STALE = timedelta(minutes=10)
STRENGTH = 0.7
_PSEUDO = frozenset({"tmpfs", "overlay", "squashfs", "ramfs", "devtmpfs", "iso9660", "nsfs", "proc", "sysfs"})
_PAIRS = (
    ("node_filesystem_avail_bytes", "node_filesystem_size_bytes", LEAST_DISK, FindingReason.DISK_PRESSURE),
    ("node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes", LEAST_MEMORY, FindingReason.MEMORY_PRESSURE),
)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding a node and resource, the scarcest first."""
    found: dict[tuple[str, FindingReason], tuple[float, Finding]] = {}
    for left, finding, reason in _short(view):
        key = finding.object, reason
        if key not in found or left < found[key][0]:
            found[key] = left, finding
    return tuple(f for _, f in sorted(found.values(), key=lambda pair: (pair[0], pair[1].object)))


def _short(view: EvidenceView) -> Iterator[tuple[float, Finding, FindingReason]]:
    for free_name, whole_name, least, reason in _PAIRS:
        wholes = {_identity(s): (i, s) for i, s in view.series(whole_name)}
        for evidence_id, series in view.series(free_name) if wholes else ():
            whole_id, whole = wholes.get(_identity(series), ("", None))
            points = whole.finite() if whole is not None else ()
            if not points or points[-1][1] <= 0 or series.labels.get("fstype") in _PSEUDO or series.labels.get("readonly") == "1":
                continue
            recent = [(t, v / points[-1][1]) for t, v in series.finite()]
            old = not recent or view.scope.now - datetime.fromtimestamp(recent[-1][0], UTC) > STALE
            if old or len(recent) < MIN_POINTS or any(share >= least for _, share in recent[-MIN_POINTS:]):
                continue
            yield recent[-1][1], _finding(series, recent, reason, (evidence_id, whole_id)), reason


def _identity(series: Series) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in series.labels.items() if k != "__name__"))


def _finding(series: Series, recent: list[tuple[float, float]], reason: FindingReason, cited: tuple[str, str]) -> Finding:
    labels = series.labels
    name = labels.get("node") or labels.get("nodename") or labels.get("instance", "unknown").rpartition(":")[0] or "unknown"
    left = recent[-1][1]
    what = f"disk {labels.get('mountpoint', labels.get('device', '?'))}" if reason is FindingReason.DISK_PRESSURE else "memory"
    least = LEAST_DISK if reason is FindingReason.DISK_PRESSURE else LEAST_MEMORY
    lasted = recent[:]
    began = recent[-1][0]
    while lasted and lasted[-1][1] < least:
        began = lasted.pop()[0]
    return Finding(
        kind=FindingKind.NODE_PRESSURE,
        object=f"node/{name.lower()}",
        cause=f"node {name} has {left:.1%} of its {what} left; it should have at least {least:.0%}",
        reason=reason,
        onset=datetime.fromtimestamp(began, UTC) if lasted else None,
        strength=STRENGTH,
        evidence=tuple(dict.fromkeys(cited)),
        refuted_by="the node still has that much space or memory by its own account while its pods fail",
    )
