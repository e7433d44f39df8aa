"""Faults inside the JSON that other tools answer with: traces (Jaeger, Tempo), firing alerts, states of managed databases. Pure.

Of a trace the span at fault is the deepest one that failed, else the one that took most of the whole by itself: what stands above
it only waited (https://www.jaegertracing.io/docs/ and the OTLP JSON encoding say how spans are written).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sre_agent.evidence.finding_kind import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.state import JsonObject, dig, instant
from sre_agent.evidence.told.report import Asked, Report

MOST, MOST_SPANS, QUOTE = 5, 5_000, 200
SLOW_MS, MOSTLY = 1_000.0, 0.6
_ON_PURPOSE = ("Watchdog", "InfoInhibitor", "DeadMansSwitch")
_LABELS = {
    "pod": "pod", "persistentvolumeclaim": "claim", "deployment": "deployment", "statefulset": "statefulset",
    "daemonset": "daemonset", "job_name": "job", "node": "node", "service": "service", "instance": "app", "namespace": "namespace",
}  # fmt: skip
_DATABASE_BAD = {
    "storage-full": (K.POSTGRES_DISK_FULL, R.DISK_FULL),
    "failed": (K.POSTGRES_DOWN, None),
    "stopped": (K.POSTGRES_DOWN, None),
    "inaccessible-encryption-credentials": (K.POSTGRES_DOWN, None),
    "incompatible-parameters": (K.POSTGRES_DOWN, None),
    "incompatible-network": (K.POSTGRES_DOWN, None),
}


class Span(NamedTuple):
    """One span, however it was written."""

    id: str
    parent: str
    service: str
    name: str
    ms: float
    failed: bool
    said: str


def json_reports(documents: list[Any], asked: Asked) -> list[Report]:
    """Everything that any reader finds in the documents."""
    return [r for d in documents for r in (*_traces(d, asked), *_alerts(d), *_databases(d), *_search_clusters(d))]


def _traces(document: Any, asked: Asked) -> Iterator[Report]:  # noqa: ARG001
    spans = {s.id: s for s in _spans(document)}
    if not spans:
        return
    above = {s.parent for s in spans.values() if s.failed}
    failed = [s for s in spans.values() if s.failed and s.id not in above]
    inside: dict[str, float] = {}
    for span in spans.values():
        inside[span.parent] = inside.get(span.parent, 0.0) + span.ms
    whole = max(s.ms for s in spans.values())
    for span in sorted(failed, key=lambda s: -s.ms)[:MOST]:
        said = f": {span.said[:QUOTE]}" if span.said else ""
        cause = f"in a trace, {span.name} of {span.service} failed after {span.ms:.0f} ms of {whole:.0f} ms{said}"
        yield Report(K.SERVICE_FAILING, f"service/{span.service}", cause)
    if not failed:
        own = max(spans.values(), key=lambda s: s.ms - inside.get(s.id, 0.0))
        alone = own.ms - inside.get(own.id, 0.0)
        if alone >= max(SLOW_MS, MOSTLY * whole):
            cause = f"in a trace, {own.name} of {own.service} took {alone:.0f} ms by itself, of {whole:.0f} ms in all"
            yield Report(K.SERVICE_SLOW, f"service/{own.service}", cause, R.SLOW)


def _spans(document: Any) -> Iterator[Span]:
    traces = document.get("data") if isinstance(document, dict) else None
    for trace in traces if isinstance(traces, list) else ():
        processes = trace.get("processes") if isinstance(trace, dict) else None
        for raw in (_dicts(trace.get("spans")) if isinstance(processes, dict) else ())[:MOST_SPANS]:
            yield _jaeger(raw, str(dig(processes, str(raw.get("processID")), "serviceName") or "unknown"))
    for key in ("batches", "resourceSpans"):
        for batch in _dicts(document.get(key)) if isinstance(document, dict) else ():
            service = str(_attributes(dig(batch, "resource", "attributes")).get("service.name", "unknown"))
            scopes = _dicts(batch.get("scopeSpans")) or _dicts(batch.get("instrumentationLibrarySpans"))
            yield from (_otlp(raw, service) for scope in scopes for raw in _dicts(scope.get("spans"))[:MOST_SPANS])


def _jaeger(raw: JsonObject, service: str) -> Span:
    tags = {str(t.get("key")): t.get("value") for t in _dicts(raw.get("tags"))}
    parent = next((str(r.get("spanID")) for r in _dicts(raw.get("references")) if r.get("refType") == "CHILD_OF"), "")
    said = tags.get("otel.status_description") or tags.get("error.message") or tags.get("exception.message") or ""
    code = tags.get("http.status_code")
    words = str(said or (f"HTTP {code}" if code else ""))
    failed = tags.get("error") in (True, "true") or (isinstance(code, int) and code >= 500)
    return Span(
        str(raw.get("spanID")), parent, service, str(raw.get("operationName")), _number(raw.get("duration")) / 1e3, failed, words
    )


def _otlp(raw: JsonObject, service: str) -> Span:
    failed = dig(raw, "status", "code") in (2, "STATUS_CODE_ERROR")
    ms = (_number(raw.get("endTimeUnixNano")) - _number(raw.get("startTimeUnixNano"))) / 1e6
    said = str(dig(raw, "status", "message") or _attributes(raw.get("attributes")).get("exception.message", ""))
    return Span(str(raw.get("spanId")), str(raw.get("parentSpanId") or ""), service, str(raw.get("name")), ms, failed, said)


def _attributes(told: Any) -> JsonObject:
    """OTLP's list of keys and typed values as a dictionary."""
    return {
        str(a.get("key")): next(iter(a["value"].values()), "")
        for a in _dicts(told)
        if isinstance(a.get("value"), dict) and a["value"]
    }


