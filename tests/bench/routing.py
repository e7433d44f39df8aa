"""What one routing decision costs: CPU of this process, at a file with 500 routes, over alerts of every class."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sre_agent.incident.alert import Alert
from sre_agent.policy.load import load_bundle
from sre_agent.routing.decide import decide
from sre_agent.routing.file import Route, Routing
from sre_agent.routing.memory import Memory
from sre_agent.routing.remember import remembered
from sre_agent.routing.signals import signals_of
from tests.bench.verdict import Row, spread

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
LIMIT_US = 200.0


def rows(rounds: int = 15, decisions: int = 400, routes: int = 500) -> list[Row]:
    """The mean CPU of a decision in the quietest round, in microseconds."""
    routing, told = _routing(routes), _alerts(decisions)
    means = []
    for _ in range(rounds + 1):
        before = time.process_time_ns()
        for alert in told:
            _decided(alert, routing)
        means.append((time.process_time_ns() - before) / len(told) / 1000)
    what = f"routing decision, {routes} routes, CPU"
    return [Row(what, min(means[1:]), " us", LIMIT_US, seen=spread(means[1:], " us"))]


def _decided(alert: Alert, routing: Routing) -> None:
    alerts = (alert,)
    decide(alerts, signals_of(alerts, routing), routing, remembered(Memory(), alerts, routing, NOW), NOW)


def _routing(routes: int) -> Routing:
    """The shipped file, with so many routes: equalities, regular expressions, and negations, as people write them."""
    kinds = (
        lambda n: ('alert_type="infra"', f'service="service-{n}"'),
        lambda n: ('alert_type="infra"', f'namespace=~"team-{n}-.*"', 'severity!="info"'),
        lambda n: (f'alertname=~"Database{n}(Slow|Down)"',),
    )
    made = tuple(Route(id=f"r{n}", matchers=kinds[n % 3](n), receiver="pd-platform", owner=f"team-{n}") for n in range(routes))
    return load_bundle(ROOT / "policies").declared.ownership.model_copy(update={"routes": made})


def _alerts(count: int) -> list[Alert]:
    """Of every class, most of which no route holds for: the whole table is looked through."""
    told = []
    for n in range(count):
        own = {"alertname": f"Alert{n}", "namespace": f"team-{n % 700}-voice", "service": f"service-{n % 700}"}
        kind = ("infra", "model", "tool", "")[n % 4]
        more = {"infra": {}, "model": {"plan": "499", "prompt": "intent-router"}, "tool": {"tool_name": "crm"}, "": {}}[kind]
        told.append(Alert(labels={**own, "severity": "page", "alert_type": kind, **more}, starts_at=NOW - timedelta(seconds=n)))
    return told
