"""What routing reads from alerts besides their class: plan, severity, cost, the measured value, how long the rule had waited."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.routing.file import SEVERITIES, Routing
from sre_agent.routing.matcher import all_hold

COST_RATIO: Final = "cost_ratio"
VALUE: Final = "value"
UNIT: Final = "unit"
WAITED: Final = "for"
PLAN: Final = "plan"

_SEVERITY: Final = re.compile(r"(?:sev|p)?-?\s*([1-5])", re.IGNORECASE)
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_MS: Final = {"ms": 1.0, "s": 1000.0, "seconds": 1000.0, "milliseconds": 1.0}


class Signals(BaseModel):
    """`plans` as told, `severity` "sev1" ... "sev5" or "". `cost`: it is a cost alert; `cost_ratio` is None where no usable ratio
    to a baseline was told. `value_ms` is what the rule measured, None where it was not told. `held_s`: for how many seconds the
    rule had held before the alert began (its `for`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plans: frozenset[str] = frozenset()
    severity: str = ""
    cost: bool = False
    cost_ratio: float | None = None
    value_ms: float | None = None
    held_s: float = 0.0


def signals_of(alerts: Sequence[Alert], routing: Routing) -> Signals:
    """What the alerts that fire say together (all of them where none does); of several numbers the worst for the customers."""
    alerts = [a for a in alerts if a.status is AlertStatus.FIRING] or alerts
    ratios = [usable_ratio(told) for told in _told(alerts, COST_RATIO)]
    costly = any(COST_RATIO in (*a.labels, *a.annotations) or _is_cost(a, routing) for a in alerts)
    known = [ratio for ratio in ratios if ratio is not None]
    severities = [s for a in alerts if (s := labelled_severity(a))]
    values = [v for a in alerts if (v := _value_ms(a)) is not None]
    return Signals(
        plans=frozenset(plan for a in alerts if (plan := a.labels.get(PLAN, "").strip())),
        severity=min(severities, default=""),
        cost=costly,
        cost_ratio=max(known, default=None),
        value_ms=max(values, default=None),
        held_s=max((_seconds(a.annotations.get(WAITED, "")) for a in alerts), default=0.0),
    )


def severity_of(told: object) -> str:
    """ "sev1" ... "sev5" of "SEV1", "sev-1", "P1", "1", 1; "" for anything else: Prometheus' page and ticket say nothing of it."""
    found = _SEVERITY.fullmatch(str(told).strip()) if not isinstance(told, bool) else None
    name = f"sev{found[1]}" if found else ""
    return name if name in SEVERITIES else ""


def labelled_severity(alert: Alert) -> str:
    """The worst of an alert's labels `sev` and `severity`; "" where neither is one."""
    return min(filter(None, (severity_of(alert.labels.get(name, "")) for name in ("sev", "severity"))), default="")


def joined(found: Sequence[Signals]) -> Signals:
    """What several alerts say together; of several numbers the worst for the customers."""
    return Signals(
        plans=frozenset[str]().union(*(s.plans for s in found)),
        severity=min(filter(None, (s.severity for s in found)), default=""),
        cost=any(s.cost for s in found),
        cost_ratio=max((s.cost_ratio for s in found if s.cost_ratio is not None), default=None),
        value_ms=max((s.value_ms for s in found if s.value_ms is not None), default=None),
        held_s=max((s.held_s for s in found), default=0.0),
    )


def usable_ratio(told: object) -> float | None:
    """A ratio to a baseline; None where there is no baseline: zero, missing, negative or not a number."""
    try:
        ratio = float(str(told))
    except ValueError:
        return None
    return ratio if math.isfinite(ratio) and ratio > 0 else None


def _told(alerts: Sequence[Alert], name: str) -> Iterator[str]:
    for alert in alerts:
        if name in alert.annotations:
            yield alert.annotations[name]
        elif name in alert.labels:
            yield alert.labels[name]


def _is_cost(alert: Alert, routing: Routing) -> bool:
    return any(all_hold(matchers, alert.labels) for matchers in routing.cost.matchers)


def _value_ms(alert: Alert) -> float | None:
    """The annotation `value` in the annotation `unit` (s or ms); without a unit it is said to be nothing."""
    told, factor = alert.annotations.get(VALUE, ""), _MS.get(alert.annotations.get(UNIT, "").strip().lower())
    try:
        value = float(told)
    except ValueError:
        return None
    return value * factor if factor is not None and math.isfinite(value) else None


def _seconds(told: str) -> float:
    """A Prometheus duration ("5m", "1h30m", "90s") in seconds; 0 for anything else."""
    found = _DURATION.fullmatch(told.strip())
    if found is None:
        return 0.0
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
