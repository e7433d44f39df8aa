"""Tests that promtool runs against the written burn rates: for each row a burn just above its factor and one just below it, which
no other row sees; too few requests; none at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sre_agent.rules.burn_rates import MINUTES, PAGE, Row, threshold
from sre_agent.rules.generate.groups import groups, rows_of
from sre_agent.rules.generate.names import alert_names
from sre_agent.rules.generate.traffic import Counter, Phase, counters, series
from sre_agent.rules.generate.writing import Value
from sre_agent.rules.slo import Slo, SloFile

Alerts = Mapping[str, Mapping[str, Value]]
"""Every written alert, by its name."""

BEFORE_MIN: Final = 120
BUSY: Final = 100
"""The burn has that much more traffic than its last minutes, so that these decide the short window and hardly the long one."""
HEAVY: Final = 1000 * BUSY
"""Before the burn comes that much more traffic without errors, so that windows longer than the burn see next to nothing of it."""
CLOSE: Final = Decimal("0.02")
"""How far from the threshold a test burns, as a share of it."""
EVALUATED_MIN: Final = 5
"""How often promtool evaluates the rules; all tests look at multiples of it."""
NONE: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Case:
    """Traffic, and which alert fires at its end ("" for none). Then comes `after`, and none fires."""

    name: str
    phases: tuple[Phase, ...]
    fires: str = ""
    after: tuple[Phase, ...] = ()


def alerts_of(file: SloFile) -> Alerts:
    """Every alert that is written for a file."""
    return {str(rule["alert"]): rule for group in groups(file) for rule in group.rules if "alert" in rule}


def burn_tests(slo: Slo, alerts: Alerts) -> list[Value]:
    """promtool's tests of one objective; none where no series were found that its selectors choose."""
    counted = counters(slo)
    return [] if counted is None else [_test(slo, case, counted, alerts) for case in cases(slo)]


def cases(slo: Slo) -> Iterator[Case]:
    """What is tried on an objective. In each of a row's two tests one window alone keeps the alert silent at the end."""
    light = Decimal(slo.min_requests)
    page, ticket = alert_names(slo)
    for row in rows_of(slo):
        limit = threshold(row, slo.days, slo.budget)
        below, above = limit * (1 - CLOSE), limit + min(limit * CLOSE, (1 - limit) / 2)
        less, more = (Phase(MINUTES[row.short] + 5, light, failed) for failed in (below, above))
        name, fires = f"{slo.name}: {row.long}/{row.short}", page if row.severity == PAGE else ticket
        yield Case(f"{name} just above its factor, until the short window is below", _burning(slo, row, above), fires, (less,))
        yield Case(f"{name} just below its factor, and the short window above", (*_burning(slo, row, below), more))
    few = light * Decimal("0.9") / BEFORE_MIN
    yield Case(f"{slo.name}: every request fails, and there are too few", (Phase(BEFORE_MIN, few, Decimal(1)),))
    yield Case(f"{slo.name}: no requests", (Phase(BEFORE_MIN, NONE, NONE),))


def _burning(slo: Slo, row: Row, failed: Decimal) -> tuple[Phase, ...]:
    """A burn as long as the row's long window, and nothing before it that longer windows could mistake for a burn."""
    light, long = Decimal(slo.min_requests), MINUTES[row.long]
    if all(MINUTES[other.long] <= long for other in rows_of(slo)):
        return (Phase(90, light * BUSY, failed),)
    return Phase(BEFORE_MIN, light * HEAVY, NONE), Phase(long + 10, light * BUSY, failed)


def _test(slo: Slo, case: Case, counted: tuple[Counter, ...], alerts: Alerts) -> Value:
    kept = {name: counted[0].labels[name] for name in slo.by}
    written, phases = [name for name in alert_names(slo) if name in alerts], (*case.phases, *case.after)
    end, last = (sum(phase.minutes for phase in some) for some in (case.phases, phases))
    looked = [look(name, end, [firing(alerts[name], kept)] if name == case.fires else []) for name in written]
    looked += [look(name, last, []) for name in written if case.after]
    return {"name": case.name, "interval": "1m", "input_series": series(counted, phases), "alert_rule_test": looked}


def look(name: str, minutes: int, expected: list[Value]) -> Value:
    """What an alert is expected to be at a time."""
    return {"eval_time": f"{minutes}m", "alertname": name, "exp_alerts": expected}


def firing(rule: Mapping[str, Value], kept: Mapping[str, str], **told: str) -> Value:
    """The alert as it fires. `kept`: labels that its series bring; `told`: annotations whose text is known only then."""
    labels, annotations = rule["labels"], rule["annotations"]
    assert isinstance(labels, Mapping)
    assert isinstance(annotations, Mapping)
    return {"exp_labels": {**kept, **labels}, "exp_annotations": {**annotations, **told}}
