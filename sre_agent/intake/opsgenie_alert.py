"""One alert object of Opsgenie's or JSM's REST API into the label sets it holds.

Labels stand in the details (JSM: extra properties; Alertmanager puts the common ones there), in tags (`name:value` or
`name=value`) and, as Alertmanager writes them, in the description. What is said of PagerDuty's custom details holds here too (see
`alert_details`): a contradiction is kept as a second label set, so that triage says "mixed".

Source: Opsgenie REST API and JSM Operations REST API, "Get alert"; Alertmanager's template `opsgenie.default.description`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from sre_agent.incident.alert import Alert
from sre_agent.intake.alert_details import DECISIVE, alerts_from_rest
from sre_agent.intake.alert_text import read_label_sets
from sre_agent.intake.untrusted import fields, items, label_value, storable, text

LONGEST_DESCRIPTION: Final = 15_000
"""Characters that both systems keep of a description; of one this long the end may be missing."""

_TAG: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[:=](.*)", re.DOTALL)
_RESOLVED: Final = re.compile(r"^Alerts Resolved:[ \t]*$", re.MULTILINE)


def alerts_from_desk(raw: object, labels_in: str) -> tuple[Alert, ...]:
    """Every label set; at least one, with `labels_known` False if need be. `labels_in`: the key of the details."""
    shape = fields(raw)
    details = {
        name: label_value(value) for name, value in fields(shape.get(labels_in)).items() if not isinstance(value, dict | list)
    }
    lists = {name: value for name, value in fields(shape.get(labels_in)).items() if isinstance(value, dict | list)}
    tags = [(name, value) for tag in items(shape.get("tags")) for name, value in _tag(tag)]
    told: dict[str, object] = {**dict(reversed(tags)), **details, **lists}
    description = text(shape.get("description"), 1_000_000)
    cut = False
    if "firing" not in told and read_label_sets(description):
        told |= _described(description)
        cut = len(description) >= LONGEST_DESCRIPTION
    frame = {
        "id": shape.get("id"),
        "created_at": shape.get("createdAt"),
        "status": "resolved" if shape.get("status") == "closed" else "triggered",
        "summary": shape.get("message"),
        "body": {"details": told},
    }
    found = alerts_from_rest(frame)
    more = [found[0].model_copy(update={"labels": {**found[0].labels, name: value}}) for name, value in _against(tags, told)]
    if cut:
        more.append(found[0].model_copy(update={"labels": {}, "labels_known": False}))
    return (*found, *more)


def _tag(tag: object) -> Iterator[tuple[str, str]]:
    """A tag that is a label. Tags without a name and a value are words."""
    match = _TAG.fullmatch(storable(tag)) if isinstance(tag, str) else None
    if match:
        yield match[1], match[2]


def _described(description: str) -> dict[str, object]:
    """Alertmanager's description as the lists that PagerDuty gets from it."""
    parts = _RESOLVED.split(description, maxsplit=1)
    return {"firing": parts[0] if read_label_sets(parts[0]) else "", "resolved": parts[1] if len(parts) > 1 else ""}


def _against(tags: list[tuple[str, str]], told: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The tags that say something else than the details, or than the first tag of their name, where that matters."""
    for name, value in tags:
        if name in DECISIVE and told.get(name) != value:
            yield name, value
