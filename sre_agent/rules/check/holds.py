"""Settings of Alertmanager that are mistaken for a hold. Holds belong to the agent: it knows class, plan and flapping.

Source: https://prometheus.io/docs/alerting/latest/configuration/ (resolve_timeout has no effect on alerts that say when they end,
as all of Prometheus' do).
"""

from collections.abc import Iterator
from typing import Final

from sre_agent.incident.alert import AlertClass
from sre_agent.rules.document import Place, Scalar
from sre_agent.rules.finding import Check, Finding, Severity
from sre_agent.rules.owner import agents
from sre_agent.rules.promql.tokens import seconds
from sre_agent.rules.subject import Subject
from sre_agent.rules.tree import Route, Tree

RESOLVE_TIMEOUT: Final = Check("SRA213", "resolve-timeout", Severity.WARNING, "resolve_timeout does not hold anything")
GROUP_WAIT: Final = Check("SRA214", "group-wait-as-hold", Severity.NOTE, "group_wait or group_interval holds every class back")
LATE_NEWS: Final = Check("SRA218", "late-news", Severity.WARNING, "The agent hears too late that an alert is over")

CHECKS: Final = (RESOLVE_TIMEOUT, GROUP_WAIT, LATE_NEWS)

DEFAULT_TIMEOUT_S: Final = 300.0
LONG_WAIT_S: Final = 60.0
LONG_INTERVAL_S: Final = 1800.0
DEFAULT_INTERVAL_S: Final = 300.0


def findings(subject: Subject) -> Iterator[Finding]:
    """Timings of every tree that do not do what they seem to."""
    hold_s = subject.routing.holds.get(AlertClass.MODEL, 0.0)
    for tree in subject.trees:
        yield from _timeout(tree)
        for route in tree.routes():
            yield from _waits(route, tree)
            yield from _late(route, tree, hold_s)


def _timeout(tree: Tree) -> Iterator[Finding]:
    top = tree.config.mapping("global")
    said = top.get("resolve_timeout") if top is not None else None
    if isinstance(said, Scalar) and seconds(said.text) != DEFAULT_TIMEOUT_S:
        why = (
            f"resolve_timeout: {said.text} has no effect on alerts that say when they end, as all of Prometheus' do: "
            "it neither holds a page back nor keeps one open"
        )
        todo = "take it away; the agent holds (holds in routing.yaml), and keep_firing_for in the rule keeps an alert open"
        yield RESOLVE_TIMEOUT.at(tree.document.path, said.place, why, todo)


def _waits(route: Route, tree: Tree) -> Iterator[Finding]:
    for key, most in (("group_wait", LONG_WAIT_S), ("group_interval", LONG_INTERVAL_S)):
        said = route.node.get(key)
        if isinstance(said, Scalar) and seconds(said.text) > most:
            why = f"{key}: {said.text} holds back all that comes this way, infrastructure too, and knows no flapping"
            todo = f"make it {'30s' if key == 'group_wait' else '5m'} or less; the agent holds by class (holds in routing.yaml)"
            yield GROUP_WAIT.at(tree.document.path, said.place, why, todo)


def _late(route: Route, tree: Tree, hold_s: float) -> Iterator[Finding]:
    """A group's next news comes a group_interval after the last: later than the hold, the page has gone out for nothing."""
    receiver = tree.by_name.get(route.receiver)
    if receiver is None or not agents(receiver) or not hold_s:
        return
    interval_s, place = _interval(route)
    if interval_s >= hold_s:
        why = (
            f"news of a group come to the agent every {interval_s:g} s, and a model alert is held for {hold_s:g} s: "
            "it pages for what was over long ago"
        )
        yield LATE_NEWS.at(tree.document.path, place, why, "write group_interval: 30s for the agent's receiver")


def _interval(route: Route) -> tuple[float, Place]:
    """The group_interval in force, and where it is said."""
    for around in route.above():
        said = around.node.get("group_interval")
        if isinstance(said, Scalar):
            return seconds(said.text), said.place
    return DEFAULT_INTERVAL_S, route.place
