"""PagerDuty alert objects as senders fill them: the wire shapes in which Alertmanager and Grafana put labels."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

Labels = Mapping[str, str]


class AlertShape(StrEnum):
    """How labels are written into an alert's custom details.

    ARRAY: Alertmanager >= 0.30. JSON_STRING: the same as a string. TEXT: Alertmanager <= 0.29. GRAFANA: its text.
    LISTED: a list like YAML. EXPLICIT: the labels themselves as custom details. REMOVED: too large, details dropped.
    """

    ARRAY = "array"
    JSON_STRING = "json_string"
    TEXT = "text"
    GRAFANA = "grafana"
    LISTED = "listed"
    EXPLICIT = "explicit"
    REMOVED = "removed"


def custom_details(shape: AlertShape, firing: Sequence[Labels], resolved: Sequence[Labels], at: datetime) -> dict[str, Any]:
    """The custom details of one alert that holds these label sets."""
    if shape is AlertShape.REMOVED:
        return {"error": "Custom details have been removed because the original event exceeds the maximum size of 512KB"}
    if shape is AlertShape.EXPLICIT:
        return dict([*firing, *resolved][0])
    counts = {"num_firing": len(firing), "num_resolved": len(resolved)}
    if shape is AlertShape.ARRAY:
        return {"firing": _objects(firing, "firing", at), "resolved": _objects(resolved, "resolved", at), **counts}
    written = {AlertShape.JSON_STRING: _json, AlertShape.TEXT: _text, AlertShape.GRAFANA: _grafana, AlertShape.LISTED: _listed}[
        shape
    ]
    as_text = {name: str(count) for name, count in counts.items()}
    return {"firing": written(firing, "firing", at), "resolved": written(resolved, "resolved", at), **as_text}


def alert_object(
    identity: str, incident: Mapping[str, Any], details: Mapping[str, Any], summary: str, at: datetime
) -> dict[str, Any]:
    """A REST alert around custom details."""
    key = hashlib.sha256(f"{incident['id']}/{identity}".encode()).hexdigest()
    return {
        "id": identity,
        "type": "alert",
        "status": "triggered",
        "severity": "critical",
        "alert_key": key,
        "created_at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "summary": summary,
        "suppressed": False,
        "integration": None,
        "service": incident["service"],
        "incident": {
            "id": incident["id"],
            "type": "incident_reference",
            "summary": f"[#{incident['incident_number']}] {incident['title']}",
        },
        "body": {
            "type": "alert_body",
            "contexts": [],
            "details": details,
            "cef_details": {
                "client": "Alertmanager",
                "dedup_key": key,
                "description": summary,
                "severity": "critical",
                "details": details,
            },
        },
    }


def _objects(alerts: Sequence[Labels], status: str, at: datetime) -> list[dict[str, Any]]:
    return [
        {
            "status": status,
            "labels": dict(labels),
            "annotations": {"summary": f"{labels.get('alertname', 'alert')} is {status}"},
            "startsAt": at.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else at.isoformat(),
            "generatorURL": "http://prometheus.test/graph?g0.expr=up+%3D%3D+0",
            "fingerprint": hashlib.sha256(json.dumps(dict(labels), sort_keys=True).encode()).hexdigest()[:16],
        }
        for labels in alerts
    ]


def _json(alerts: Sequence[Labels], status: str, at: datetime) -> str:
    return json.dumps(_objects(alerts, status, at))


def _text(alerts: Sequence[Labels], status: str, at: datetime) -> str:
    return "".join(
        f"Labels:\n{_pairs(a['labels'])}Annotations:\n{_pairs(a['annotations'])}Source: {a['generatorURL']}\n"
        for a in _objects(alerts, status, at)
    )


def _grafana(alerts: Sequence[Labels], status: str, at: datetime) -> str:
    links = (
        "Silence: https://grafana.test/silence\nDashboard: https://grafana.test/d/1\nPanel: https://grafana.test/d/1?viewPanel=2\n"
    )
    return "".join(f"\nValue: A=93.2, C=1\n{_text([labels], status, at)}{links}" for labels in alerts)


def _listed(alerts: Sequence[Labels], _status: str, _at: datetime) -> str:
    return "".join("- " + "\n  ".join(f"{k}: {v}" for k, v in labels.items()) + "\n" for labels in alerts)


def _pairs(labels: Labels) -> str:
    """Sorted, the rule's name first, as Go's SortedPairs gives them."""
    ordered = sorted(labels.items(), key=lambda pair: (pair[0] != "alertname", pair[0]))
    return "".join(f" - {name} = {value}\n" for name, value in ordered)
