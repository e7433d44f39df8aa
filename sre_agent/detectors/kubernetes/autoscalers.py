"""AUTOSCALER_AT_LIMIT and AUTOSCALER_BLIND: an autoscaler that may not, or cannot, do what it is for.

Pure. An autoscaler at its maximum whose metrics are at their target does its work; one that has only just begun has no metrics yet.
Where pods of what it scales are in trouble, that is the cause, and only an alert about the autoscaler itself makes it speak.
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.alerted import named_by_alert
from sre_agent.evidence.kubernetes.cluster_room import quantity
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import JsonObject, condition, dig, entries, instant, number, terminating, text
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

ABOVE = 1.1
NEW = timedelta(minutes=5)
NAMED, AT_LIMIT, BLIND = 0.88, 0.7, 0.6


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding an autoscaler, strongest first."""
    found = []
    for evidence_id, scaler in view.objects("HorizontalPodAutoscaler"):
        quiet = terminating(scaler) or (_sick(scaler, view) and not _named(scaler, view))
        made = None if quiet else _blind(evidence_id, scaler, view) or _at_limit(evidence_id, scaler, view)
        if made is not None:
            found.append((("HorizontalPodAutoscaler", made.namespace or "", made.object), made))
    return foremost(found)


def _sick(scaler: JsonObject, view: EvidenceView) -> bool:
    """Whether pods of what it scales are in trouble: their cause comes before their number."""
    namespace, target = text(scaler, "metadata", "namespace"), text(scaler, "spec", "scaleTargetRef", "name")
    return any(
        text(p, "metadata", "namespace") == namespace
        and text(p, "metadata", "name").startswith(f"{target}-")
        and readings.trouble_of(p, view) is not None
        for _, p in view.objects("Pod")
    )


def _blind(evidence_id: str, scaler: JsonObject, view: EvidenceView) -> Finding | None:
    active, able = condition(scaler, "ScalingActive"), condition(scaler, "AbleToScale")
    bad = active if text(active, "status") == "False" else able if text(able, "reason") == "FailedGetScale" else None
    if bad is None or text(bad, "status") != "False" or text(bad, "reason") == "ScalingDisabled":
        return None
    since = instant(bad.get("lastTransitionTime"))
    made = instant(dig(scaler, "metadata", "creationTimestamp"))
    if any(at is not None and view.scope.now - at < NEW for at in (since, made)):
        return None
    target = text(scaler, "spec", "scaleTargetRef", "name")
    said = one_line(text(bad, "message"), 300)
    gone = text(bad, "reason") == "FailedGetScale"
    what = (
        f"cannot find what it scales, {text(scaler, 'spec', 'scaleTargetRef', 'kind')} {target}"
        if gone
        else "cannot read its metrics"
    )
    strength = NAMED if _named(scaler, view) else BLIND
    words = f"the autoscaler of {target} {what} ({text(bad, 'reason')}): {said}"
    return _finding(FindingKind.AUTOSCALER_BLIND, (evidence_id, scaler), words, None, strength).model_copy(update={"onset": since})


def _at_limit(evidence_id: str, scaler: JsonObject, view: EvidenceView) -> Finding | None:
    limited = condition(scaler, "ScalingLimited")
    most = number(scaler, "spec", "maxReplicas")
    wants_more = text(limited, "status") == "True" and text(limited, "reason") == "TooManyReplicas"
    if not wants_more or not most or number(scaler, "status", "currentReplicas") < most:
        return None
    above = _above(scaler)
    named = _named(scaler, view)
    if above is None and not named:
        return None
    target = text(scaler, "spec", "scaleTargetRef", "name")
    words = f"the autoscaler of {target} is at its maximum of {most} replicas and wants more" + (f": {above}" if above else "")
    strength = NAMED if named else AT_LIMIT
    return _finding(FindingKind.AUTOSCALER_AT_LIMIT, (evidence_id, scaler), words, R.OVERLOADED, strength).model_copy(
        update={"onset": instant((limited or {}).get("lastTransitionTime"))}
    )


def _above(scaler: JsonObject) -> str | None:
    """ "cpu is at 180 % of 60 %": the first metric that is clearly above its target; None when none is."""
    targets = {_name(m): m for m in entries(scaler, "spec", "metrics")}
    for current in entries(scaler, "status", "currentMetrics"):
        wanted = targets.get(_name(current))
        part = text(current, "type")[:1].lower() + text(current, "type")[1:]
        for field, unit in (("averageUtilization", " %"), ("averageValue", ""), ("value", "")):
            now, limit = (quantity(dig(m, part, key, field)) for m, key in ((current, "current"), (wanted, "target")))
            if now is not None and limit and now >= limit * round(ABOVE * 10) / 10:
                return (
                    f"{_name(current)[1]} is at {dig(current, part, 'current', field)}{unit}, its target is {float(limit):g}{unit}"
                )
    return None


def _name(metric: JsonObject) -> tuple[str, str]:
    kind = text(metric, "type")
    part = metric.get(kind[:1].lower() + kind[1:])
    return kind, text(part, "name") or text(part, "metric", "name")


def _named(scaler: JsonObject, view: EvidenceView) -> bool:
    return named_by_alert(view.scope.incident, text(scaler, "metadata", "name"), text(scaler, "spec", "scaleTargetRef", "name"))


def _finding(kind: FindingKind, scaler: tuple[str, JsonObject], cause: str, reason: R | None, strength: float) -> Finding:
    return Finding(
        kind=kind,
        object=f"hpa/{text(scaler[1], 'metadata', 'name').lower()}",
        namespace=text(scaler[1], "metadata", "namespace") or None,
        cause=cause,
        reason=reason,
        strength=strength,
        evidence=(scaler[0],),
        refuted_by="it reads its metrics and has replicas to spare",
    )
