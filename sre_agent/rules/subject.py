"""Everything that one run of the linter looks at, together: what a rule means depends on the routes, and the other way round."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from sre_agent.routing.file import Routing
from sre_agent.rules.recognise import AlertmanagerFile, Recognised, RuleFile
from sre_agent.rules.rule import Rule, rules_of
from sre_agent.rules.tree import Tree, Value, tree_of

OUR_OWN: Final = frozenset(
    {
        *("alertname", "alert_type", "team", "severity", "tool_name", "vertical", "plan", "prompt", "redis_master", "via"),
        *("namespace", "pod", "container", "deployment", "statefulset", "daemonset", "node", "job", "instance", "service", "queue"),
    }
)
"""Labels that say what an alert is about: they come from the rule, never from the Prometheus that it runs on."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What was read, the rules and route trees in it, and the routing file in force."""

    parts: tuple[Recognised, ...]
    routing: Routing
    rules: tuple[Rule, ...] = field(default=())
    trees: tuple[Tree, ...] = field(default=())

    @property
    def alerts(self) -> tuple[Rule, ...]:
        """The alerting rules."""
        return tuple(r for r in self.rules if r.alert)

    @cached_property
    def _said(self) -> frozenset[str]:
        """The labels that some alert says, or its expression speaks of."""
        return frozenset(name for rule in self.alerts for name in (*rule.labels, *rule.carries.named))

    def value_of(self, rule: Rule) -> Value:
        """The rule's labels as they arrive at Alertmanager. Prometheus may add external labels to every alert (`cluster`): what no
        rule speaks of and only a route asks for is unknown, not missing."""

        def value(label: str) -> str | None:
            known = rule.value(label)
            return None if known == "" and label not in OUR_OWN and label not in self._said else known

        return value

    @property
    def recorded(self) -> tuple[Rule, ...]:
        """The recording rules."""
        return tuple(r for r in self.rules if r.record and not r.alert)


def subject_of(parts: Iterable[Recognised], routing: Routing) -> Subject:
    """What was recognised, with its rules and trees."""
    given = tuple(parts)
    rules = tuple(rule for part in given if isinstance(part, RuleFile) for rule in rules_of(part))
    trees = tuple(tree_of(part) for part in given if isinstance(part, AlertmanagerFile))
    return Subject(given, routing, rules, trees)
