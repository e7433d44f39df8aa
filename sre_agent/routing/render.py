"""The routing file as Alertmanager's configuration, byte for byte the same for the same file.

Receivers that the routing file names hand over to the agent; their twins with "-fallback" page a team through PagerDuty without it.
Source of the format: https://prometheus.io/docs/alerting/latest/configuration/
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sre_agent.routing.file import Routing
from sre_agent.routing.matcher import Matcher
from sre_agent.routing.tree import FALLBACK, Node, receivers_of, tree_of

MOST_ALERTS: Final = 1_000
"""Alerts in one delivery: a body stays far below what the door takes."""

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_UNSAFE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_HEAD: Final = """\
# Written by `sre-agent routes render` from the routing file: change that one, and render again.
# It needs Prometheus' rules of docs/doors.md, "When the agent is down": they fire copies of alerts (via="fallback") while
# the agent is silent, and those page without it.
"""


@dataclass(frozen=True)
class Ends:
    """Where the configuration leads. `url`: the agent's door; `token_file`: its token; `keys`: the folder of PagerDuty's routing
    keys, one file `RECEIVER.key` for each receiver. Files and folder as Alertmanager sees them."""

    url: str
    token_file: str
    keys: str


def rendered(routing: Routing, ends: Ends) -> str:
    """The whole file. Raises ValueError for what Alertmanager would not take: a matcher, a label's name, a receiver's name."""
    root = tree_of(routing)
    # Every receiver of the file is there, also one that no route leads to: it may be used by hand.
    named = dict.fromkeys((*receivers_of(root), *routing.receivers))
    twins = [f"{name}{FALLBACK}" for name in named if not name.endswith(FALLBACK)]
    for name in (routing.default_receiver, *routing.receivers, *(route.receiver for route in routing.routes)):
        if name.endswith(FALLBACK) or not name:
            raise ValueError(f"the receiver {name!r} must have a name that does not end with {FALLBACK!r}: give it another one")
    lines = [*_route(root, 1), "receivers:"]
    for name in (*(n for n in named if not n.endswith(FALLBACK)), *twins):
        lines += _receiver(name, ends)
    return f"{_HEAD}route:\n" + "\n".join(lines) + "\n"


def matcher_text(one: Matcher) -> str:
    """A matcher as Alertmanager reads it back."""
    escaped = one.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{one.name}{one.operator}"{escaped}"'


def _route(node: Node, depth: int) -> Iterator[str]:
    pad = "  " * depth
    yield f"{pad}receiver: {_scalar(node.receiver)}"
    if node.matchers:
        yield f"{pad}matchers:"
        yield from (f"{pad}  - {_scalar(matcher_text(one))}" for one in node.matchers)
    if node.group_by:
        for label in node.group_by:
            if not _LABEL.fullmatch(label):
                raise ValueError(f"group_by names {label!r}, which can be no label: write letters, digits and _")
        yield f"{pad}group_by: [{', '.join(_scalar(label) for label in node.group_by)}]"
    if depth == 1:
        # Recovery must be heard of within the three minutes that a model alert is held.
        yield from (f"{pad}{key}" for key in ("group_wait: 10s", "group_interval: 30s", "repeat_interval: 4h"))
    if node.routes:
        yield f"{pad}routes:"
        for child in node.routes:
            first, *rest = _route(child, depth + 2)
            yield f"{pad}  # {_comment(child.why)}"
            yield f"{pad}  - {first.strip()}"
            yield from rest


def _receiver(name: str, ends: Ends) -> Iterator[str]:
    yield f"  - name: {_scalar(name)}"
    if name.endswith(FALLBACK):
        key = f"{ends.keys.rstrip('/')}/{name.removesuffix(FALLBACK)}.key"
        yield from ("    pagerduty_configs:", f"      - routing_key_file: {_scalar(key)}", "        send_resolved: true")
        return
    yield from (
        "    webhook_configs:",
        f"      - url: {_scalar(ends.url)}",
        "        send_resolved: true",
        f"        max_alerts: {MOST_ALERTS}",
        "        http_config:",
        "          authorization:",
        "            type: Bearer",
        f"            credentials_file: {_scalar(ends.token_file)}",
    )


def _scalar(text: str) -> str:
    """In single quotes where that says all of it, else in double ones."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return _UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text, ensure_ascii=False))


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
