"""Cases of a routing file: who is meant to get an alert with these labels. Held against the decision and against the rendered tree.

- labels: {alert_type: tool, tool_name: crm}
  receiver: pd-integration-owners
  owner: crm                           # may be left out
  group: ...                           # may be left out; as `sre-agent route` prints it
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import Alert
from sre_agent.routing.decide import decide
from sre_agent.routing.file import Routing
from sre_agent.routing.memory import Memory
from sre_agent.routing.signals import Signals
from sre_agent.routing.tree import VIA_FALLBACK, Node, receiver_of

_ANY_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Who gets an alert does not depend on the time."""


class Expected(BaseModel):
    """One case. `labels` with via="fallback" are a copy's, which never comes to the agent: only the tree is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: dict[str, str]
    receiver: str
    owner: str | None = None
    group: str | None = None


def differences(case: Expected, routing: Routing, root: Node) -> Iterator[str]:
    """What is not as the case says, in words; nothing when all is. `root` is the routing file's tree (`tree_of`)."""
    tree = receiver_of(root, case.labels)
    if VIA_FALLBACK.holds(case.labels):
        if case.owner is not None or case.group is not None:
            yield "owner and group are the agent's, and a copy never comes to it: leave them out"
    else:
        routed = decide([Alert(labels=case.labels)], Signals(), routing, Memory(), _ANY_TIME)
        pairs = (
            ("receiver", case.receiver, routed.receiver),
            ("owner", case.owner, routed.owner),
            ("group", case.group, routed.group),
        )
        for what, wanted, found in pairs:
            if wanted is not None and wanted != found:
                rules = f" (rules: {', '.join(routed.rule_ids)})" if what != "group" else ""
                yield f"{what} {wanted!r} is expected, the routing file says {found!r}{rules}"
    if tree != case.receiver:
        yield f"receiver {case.receiver!r} is expected, Alertmanager's rendered tree leads to {tree!r}"
