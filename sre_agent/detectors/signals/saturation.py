"""DEPLOYMENT_SATURATED: all replicas of a Deployment are ready and have used up what they have for five minutes.

Pure. Read are gauges of a share in use, 0 to 1, by the naming of Prometheus and OpenTelemetry: ..._utilization,
..._saturation, ..._usage_ratio (https://prometheus.io/docs/practices/naming/). Memory is left out: what fills up without
more work is a leak, and more replicas would only hide it.
"""

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from statistics import median

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.deployment_surroundings import DeploymentSurroundings
from sre_agent.evidence.kubernetes.state import text
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

TARGET = 0.8
HELD_FOR = timedelta(minutes=5)
FRESH = timedelta(minutes=3)
MIN_SAMPLES = 5
_SHARE = re.compile(r"(utili[sz]ation|saturation|usage|in_use)(_ratio)?$")
_HIDES_A_LEAK = re.compile(r"memory|heap|disk|filesystem|volume", re.IGNORECASE)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding a Deployment, strongest first."""
    found: dict[str, Finding] = {}
    for evidence_id, seen in readings.deployments(view) if next(view.series(), None) else ():
        if not seen.settled or seen.replicas < 1 or seen.ready_pods != seen.replicas:
            continue
        if full := _used_up(seen, view):
            found[text(seen.deployment, "metadata", "uid")] = _finding(evidence_id, seen, full)
    return tuple(sorted(found.values(), key=lambda f: (-f.strength, f.namespace or "", f.object)))


def _used_up(seen: DeploymentSurroundings, view: EvidenceView) -> dict[str, list[tuple[str, Series]]]:
    """Metric name -> its series, where it is held above TARGET by the Deployment as a whole, or by every one of its pods."""
    name, namespace = (text(seen.deployment, "metadata", k) for k in ("name", "namespace"))
    pods = {text(p, "metadata", "name") for p in seen.pods}
    whole: dict[str, list[tuple[str, Series]]] = defaultdict(list)
    each: dict[str, list[tuple[str, Series]]] = defaultdict(list)
    for evidence_id, series in view.series():
        labels = series.labels
        if labels.get("namespace") != namespace or not _SHARE.search(series.name) or _HIDES_A_LEAK.search(series.name):
            continue
        if labels.get("pod") in pods:
            each[series.name].append((evidence_id, series))
        elif labels.get("deployment") == name and "pod" not in labels:
            whole[series.name].append((evidence_id, series))
    full = {metric: told for metric, told in whole.items() if all(_held(s, view.scope.now) for _, s in told)}
    for metric, told in each.items():
        if {s.labels["pod"] for _, s in told} == pods and all(_held(s, view.scope.now) for _, s in told):
            full.setdefault(metric, told)
    return full


def _held(series: Series, now: datetime) -> bool:
    """Every sample of the last HELD_FOR is above TARGET and a share, and they reach up to now."""
    since = (now - HELD_FOR).timestamp()
    recent = [(t, v) for t, v in series.finite() if since <= t <= now.timestamp()]
    if len(recent) < MIN_SAMPLES or now.timestamp() - recent[-1][0] > FRESH.total_seconds():
        return False
    return all(TARGET < v <= 1.5 for _, v in recent)


def _finding(evidence_id: str, seen: DeploymentSurroundings, full: dict[str, list[tuple[str, Series]]]) -> Finding:
    name, namespace = (text(seen.deployment, "metadata", k) for k in ("name", "namespace"))
    told = [pair for metric in sorted(full) for pair in full[metric]]
    now_at = {metric: median(s.finite()[-1][1] for _, s in full[metric]) for metric in full}
    said = ", ".join(f"{metric} {now_at[metric]:.0%}" for metric in sorted(full))
    return Finding(
        kind=FindingKind.DEPLOYMENT_SATURATED,
        object=f"deployment/{name.lower()}",
        namespace=namespace or None,
        cause=f"all {seen.replicas} replicas of deployment {name} are ready and used up for 5 minutes: {said}",
        onset=min((_since(s) for _, s in told), default=None),
        strength=0.82 if len(full) == 1 else 0.87,
        evidence=tuple(dict.fromkeys([evidence_id, *(i for i, _ in told)])),
        refuted_by="the same replicas carried the same request rate before, or they wait for something behind them",
    )


def _since(series: Series) -> datetime:
    """When the present stretch above TARGET began."""
    points = series.finite()
    began = points[-1][0]
    for t, v in reversed(points):
        if v <= TARGET:
            break
        began = t
    return datetime.fromtimestamp(began, UTC)
