"""Which alerts are one incident: those of one class that agree in the labels which the routing file names for it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from sre_agent.incident.alert import AlertClass
from sre_agent.routing.file import Routing
from sre_agent.triage.classify import LABEL

LONGEST: Final = 300
SLO: Final = "slo"
"""Generated burn-rate rules name their objective in this label."""
_CLASSES: Final = {c.value: c for c in (AlertClass.INFRA, AlertClass.MODEL, AlertClass.TOOL)}


def class_of(labels: Mapping[str, str]) -> AlertClass:
    """The class that one label set names exactly; UNKNOWN for anything else."""
    return _CLASSES.get(labels.get(LABEL, ""), AlertClass.UNKNOWN)


def group_of(labels: Mapping[str, str], routing: Routing) -> str:
    """`class:label="value",...` of the labels that are there and not empty; what is too long becomes its hash.

    A tool's alerts are one group for each tool_name. Without one they are grouped by what else is known of them: alerts of
    nobody's tool have nothing in common. Values are quoted, so that no value can look like another label.
    """
    kind = class_of(labels)
    names = routing.group_by.get(kind, ())
    if kind is AlertClass.TOOL and not labels.get("tool_name"):
        names = tuple(dict.fromkeys((*names, *routing.group_by.get(AlertClass.UNKNOWN, ()))))
    if labels.get(SLO):
        # The fast burn that pages and the slow one that writes a ticket tell of one objective.
        names = tuple(SLO if name == "alertname" else name for name in names)
    told = ",".join(f"{name}={json.dumps(labels[name], ensure_ascii=False)}" for name in names if labels.get(name))
    group = f"{kind.value}:{told}"
    if len(group) <= LONGEST:
        return group
    return f"{kind.value}:sha256={hashlib.sha256(group.encode('utf-8', 'replace')).hexdigest()}"
