"""Everything that one run of the linter looks at, together: what a rule means depends on the routes, and the other way round."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sre_agent.routing.file import Routing
from sre_agent.rules.recognise import AlertmanagerFile, Recognised, RuleFile
from sre_agent.rules.rule import Rule, rules_of
from sre_agent.rules.tree import Tree, tree_of


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
