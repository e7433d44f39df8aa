"""The files that are written for one file of objectives."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sre_agent.rules.burn_rates import written
from sre_agent.rules.generate.groups import groups
from sre_agent.rules.generate.limits import cost_tests, quantile_tests
from sre_agent.rules.generate.names import entries
from sre_agent.rules.generate.proofs import EVALUATED_MIN, Alerts, alerts_of, burn_tests
from sre_agent.rules.generate.writing import Value, text_of
from sre_agent.rules.slo import Cost, Quantile, Slo, SloFile

MARK: Final = "# Written by `sre-agent rules generate`"
"""How a file begins that may be written again."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file's name and content."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Generated:
    """Rules, then their tests; and what only people can check."""

    files: tuple[Written, ...]
    notes: tuple[str, ...]


def generated(file: SloFile, source: str) -> Generated:
    """What is written for a file. `source`: its name, without its folder."""
    stem = source.rsplit(".", 1)[0] if "." in source.strip(".") else source
    head = f"{MARK} from {source}: change that file and run it again, not this one.\n"
    alerts = alerts_of(file)
    tried = {entry.name: _tests(entry, alerts) for _, _, entry in entries(file)}
    untried = [_untried(entry) for _, _, entry in entries(file) if not tried[entry.name]]
    rules = f"{stem}.rules.yaml"
    proof: dict[str, Value] = {
        "rule_files": [rules],
        "evaluation_interval": f"{EVALUATED_MIN}m",
        "tests": [test for tests in tried.values() for test in tests],
    }
    told = "".join(f"# {note}\n" for note in untried)
    wanted = Written(rules, head + text_of({"groups": [{"name": g.name, "rules": g.rules} for g in groups(file)]}))
    return Generated((wanted, Written(f"{stem}.test.yaml", head + told + text_of(proof))), (*_buckets(file), *untried))


def _tests(entry: Slo | Quantile | Cost, alerts: Alerts) -> list[Value]:
    match entry:
        case Slo():
            return burn_tests(entry, alerts)
        case Quantile():
            return quantile_tests(entry, alerts)
        case Cost():
            return cost_tests(entry, alerts)


def _untried(entry: Slo | Quantile | Cost) -> str:
    if isinstance(entry, Cost):
        why = "cost and baseline are expressions; record each under a name of its own, and write the names here"
    else:
        why = "no series was found that its selectors choose; errors must be part of total, and alternatives (a|b) are understood"
    return f"no test is written for {entry.name}: {why}"


def _buckets(file: SloFile) -> Iterator[str]:
    """A threshold between two buckets selects nothing, and its alerts would stay silent."""
    for slo in file.slos:
        if slo.latency is not None:
            bound = written(Decimal(str(slo.latency.threshold_s)))
            series = f'{slo.latency.histogram}_bucket{{le="{bound}"}}'
            yield f"{slo.name}: see in Prometheus that {series} exists; without that bucket the objective is not watched"
