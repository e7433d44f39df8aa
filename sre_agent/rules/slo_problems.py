"""A file of objectives, read and checked: every complaint names file, line and what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.data_file import opened
from sre_agent.policy.declarations import Problem
from sre_agent.rules.burn_rates import ROWS, threshold, written
from sre_agent.rules.document import load
from sre_agent.rules.generate.names import alert_names, entries, key
from sre_agent.rules.series_selector import LABEL, matches, series_selector
from sre_agent.rules.slo import Cost, Named, Quantile, Slo, SloFile

CLASSES: Final = (AlertClass.INFRA.value, AlertClass.MODEL.value, AlertClass.TOOL.value)
RESERVED: Final = ("alertname", "le", "severity", "signal", "slo")
"""Labels that the generator writes, or that Prometheus does."""

Where = tuple[str | int, ...]


def read_slos(path: Path) -> tuple[SloFile | None, tuple[str, ...]]:
    """The file, or None and every complaint ("file:line: what; what to do"). Raises nothing."""
    try:
        load(path)  # Counts bytes, nodes and depth first.
        data = opened(path)
    except ConfigurationError as error:
        return None, (str(error),)
    if not isinstance(data.plain, dict):
        return None, (f"{path}:1: this is no file of objectives; write slos:, quantiles: or costs: (docs/burn-rates.md)",)
    try:
        file, wrong = data.checked(SloFile)
    except (TypeError, ValueError) as error:
        return None, (f"{path}:1: this YAML holds a value that no key can have: {error}; correct it",)
    if file is None:
        return None, tuple(_hinted(complaint) for complaint in wrong)
    found = tuple(data.complaint(problem) for problem in problems(file))
    return (None, found) if found else (file, ())


def problems(file: SloFile) -> Iterator[Problem]:
    """What the schema cannot say."""
    every = entries(file)
    if not every:
        yield Problem((), "the file has no entry; write at least one under slos:, quantiles: or costs:")
    names, alerts = dict[str, str](), dict[str, str]()
    for under, i, entry in every:
        where: Where = (under, i)
        yield from _labels(entry, where)
        for problem in _clash(entry, (*where, "name"), names, alerts):
            yield problem
            break
        match entry:
            case Slo():
                yield from _slo(entry, where)
            case Quantile():
                yield from _no_le(entry.selector, (*where, "selector"))
            case Cost():
                pass


def _hinted(complaint: str) -> str:
    """YAML reads on, yes and 1e3 as something else than a word."""
    complaint = complaint.replace(": Value error, ", ": ", 1)
    return f"{complaint}; put it in quotes" if complaint.endswith("should be a valid string") else complaint


def _labels(entry: Named, where: Where) -> Iterator[Problem]:
    place, said = (*where, "labels"), entry.labels
    for name, value in said.items():
        if name != "alert_type":
            yield from (Problem((*place, name), what) for what in _wrong_label(name, value))
    if said.get("alert_type") not in CLASSES:
        what = f"alert_type is {said['alert_type']!r}" if "alert_type" in said else "alert_type is missing"
        yield Problem(
            (*place, "alert_type"), f"{what}; write exactly one of {', '.join(CLASSES)}: who can repair it is who is woken"
        )
    if "team" not in said:
        yield Problem(place, "the label team is missing; write the name of a team of teams.yaml")
    if said.get("alert_type") == AlertClass.TOOL and "tool_name" not in said:
        yield Problem(place, "a tool alert needs the label tool_name; write the tool's name as under tool_owners in routing.yaml")
    for j, name in enumerate(entry.by):
        if LABEL.fullmatch(name) is None or name in RESERVED or name.startswith("__"):
            yield Problem((*where, "by", j), f"by cannot keep {name!r}; name a label of the series")
        elif name in said or name in entry.by[:j]:
            yield Problem((*where, "by", j), f"the label {name!r} is given twice; leave it out of labels or of by")


def _wrong_label(name: str, value: str) -> Iterator[str]:
    if LABEL.fullmatch(name) is None or name.startswith("__"):
        yield f"{name!r} is no label's name; use letters, digits and _, not __ in front"
    elif name in RESERVED:
        yield f"the label {name!r} is written by the generator; leave it out"
    if "{{" in value:
        yield f"the label {name!r} is a template; write its value, or keep the series' own label with by: [{name}]"
    elif not value or value != value.strip() or not value.isprintable():
        yield f"the label {name!r} is {value!r}, which is empty or has blanks around it; write the bare value"


def _clash(entry: Named, place: Where, names: dict[str, str], alerts: dict[str, str]) -> Iterator[Problem]:
    """One problem at most is of use: a name given twice clashes in every way."""
    todo = "names that differ only in case or signs make the same rules; rename one"
    other = names.setdefault(key(entry), entry.name)
    if any(alert.casefold() in alerts for alert in alert_names(entry)) or other != entry.name:
        first = next((alerts[a.casefold()] for a in alert_names(entry) if a.casefold() in alerts), other)
        what = "is given twice; rename one" if first == entry.name else f"collides with {first!r}: {todo}"
        yield Problem(place, f"the name {entry.name!r} {what}")
    alerts |= {alert.casefold(): entry.name for alert in alert_names(entry)}


def _slo(slo: Slo, where: Where) -> Iterator[Problem]:
    if (slo.ratio is None) == (slo.latency is None):
        yield Problem(where, f"the objective {slo.name!r} needs exactly one of ratio: and latency:")
    if slo.ratio is not None:
        errors, total = series_selector(slo.ratio.errors), series_selector(slo.ratio.total)
        if errors == total:
            yield Problem((*where, "ratio", "errors"), "errors and total select the same series; select the failed requests only")
    if slo.latency is not None:
        yield from _no_le(slo.latency.selector, (*where, "latency", "selector"))
    yield from _impossible(slo, where)


def _no_le(selector: str, place: Where) -> Iterator[Problem]:
    if any(match.label == "le" for match in matches(selector)):
        yield Problem(place, "the selector may not match le, the buckets' own label; leave it out")


def _impossible(slo: Slo, where: Where) -> Iterator[Problem]:
    """A ratio cannot exceed 1, so a row whose threshold is 1 or more can never fire."""
    for row in ROWS:
        limit = threshold(row, slo.days, slo.budget)
        if row.long in slo.rows and limit >= 1:
            factor = row.factor(slo.days)
            least = f"{float(100 * (1 - 1 / factor)):.2f} %" if factor > 1 else "0 %"
            what = (
                f"{slo.name!r}: the row {row.long}/{row.short} can never fire: its factor {written(factor)} x (1 - {slo.objective})"
            )
            why = f"is {written(limit)}, and no error ratio exceeds 1 (the factor is useless at or below an objective of {least})"
            others = ", ".join(f'"{r.long}"' for r in ROWS if r.long in slo.rows and threshold(r, slo.days, slo.budget) < 1)
            todo = f"raise the objective, or leave the row out with rows: [{others}]" if others else "raise the objective"
            yield Problem((*where, "objective"), f"{what} {why}; {todo}")
