"""POD_MEMORY_GROWS and POD_CPU_THROTTLED: a container on its way to its memory limit, or held back at its CPU limit, by metrics.

Pure. Growth is the slope of Theil and Sen (Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", 1968) over
the time since the container's last restart: a jump to a level that stays is no growth. A cache that fills half its limit is none
either. Throttling is the share of CFS periods in which the container was held back; a share that was there before the onset is how
it always is. Metrics: cAdvisor's container_memory_working_set_bytes and container_cpu_cfs_*, the limits of kube-state-metrics, else
of the pod's spec.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from statistics import median

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.cluster_room import quantity
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import dig, entries, text
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.rates import increases
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MEMORY = "container_memory_working_set_bytes"
THROTTLED, PERIODS = "container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total"
LIMITS = "kube_pod_container_resource_limits"
MIN_POINTS, MOST_POINTS = 8, 40
NEAR, GREW, STEADY, SOON_S = 0.75, 0.15, 0.85, 3600.0
"""Of the limit: how full, and by how much it grew; share of pairs that rise; when it would be full."""
HELD_BACK, HARD, WORSE = 0.25, 0.5, 1.5
Where = tuple[str, str, str]
"""(namespace, pod, container)."""


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding of each kind a container, strongest first."""
    owners = readings.owners(view)
    pods = {(text(p, "metadata", "namespace"), text(p, "metadata", "name")): p for _, p in view.objects("Pod")}
    found: list[tuple[Owner, Finding]] = []
    for finding in (*_growing(view), *_throttled(view)):
        name = finding.object.partition("/")[2]
        pod = pods.get((finding.namespace or "", name))
        found.append((owners.of_pod(pod) if pod is not None else ("Pod", finding.namespace or "", name), finding))
    return foremost(found)


def _growing(view: EvidenceView) -> Iterator[Finding]:
    limits = _memory_limits(view) if next(view.series(MEMORY), None) else {}
    for evidence_id, series in view.series(MEMORY):
        where = _where(series)
        limit = limits.get(where)
        if limit is None or limit[0] <= 0:
            continue
        points = _last_run(series.finite())
        first, last = (points[0][1], points[-1][1]) if points else (0.0, 0.0)
        if len(points) < MIN_POINTS or last - first < GREW * limit[0]:
            continue
        slope, steady = _trend(points)
        soon = slope > 0 and (limit[0] - last) / slope <= SOON_S
        if steady < STEADY or not (last >= NEAR * limit[0] or soon) or slope <= 0:
            continue
        minutes = max(0.0, (limit[0] - last) / slope / 60)
        yield _finding(
            FindingKind.POD_MEMORY_GROWS,
            where,
            f"container {where[2]} of pod {where[1]} uses {last / 1024**2:.0f} MiB of its limit of {limit[0] / 1024**2:.0f} MiB, "
            f"{(last - first) / 1024**2:.0f} MiB more than at first, and grows steadily: full in about {minutes:.0f} minutes",
            0.8 if last >= 0.9 * limit[0] else 0.7,
            [evidence_id, *([limit[1]] if limit[1] else [])],
        ).model_copy(update={"onset": datetime.fromtimestamp(points[0][0], UTC)})


def _memory_limits(view: EvidenceView) -> dict[Where, tuple[float, str]]:
    """(bytes, evidence id) by container: of the pods' specs, and of kube-state-metrics."""
    found: dict[Where, tuple[float, str]] = {}
    for evidence_id, pod in view.objects("Pod"):
        for c in entries(pod, "spec", "containers"):
            limit = quantity(dig(c, "resources", "limits", "memory"))
            if limit is not None:
                found[text(pod, "metadata", "namespace"), text(pod, "metadata", "name"), text(c, "name")] = (
                    float(limit),
                    evidence_id,
                )
    for evidence_id, series in view.series(LIMITS):
        points = series.finite()
        if series.labels.get("resource") == "memory" and points:
            found[_where(series)] = (points[-1][1], evidence_id)
    return found


def _where(series: Series) -> Where:
    labels = series.labels
    pod, container = labels.get("pod") or labels.get("pod_name", ""), labels.get("container") or labels.get("container_name", "")
    return labels.get("namespace", ""), pod, container


def _last_run(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """The samples since memory last fell by half, which is a restart; thinned to MOST_POINTS, the newest kept."""
    starts = [i for i in range(1, len(points)) if points[i][1] < 0.5 * points[i - 1][1]]
    run = points[starts[-1] :] if starts else points
    step = max(1, -(-len(run) // MOST_POINTS))
    return tuple(reversed(run[::-1][::step]))


def _trend(points: tuple[tuple[float, float], ...]) -> tuple[float, float]:
    """(units per second, share of rising pairs)."""
    slopes = [(b - a) / (u - t) for (t, a), (u, b) in combinations(points, 2) if u > t]
    return (median(slopes), sum(1 for s in slopes if s > 0) / len(slopes)) if slopes else (0.0, 0.0)


def _throttled(view: EvidenceView) -> Iterator[Finding]:
    periods = {_where(s): (i, s) for i, s in view.series(PERIODS)}
    onset = view.scope.onset.timestamp()
    for evidence_id, series in view.series(THROTTLED):
        where = _where(series)
        if where not in periods or not where[2]:
            continue
        held, whole = increases(series.finite()), dict(increases(periods[where][1].finite()))
        shares = [(t, h / whole[t]) for t, h in held if whole.get(t)]
        after = [s for t, s in shares if t >= onset] or [s for _, s in shares[-3:]]
        before = [s for t, s in shares if t < onset - 600]
        now = median(after) if after else 0.0
        usual = median(before) if before else None
        if now < HELD_BACK:
            continue
        worse = usual is None or now >= WORSE * usual
        yield _finding(
            FindingKind.POD_CPU_THROTTLED,
            where,
            f"container {where[2]} of pod {where[1]} was held back at its CPU limit in {now:.0%} of the periods"
            + (f", before the onset in {usual:.0%}" if usual is not None else ""),
            (0.75 if now >= HARD else 0.6) if worse else 0.4,
            [evidence_id, periods[where][0]],
        ).model_copy(update={"onset": view.scope.onset if worse and usual is not None else None})


def _finding(kind: FindingKind, where: Where, cause: str, strength: float, cited: list[str]) -> Finding:
    grows = kind is FindingKind.POD_MEMORY_GROWS
    return Finding(
        kind=kind,
        object=f"pod/{where[1].lower()}",
        namespace=where[0] or None,
        cause=cause,
        strength=strength,
        evidence=tuple(dict.fromkeys(cited)),
        refuted_by="its memory falls again without a restart" if grows else "it answers as slowly without a CPU limit",
    )
