"""A 46-service booking system, one injected fault each, in metrics, logs and traces: which service is it?

The healthy minute of the same day, hours earlier, is moved to the minute before the fault's first one. Spans are told as
the counters that a service-graph processor derives from them, ten seconds each.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sre_agent.evidence.series import Series
from sre_agent.replay.case import KEPT_LOG_LINES, Case, LogFile
from sre_agent.replay.case_shapes import TopologyFile
from tests.bench.diagnosis.answer import Answer, answered, cost, ranks, warmed
from tests.bench.diagnosis.tables import Samples, incident, number, one_series, rows
from tests.bench.verdict import Row

NAME, BUCKET_S, APART_S = "nezha_tt", 10, 720.0
_PARTS = (("client_seconds_count", 0), ("server_seconds_count", 0), ("client_seconds_sum", 1), ("server_seconds_sum", 2))
_HASH = re.compile(r"-[0-9a-f]{6,10}-[0-9a-z]{5}$")
_COLUMN = re.compile(r"^(.*?)_([A-Z].*?)(?:\((.*)\))?$")


class _Span(NamedTuple):
    service: str
    began: float
    seconds: float
    parent: str


def measured(root: Path) -> list[Row]:
    """Top-1, top-3 and the cost."""
    truth = {p.stem: json.loads(p.read_text())["service"] for p in (root / "truth").glob("*.json")}
    answers = warmed(cases(root))
    places = [_place(a, truth[a.case]) for a in answers]
    return [*ranks(NAME, places, (0.45, 0.65)), cost(NAME, answers, 1500.0)]


def places(root: Path, shake: Callable[[Case], Case], rename: Callable[[str], str]) -> list[int]:
    """Where each case's answer stands after `shake`, which gives services the names of `rename`; pods keep theirs."""
    truth = {p.stem: json.loads(p.read_text())["service"] for p in (root / "truth").glob("*.json")}
    found = []
    for case in cases(root):
        answer = answered(shake(case))
        found.append(min(_place(answer, truth[case.id]), _place(answer, rename(truth[case.id]))))
    return found


def _place(answer: Answer, wanted: str) -> int:
    """As Answer.place, a pod counting as its service."""
    objects = list(dict.fromkeys(_service(cause.object.partition("/")[2]) for cause in answer.causes))
    return objects.index(wanted) + 1 if wanted in objects else 99


def _service(pod: str) -> str:
    return _HASH.sub("", pod)


def cases(root: Path) -> Iterator[Case]:
    """Every case, beside the healthy minute of its day."""
    for folder in sorted((root / "cases").iterdir()):
        detected = json.loads((folder / "case.json").read_text())["detected_at"]
        day = datetime.fromtimestamp(detected, UTC)
        healthy = root / f"reference_{day:%Y-%m-%d}"
        yield _case(folder, healthy, float(detected))


def _case(folder: Path, healthy: Path, detected: float) -> Case:
    columns = _columns(folder / "normal.csv.gz", folder / "faulty.csv.gz")
    spans = [list(_spans(path)) for path in sorted(folder.glob("trace_*.csv.gz"))]
    before = [s for path in healthy.glob("trace_*.csv.gz") for s in _spans(path)]
    began = min(s.began for _, s in spans[0])
    moved = began - APART_S - max(s.began for _, s in before)
    earlier = [(i, s._replace(began=s.began + moved)) for i, s in before]
    series = [one_series(labels, samples) for labels, samples in columns]
    traced = [*earlier, *(s for each in spans for s in each)]
    ended = max([t for s in series for t, _ in s.samples] + [s.began for _, s in traced])
    return Case(
        id=folder.name,
        at=datetime.fromtimestamp(ended + 1, UTC),
        incident=incident(folder.name, "the front door answers late or wrongly", {}, began),
        metrics=(*series, *_traced(traced)),
        logs=tuple(_logs(folder, healthy, moved)),
        topology=TopologyFile(calls=tuple(sorted(_calls(traced)))),
    )


def _columns(*paths: Path) -> list[tuple[dict[str, str], Samples]]:
    """(labels, samples) of each SERVICE_METRIC column over both files."""
    found: dict[str, Samples] = defaultdict(list)
    for path in paths:
        head, *lines = rows(path)
        for line in lines:
            for name, cell in zip(head[1:], line[1:], strict=False):
                if (value := number(cell)) is not None:
                    found[name].append((float(line[0]), value))
    return [({"__name__": m[2], "service": m[1]}, s) for name, s in found.items() if (m := _COLUMN.match(name))]


def _spans(path: Path) -> Iterator[tuple[str, _Span]]:
    """(span id, span)."""
    head, *lines = rows(path)
    at = {name: i for i, name in enumerate(head)}
    for line in lines:
        began, ended = int(line[at["StartTimeUnixNano"]]), int(line[at["EndTimeUnixNano"]])
        yield line[at["SpanID"]], _Span(_service(line[at["PodName"]]), began / 1e9, (ended - began) / 1e9, line[at["ParentID"]])


def _traced(spans: Iterable[tuple[str, _Span]]) -> Iterator[Series]:
    """The counters of a service graph: calls and seconds by caller and callee, on either side, every BUCKET_S seconds."""
    by_id = dict(spans)
    seen: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0, 0.0]))
    buckets = sorted({int(s.began // BUCKET_S) * BUCKET_S for s in by_id.values()})
    for span in by_id.values():
        caller = by_id.get(span.parent)
        if caller is not None and caller.service != span.service:
            one = seen[caller.service, span.service][int(span.began // BUCKET_S) * BUCKET_S]
            one[:] = [one[0] + 1, one[1] + caller.seconds, one[2] + span.seconds]
    for (client, server), counted in sorted(seen.items()):
        grown = [[sum(counted[b][k] for b in buckets if b <= t) for k in range(3)] for t in buckets]
        for part, k in (
            ("client_seconds_count", 0),
            ("server_seconds_count", 0),
            ("client_seconds_sum", 1),
            ("server_seconds_sum", 2),
        ):
            labels = {"__name__": f"traces_service_graph_request_{part}", "client": client, "server": server}
            yield one_series(labels, [(float(t), row[k]) for t, row in zip(buckets, grown, strict=True)])


def _calls(spans: Iterable[tuple[str, _Span]]) -> set[tuple[str, str]]:
    by_id = dict(spans)
    edges = ((by_id[s.parent].service, s.service) for s in by_id.values() if s.parent in by_id)
    return {(caller, callee) for caller, callee in edges if caller != callee}


def _logs(folder: Path, healthy: Path, moved: float) -> Iterator[LogFile]:
    """One log a pod: the healthy minute, then the fault's, in the order of their times."""
    lines: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, shift in [
        *((p, moved) for p in healthy.glob("log_*.csv.gz")),
        *((p, 0.0) for p in sorted(folder.glob("log_*.csv.gz"))),
    ]:
        head, *found = rows(path)
        at = {name: i for i, name in enumerate(head)}
        for line in found:
            stamp = datetime.fromtimestamp(int(line[at["TimeUnixNano"]]) / 1e9, UTC) + timedelta(seconds=shift)
            lines[line[at["PodName"]]].append((stamp.isoformat(), _text(line[at["Log"]])))
    for pod, told in sorted(lines.items()):
        whole = [f"{stamp} {text}" for stamp, text in sorted(told)]
        yield LogFile("app", pod, "server", False, tuple(whole[-KEPT_LOG_LINES:]), len(whole) > KEPT_LOG_LINES)


def _text(cell: str) -> str:
    try:
        return str(json.loads(cell)["log"]).strip()
    except (ValueError, KeyError, TypeError):
        return cell.strip()
