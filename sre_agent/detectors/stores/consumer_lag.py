"""CONSUMER_LAGGING: a consumer group falls behind what is written to its topic, by the metrics of the common Kafka exporters.

Pure. Lag that is high and level is a consumer at work; lag that grows over the samples since the onset is one that falls behind.
Metric names: kafka_consumergroup_lag (danielqsj/kafka_exporter), kafka_consumergroup_group_lag (seglo/kafka-lag-exporter).
"""

from datetime import UTC, datetime
from statistics import median

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView

NAMES = ("kafka_consumergroup_lag_sum", "kafka_consumergroup_lag", "kafka_consumergroup_group_lag", "kafka_consumer_group_lag")
MIN_POINTS, LEAST = 4, 100.0
GROWN = 2.0
"""Times its median before, or, where nothing is known of before, its first value."""
STRENGTH = 0.6


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding per group and topic that falls behind, the greatest lag first."""
    onset = view.scope.onset.timestamp()
    found: dict[tuple[str, str], tuple[float, Finding]] = {}
    for name in NAMES:
        for evidence_id, series in view.series(name):
            points = series.finite()
            before = [v for t, v in points if t < onset]
            since = [(t, v) for t, v in points if t >= onset] or list(points[-MIN_POINTS:])
            if len(points) < MIN_POINTS or len(since) < 2:
                continue
            usual, last = median(before) if before else since[0][1], since[-1][1]
            # It grows still: the newest is the greatest, or nearly.
            if last < LEAST or last < GROWN * max(usual, 1.0) or last < 0.9 * max(v for _, v in since) or last <= since[0][1]:
                continue
            labels = series.labels
            group = labels.get("consumergroup") or labels.get("group") or labels.get("consumer_group") or "unknown"
            topic = labels.get("topic", "unknown")
            key = group, topic
            if key not in found or last > found[key][0]:
                began = next((t for t, v in since if v >= GROWN * max(usual, 1.0)), since[0][0])
                cause = (
                    f"consumer group {group} falls behind on topic {topic}: lag {last:.0f}, before it was {usual:.0f}, and it grows"
                )
                found[key] = last, _finding(topic, cause, began, evidence_id)
    return tuple(f for _, f in sorted(found.values(), key=lambda pair: (-pair[0], pair[1].object)))


def _finding(topic: str, cause: str, began: float, evidence_id: str) -> Finding:
    return Finding(
        kind=FindingKind.CONSUMER_LAGGING,
        object=f"queue/{topic.lower()}",
        cause=cause[:400],
        onset=datetime.fromtimestamp(began, UTC),
        strength=STRENGTH,
        evidence=(evidence_id,),
        refuted_by="the lag falls by itself, or the same group lags like this at the same hour every day",
    )