def _alerts(document: Any) -> Iterator[Report]:
    """Alerts that fire now: a list of Alertmanager's, or Prometheus' {"data": {"alerts": [...]}}."""
    listed = document if isinstance(document, list) else dig(document, "data", "alerts") if isinstance(document, dict) else None
    told = [a for a in _dicts(listed) if isinstance(a.get("labels"), dict) and a["labels"].get("alertname")]
    firing = [a for a in told if dig(a, "status", "state") == "active" or a.get("state") == "firing"]
    for alert in [a for a in firing if a["labels"]["alertname"] not in _ON_PURPOSE][:MOST]:
        labels = alert["labels"]
        where = next((f"{kind}/{labels[label]}" for label, kind in _LABELS.items() if labels.get(label)), "app/unknown")
        notes = alert.get("annotations")
        said = (
            next((str(notes[k]) for k in ("summary", "description", "message") if notes.get(k)), "")
            if isinstance(notes, dict)
            else ""
        )
        began = instant(alert.get("startsAt") or alert.get("activeAt"))
        cause = f"alert {labels['alertname']} fires for {where.replace('/', ' ')}" + (f": {said[:QUOTE]}" if said else "")
        yield Report(K.RELATED_ALERT, where, cause, None, began)


def _databases(document: Any) -> Iterator[Report]:
    instances = _dicts(document.get("DBInstances")) if isinstance(document, dict) else []
    for told in instances[:1000]:
        name, status = str(told.get("DBInstanceIdentifier")), str(told.get("DBInstanceStatus"))
        if (known := _DATABASE_BAD.get(status)) is None or "mysql" in str(told.get("Engine")):
            continue
        size = f", {told['AllocatedStorage']} GB allocated" if isinstance(told.get("AllocatedStorage"), int) else ""
        yield Report(known[0], f"postgres/{name}", f"database {name} is in state {status}{size}", known[1])


def _search_clusters(document: Any) -> Iterator[Report]:
    """An Elasticsearch or OpenSearch cluster that has lost primaries; yellow lacks only copies."""
    if isinstance(document, dict) and document.get("status") == "red" and "unassigned_shards" in document:
        name, nodes = document.get("cluster_name"), document.get("number_of_nodes")
        cause = f"search cluster {name} is red: {document['unassigned_shards']} unassigned shards, {nodes} nodes"
        yield Report(K.SERVICE_FAILING, f"app/{name}", cause)


def _dicts(told: Any) -> list[JsonObject]:
    return [d for d in told if isinstance(d, dict)] if isinstance(told, list) else []


def _number(told: Any) -> float:
    try:
        return float(told or 0)
    except (TypeError, ValueError):
        return 0.0
