"""CERTIFICATE_EXPIRED from what watches certificates: cert-manager's Certificates, and the expiry times that exporters measure.

Pure. What clients write of certificates in their logs is in dependencies.py. Metric names: cert-manager's controller, and
https://github.com/prometheus/blackbox_exporter. Certificate fields: cert-manager.io/v1.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes.service_map import place
from sre_agent.evidence.kubernetes.state import condition, dig, instant, terminating, text
from sre_agent.evidence.view import EvidenceView

STRENGTH = 0.6
_EXPIRES = {
    "certmanager_certificate_expiration_timestamp_seconds": "name",
    "probe_ssl_earliest_cert_expiry": "instance",
    "x509_cert_not_after": "subject_CN",
}
"""Metric -> the label that names the certificate; the value is a unix time in seconds."""


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding a certificate that is not valid now, by name. One that only expires soon is none."""
    found: dict[tuple[str, str], Finding] = {}
    for finding in (*_objects(view), *_metrics(view)):
        found.setdefault((finding.namespace or "", finding.object), finding)
    return tuple(found[key] for key in sorted(found))


def _objects(view: EvidenceView) -> Iterator[Finding]:
    for evidence_id, item in view.objects("Certificate"):
        told = condition(item, "Ready")
        ends = instant(dig(item, "status", "notAfter"))
        expired = ends is not None and ends <= view.scope.now
        if terminating(item) or not (expired or (text(told, "status") == "False" and not _renews(ends, view.scope.now))):
            continue
        said = text(told, "message")[:160] or text(told, "reason") or "not ready"
        until = f"it was valid until {ends.isoformat()}" if ends is not None and expired else f"it is not ready: {said}"
        since = ends if expired else instant(dig(told, "lastTransitionTime"))
        yield _finding(place(item)[1], place(item)[0], f"certificate {place(item)[1]} is not valid: {until}", since, evidence_id)


def _renews(ends: datetime | None, now: datetime) -> bool:
    """A certificate that is being renewed is not ready for a while, and serves on."""
    return ends is not None and ends > now


def _metrics(view: EvidenceView) -> Iterator[Finding]:
    for metric, label in _EXPIRES.items():
        for evidence_id, series in view.series(metric):
            points = series.finite()
            if not points or not 1e8 < points[-1][1] <= view.scope.now.timestamp():
                continue
            name, ends = series.labels.get(label) or "unknown", datetime.fromtimestamp(points[-1][1], UTC)
            namespace = series.labels.get("exported_namespace") or series.labels.get("namespace") or ""
            cause = f"certificate {name} is not valid: it was valid until {ends.isoformat()}"
            yield _finding(name, namespace, cause, ends, evidence_id)


def _finding(name: str, namespace: str, cause: str, since: datetime | None, evidence_id: str) -> Finding:
    return Finding(
        kind=FindingKind.CERTIFICATE_EXPIRED,
        object=f"certificate/{name.lower().replace('/', '-')[:100]}",
        namespace=namespace or None,
        cause=cause[:400],
        onset=since,
        strength=STRENGTH,
        evidence=(evidence_id,),
        refuted_by="the server presents a newer certificate than the one that is watched",
    )
