"""Which series belong to an incident's subject, as bare PromQL selectors made of its alerts' labels. Pure."""

import re
from collections.abc import Iterator

from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident

MAX_SELECTORS = 12
# Label sets that name one subject, most specific first; the first that an alert carries in full wins within its group.
IDENTITIES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("namespace", "pod"), ("namespace", "deployment"), ("namespace", "statefulset"), ("namespace", "daemonset")),
    (("redis_master",),),
    (("tool_name",),),
    (("prompt",), ("prompt_name",)),
    (("model",), ("provider",)),
    (("node",),),
    (("service",), ("queue",)),
)
_WORKLOADS = ("deployment", "statefulset", "daemonset")


def selectors_of(incident: Incident) -> tuple[str, ...]:
    """Each distinct identity as a selector such as `{redis_master="cache"}`, in the alerts' order, MAX_SELECTORS at most."""
    found = dict.fromkeys(selector for alert in incident.alerts for selector in _identities(alert))
    return tuple(found)[:MAX_SELECTORS]


def _identities(alert: Alert) -> Iterator[str]:
    labels = {k: v for k, v in alert.labels.items() if v}
    for group in IDENTITIES:
        chosen = next((names for names in group if all(n in labels for n in names)), None)
        if chosen is None:
            continue
        yield "{" + ",".join(f'{n}="{_escape(labels[n])}"' for n in chosen) + "}"
        if chosen[-1] in _WORKLOADS:
            # cAdvisor and kube-state-metrics label a workload's pods with the pod's name only.
            pods = _escape(re.escape(labels[chosen[-1]]) + "-.+")
            yield f'{{namespace="{_escape(labels["namespace"])}",pod=~"{pods}"}}'


def _escape(value: str) -> str:
    """A label value inside PromQL double quotes. Text from an alert can never end the string it is in."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
