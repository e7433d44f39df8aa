"""One rule as it stands in a file: its labels with their places, its expression as a tree."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sre_agent.rules.document import Document, Mapping, Node, Place, Scalar
from sre_agent.rules.promql.carried import Carried, carried
from sre_agent.rules.promql.parse import parse
from sre_agent.rules.promql.tokens import NotPromQL, seconds
from sre_agent.rules.promql.tree import Expression, selectors
from sre_agent.rules.recognise import RuleFile

TEMPLATE: Final = "{{"
PAGING: Final = frozenset({"page", "critical", "sev1", "sev2"})
"""Severities that wake somebody."""


@dataclass(frozen=True, eq=False)
class Rule:
    """One alerting or recording rule. The labels of its group (Prometheus 3) are its own too, but for those that it says itself."""

    document: Document
    node: Mapping
    group: Mapping

    @cached_property
    def alert(self) -> str:
        """The alert's name; "" for a recording rule."""
        return self.node.text("alert")

    @cached_property
    def record(self) -> str:
        """The recorded metric's name; "" for an alerting rule."""
        return self.node.text("record")

    @cached_property
    def place(self) -> Place:
        """Where the rule is named."""
        entry = self.node.entry("alert") or self.node.entry("record")
        return self.node.place if entry is None else entry.key.place

    @cached_property
    def labels(self) -> dict[str, Scalar]:
        """Its labels, those of its group included."""
        found = dict[str, Scalar]()
        for holder in (self.group, self.node):
            under = holder.mapping("labels")
            entries = () if under is None else under.entries
            found |= {e.key.text: e.value for e in entries if isinstance(e.value, Scalar)}
        return found

    @cached_property
    def expression(self) -> Scalar | None:
        """The expression as it is written; None when there is none."""
        found = self.node.get("expr")
        return found if isinstance(found, Scalar) else None

    @cached_property
    def tree(self) -> Expression | None:
        """The expression; None when it cannot be read."""
        return None if isinstance(self._parsed, NotPromQL) else self._parsed

    @cached_property
    def unreadable(self) -> NotPromQL | None:
        """Why the expression cannot be read; None when it can."""
        return self._parsed if isinstance(self._parsed, NotPromQL) else None

    @cached_property
    def _parsed(self) -> Expression | NotPromQL:
        try:
            return parse("" if self.expression is None else self.expression.text)
        except NotPromQL as wrong:
            return wrong

    @cached_property
    def carries(self) -> Carried:
        """The labels that its series bring along."""
        return Carried({}, others=True) if self.tree is None else carried(self.tree)

    def value(self, label: str) -> str | None:
        """What the alert's label will be: "" when it is certainly missing, None when only the data or a template will tell."""
        if label == "alertname":
            return self.alert
        own = self.labels.get(label)
        if own is None:
            return self.carries.value(label)
        return None if TEMPLATE in own.text else own.text

    def label_place(self, label: str) -> Place:
        """Where a label is said; where the rule is named when it is not."""
        own = self.labels.get(label)
        return self.place if own is None else own.place

    @cached_property
    def for_s(self) -> float | None:
        """Seconds that the condition must hold; None when it does not say."""
        return seconds(self.node.text("for")) if self.node.text("for") else None

    @cached_property
    def keep_s(self) -> float:
        """Seconds that the alert goes on after the condition ended."""
        return seconds(self.node.text("keep_firing_for"))

    @cached_property
    def annotations(self) -> dict[str, str]:
        """Its annotations as text."""
        under = self.node.mapping("annotations")
        return {} if under is None else {e.key.text: e.value.text for e in under.entries if isinstance(e.value, Scalar)}

    @cached_property
    def copies(self) -> bool:
        """It fires for other alerts (the series ALERTS) and takes its labels over from them, so that those say what they are."""
        named = [] if self.tree is None else [selector.name for selector in selectors(self.tree)]
        return bool(named) and set(named) <= {"ALERTS", "ALERTS_FOR_STATE"} and self.carries.others

    @cached_property
    def wakes(self) -> bool:
        """Its severity says that somebody is woken."""
        return (self.value("severity") or "").strip().casefold() in PAGING


def rules_of(file: RuleFile) -> Iterator[Rule]:
    """Every rule of a file that has the shape of one; what has not is the reading checks' to tell."""
    for group in file.holder.items("groups"):
        if isinstance(group, Mapping):
            for node in group.items("rules"):
                if isinstance(node, Mapping):
                    yield Rule(file.document, node, group)


def known(node: Node | None) -> str:
    """A scalar's text; "" for anything else."""
    return node.text if isinstance(node, Scalar) else ""
