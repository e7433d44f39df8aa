"""A 42-node cloud application whose metrics come every five minutes, one violated objective each: which node is it?

The healthy week is moved in time so that it ends where the faulty minutes begin: the agent compares before and after.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import TopologyFile
from tests.bench.diagnosis.answer import answered, cost, ranks, warmed
from tests.bench.diagnosis.tables import Samples, incident, number, one_series, rows
from tests.bench.verdict import Row

NAME, STEP_S = "petshop", 300.0
Columns = dict[tuple[str, str, str], Samples]


def measured(root: Path) -> list[Row]:
    """Top-1, top-3 and the cost."""
    truth = {p.stem: json.loads(p.read_text())["node"] for p in (root / "truth").glob("*.json")}
    answers = warmed(cases(root))
    places = [a.place(truth[a.case]) for a in answers]
    return [*ranks(NAME, places, (0.45, 0.80)), cost(NAME, answers, 1500.0)]


def places(root: Path, shake: Callable[[Case], Case], rename: Callable[[str], str]) -> list[int]:
    """Where each case's answer stands after `shake`, which gives services the names of `rename`."""
    truth = {p.stem: json.loads(p.read_text())["node"] for p in (root / "truth").glob("*.json")}
    return [answered(shake(case)).place(rename(truth[case.id])) for case in cases(root)]


def cases(root: Path) -> Iterator[Case]:
    """Every case, scenario after scenario."""
    for scenario in sorted(p.parent for p in root.glob("*/graph.csv.gz")):
        head, *lines = rows(scenario / "graph.csv.gz")
        calls = tuple((line[0], head[i]) for line in lines for i in range(1, len(line)) if (number(line[i]) or 0) > 0)
        normal = _columns(scenario / "normal.csv.gz")
        for folder in sorted((scenario / "cases").iterdir()):
            yield _case(folder, normal, calls)


def _case(folder: Path, normal: Columns, calls: tuple[tuple[str, str], ...]) -> Case:
    faulty = _columns(folder / "faulty.csv.gz")
    target = json.loads((folder / "target.json").read_text())
    began = min(t for samples in faulty.values() for t, _ in samples)
    ended = max(t for samples in faulty.values() for t, _ in samples)
    moved = began - STEP_S - max(t for samples in normal.values() for t, _ in samples)
    series = []
    for key in sorted(set(normal) | set(faulty)):
        service, metric, statistic = key
        before = [(t + moved, v) for t, v in normal.get(key, ())]
        labels = {"__name__": f"{metric}_{statistic}".lower(), "service": service}
        series.append(one_series(labels, before + faulty.get(key, [])))
    title = f"{target['metric']} of {target['node']} violates its objective"
    return Case(
        id=folder.name,
        at=datetime.fromtimestamp(ended + 1, UTC),
        incident=incident(folder.name, title, {"service": target["node"]}, began),
        metrics=tuple(series),
        topology=TopologyFile(calls=calls),
    )


def _columns(path: Path) -> Columns:
    """(service, metric, statistic) -> samples. Three head lines, then a line that names the index."""
    found: Columns = defaultdict(list)
    services, metrics, statistics, *lines = rows(path)
    for line in lines:
        at = number(line[0])
        for i in range(1, len(line)):
            value = number(line[i])
            if at is not None and value is not None:
                found[services[i], metrics[i], statistics[i]].append((at, value))
    return found
