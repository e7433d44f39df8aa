"""Label and field selectors of list calls, as strings."""

import re
from typing import Any

from sre_agent.testing.kubernetes.status import ApiError, unimplemented

_SET = re.compile(r"^(?P<key>[\w./-]+)\s+(?P<op>in|notin)\s+\((?P<values>[^)]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[\w./-]+)\s*(?P<op>==|=|!=)\s*(?P<value>[\w./-]*)$")
_EXISTS = re.compile(r"^(?P<absent>!?)(?P<key>[\w./-]+)$")
_COMMA = re.compile(r",(?![^(]*\))")
# Field selectors an API server knows, per kind; every other one is a 400 there too.
_FIELDS = {
    "Pod": {"metadata.name", "metadata.namespace", "spec.nodeName", "status.phase", "spec.restartPolicy"},
    "Event": {
        "metadata.name",
        "metadata.namespace",
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.uid",
        "type",
        "reason",
    },
}


def labels_match(selector: str, labels: dict[str, str]) -> bool:
    """Whether labels satisfy "a=b,c in (d,e),!f"."""
    return all(_one(part.strip(), labels) for part in _COMMA.split(selector) if part.strip())


def _one(part: str, labels: dict[str, str]) -> bool:
    if found := _SET.match(part):
        values = {v.strip() for v in found["values"].split(",")}
        inside = labels.get(found["key"]) in values
        return inside if found["op"] == "in" else not inside
    if found := _EQUALITY.match(part):
        equal = labels.get(found["key"]) == found["value"]
        return not equal if found["op"] == "!=" else equal
    if found := _EXISTS.match(part):
        return (found["key"] in labels) != bool(found["absent"])
    raise ApiError(400, f"unable to parse requirement: {part!r}")


def fields_match(selector: str, kind: str, item: dict[str, Any]) -> bool:
    """Whether an object satisfies "spec.nodeName=n1,status.phase!=Running"."""
    for part in filter(None, (p.strip() for p in selector.split(","))):
        found = re.match(r"^(?P<path>[\w.]+)\s*(?P<op>==|=|!=)\s*(?P<value>.*)$", part)
        if not found:
            raise ApiError(400, f"invalid field selector: {part!r}")
        if found["path"] not in _FIELDS.get(kind, {"metadata.name", "metadata.namespace"}):
            raise ApiError(400, f"field label not supported: {found['path']}")
        value: Any = item
        for key in found["path"].split("."):
            value = value.get(key, "") if isinstance(value, dict) else ""
        if (str(value) == found["value"]) == (found["op"] == "!="):
            return False
    return True


def selector_matches(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    """A LabelSelector object (PDBs, ReplicaSets): {} matches everything, None nothing. policy/v1."""
    if selector is None:
        return False
    if selector.get("matchExpressions"):
        raise unimplemented("matchExpressions in a stored selector")
    return all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items())
