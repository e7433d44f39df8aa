"""What Alertmanager sends to a webhook receiver, made here: groups that gain alerts and lose them, as bodies of version 4.

Shape and meaning of the fields: Prometheus documentation, "Alertmanager configuration", `<webhook_config>`. The group key is made
as Alertmanager makes it for a route without matchers: `{}:{name="value", ...}`, names in order.
"""

import hashlib
import heapq
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

WAIT, INTERVAL = timedelta(seconds=10), timedelta(seconds=30)
"""group_wait and group_interval as docs/doors.md sets them."""

NEVER = "0001-01-01T00:00:00Z"
"""How Alertmanager writes the end of what still fires."""


def group_key(labels: Mapping[str, str]) -> str:
    """The key of a group with these group labels."""
    return "{}:{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"


@dataclass
class AlertGroup:
    """One group at one Alertmanager. `by` are the group's labels; `alerts` what fires in it, `over` what has ended since the last
    notification (told once, as Alertmanager does)."""

    by: Mapping[str, str]
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    over: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fire(self, labels: Mapping[str, str], at: datetime, annotations: Mapping[str, str] | None = None) -> None:
        """An alert begins."""
        named = {**self.by, **labels}
        fingerprint = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]
        told = {
            "status": "firing",
            "labels": named,
            "annotations": dict(annotations or {}),
            "startsAt": _stamp(at),
            "endsAt": NEVER,
        }
        self.alerts[fingerprint] = {**told, "generatorURL": "http://prometheus/graph", "fingerprint": fingerprint}

    def resolve(self, at: datetime) -> None:
        """Everything that fires ends."""
        self.over |= {f: {**alert, "status": "resolved", "endsAt": _stamp(at)} for f, alert in self.alerts.items()}
        self.alerts = {}

    def notification(self, max_alerts: int = 0) -> dict[str, Any]:
        """The body of the next notification. `max_alerts`: as in the receiver's configuration, 0 for all."""
        told = [*self.alerts.values(), *self.over.values()]
        status = "firing" if self.alerts else "resolved"
        self.over = {}
        shown = told[:max_alerts] if max_alerts else told
        common = dict(set.intersection(*(set(a["labels"].items()) for a in told))) if told else {}
        return {
            "receiver": "sre-agent",
            "status": status,
            "alerts": shown,
            "groupLabels": dict(self.by),
            "commonLabels": common,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager:9093",
            "version": "4",
            "groupKey": group_key(self.by),
            "truncatedAlerts": len(told) - len(shown),
        }


def storm(
    alerts: int, groups: int, begun: datetime, lasting: timedelta, wait: timedelta = WAIT, interval: timedelta = INTERVAL
) -> Iterator[tuple[timedelta, bytes]]:
    """A storm as the webhook receiver sees it: (since its beginning, body), in time order. Alerts begin evenly over `lasting`, one
    group after the other; a group is notified `wait` (group_wait) after its first alert, and whenever `interval` (group_interval)
    has passed and more of it fires.
    """
    fired = [lasting * number / alerts for number in range(alerts)]
    growing = [AlertGroup({"alertname": f"Storm{n}", "alert_type": ("infra", "model", "tool")[n % 3]}) for n in range(groups)]
    due = [(fired[n] + wait, n) for n in range(groups)]
    told = [0] * groups
    number = 0
    heapq.heapify(due)
    while due:
        at, which = heapq.heappop(due)
        while number < alerts and fired[number] <= at:
            labels = {"tool_name": f"tool-{number % groups}", "namespace": f"ns-{number % groups}", "instance": f"host-{number}"}
            said = {"summary": f"alert {number} of a storm", "description": "x" * 200}
            growing[number % groups].fire(labels, begun + fired[number], said)
            number += 1
        group = growing[which]
        if len(group.alerts) > told[which]:
            told[which] = len(group.alerts)
            yield at, json.dumps(group.notification()).encode()
        if len(group.alerts) < len(range(which, alerts, groups)):
            heapq.heappush(due, (at + interval, which))


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
