"""Payloads of evidence as a few short rows, what is wrong first: what a model needs of them, not what they weigh. Pure.

A long list of series becomes those that changed, with when and from what to what; a log becomes its templates; API
objects become their state. Rows are plain text without any escaping: digest.py makes blocks of them.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.logs.pattern import is_error, without_stamp
from sre_agent.evidence.rates import is_counter, levels, shift
from sre_agent.evidence.series import Series

MOST_LINES = 2_000  # of one log, the newest; a model needs their shapes, not each of them
NOTABLE = 3.5  # a modified z-score beyond it is an outlier (Iglewicz and Hoaglin, 1993)
MOST_WELL = 6  # API objects in which nothing is wrong, before the rest is only counted
_VARYING = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\d+", re.IGNORECASE)
_EMPTY: tuple[object, ...] = (None, "", [], {}, ())
_FIRST = ("nodes", "members")  # what is measured on each of them tells more than who watches them
# Identities and settings that never tell one state from another; the raw JSON has them.
_NOISE = frozenset({"runid", "run_id", "link-pending-commands", "failover-timeout", "parallel-syncs", "role-reported-time",
                    "down-after-milliseconds", "config-epoch", "uid", "managedFields"})  # fmt: skip

Rows = Callable[[Any, datetime | None], Iterable[str]]


def plain(payload: Any) -> str:
    """Compact JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def template(line: str) -> str:
    """A log line with what varies (numbers, ids) replaced by "#": thousands of lines become a few shapes."""
    return _VARYING.sub("#", without_stamp(line))


def series_row(series: Series, onset: datetime | None, hidden: frozenset[str] = frozenset()) -> tuple[float, str]:
    """(how much it changed at the onset, one row). Labels named in `hidden` are left out; a counter is told per second."""
    labels = ",".join(f"{k}={v}" for k, v in sorted(series.labels.items()) if k != "__name__" and k not in hidden)
    name = f"{series.name}{{{labels}}}" if labels else series.name
    unit = " per second" if is_counter(series) else ""
    samples = levels(series)
    if not samples:
        return 0.0, f"{name} no numbers"
    values = [v for _, v in samples]
    if min(values) == max(values):
        return 0.0, f"{name} {values[0]:.4g}{unit} all the time, n={len(values)}"
    extent = f"n={len(values)} first={values[0]:.4g} last={values[-1]:.4g} min={min(values):.4g} max={max(values):.4g}"
    changed = shift(samples, onset) if onset is not None else None
    if changed is None:
        return 0.0, f"{name}{unit} {extent}"
    if abs(changed.score) < NOTABLE:
        return abs(changed.score), f"{name} {min(values):.4g}..{max(values):.4g}{unit}, no change, n={len(values)}"
    since = datetime.fromtimestamp(changed.at, UTC)
    level = f"median before={changed.before:.4g} after={changed.after:.4g} changed_at={since:%H:%M:%S}"
    return abs(changed.score), f"{name}{unit} {extent} {level}"


def flat(value: Any) -> str:
    """JSON without its quotes, without what is empty and without _NOISE: "a=1 b={c=2}". For reading, not for parsing."""
    if isinstance(value, dict):
        return " ".join(f"{k}={_nested(v)}" for k, v in value.items() if v not in _EMPTY and k not in _NOISE)
    if isinstance(value, list | tuple):
        return ", ".join(_nested(v) for v in value)
    return str(value)


def _nested(value: Any) -> str:
    inner = flat(value)
    if isinstance(value, dict):
        return f"{{{inner}}}"
    return f"[{inner}]" if isinstance(value, list | tuple) else inner


def general(payload: Any) -> Iterator[str]:
    """Any other JSON: a row for each field, and of a list of objects the first in full, the others where they differ."""
    if isinstance(payload, list | tuple):
        yield from _items("", payload)
        return
    if not isinstance(payload, dict):
        yield str(payload)
        return
    small = {k: v for k, v in payload.items() if not isinstance(v, list | tuple) or not any(isinstance(i, dict) for i in v)}
    if said := flat(small):
        yield said
    for key in sorted(payload.keys() - small.keys(), key=lambda k: (k not in _FIRST, str(k))):
        yield from _items(f"{key} ", payload[key])


def _items(name: str, items: Iterable[Any]) -> Iterator[str]:
    first: dict[str, Any] | None = None
    for i, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            yield f"{name}{i}: {flat(item)}"
        elif first is None:
            first = item
            yield f"{name}{i}: {flat(item)}"
        else:
            yield f"{name}{i}, as the first but: {flat(_differing(item, first)) or 'nothing'}"


def _differing(item: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
    """The fields in which `item` is not like `first`, those that it lacks as "none"."""
    out: dict[str, Any] = {}
    for key in dict.fromkeys((*first, *item)):
        mine, other = item.get(key), first.get(key)
        if mine == other:
            continue
        if isinstance(mine, dict) and isinstance(other, dict):
            out[key] = _differing(mine, other)
        else:
            out[key] = "none" if mine in _EMPTY else mine
    return out


def _metrics(payload: Any, onset: datetime | None) -> Iterator[str]:
    """What changed most first; labels that all series share are told once."""
    told = [Series.model_validate(raw) for raw in payload]
    pairs = [set(s.labels.items()) for s in told]
    shared = {k: v for k, v in set.intersection(*pairs) if k != "__name__"} if len(pairs) > 1 else {}
    if shared:
        yield f"all {len(told)} series: " + ",".join(f"{k}={v}" for k, v in sorted(shared.items()))
    rows = [series_row(s, onset, frozenset(shared)) for s in told]
    yield from (row for _, row in sorted(rows, key=lambda scored: -scored[0]))


def _kubernetes(payload: Any, onset: datetime | None) -> Iterator[str]:  # noqa: ARG001
    """What is wrong first; events about one thing are one row; objects that look well are mostly counted."""
    objects = [_object(item) for item in payload["items"] if item.get("kind") != "Event"]
    yield from (row for well, row in objects if not well)
    yield from _events([item for item in payload["items"] if item.get("kind") == "Event"])
    fine = [row for well, row in objects if well]
    yield from fine[:MOST_WELL]
    if len(fine) > MOST_WELL:
        kinds = Counter(row.partition(" ")[0] for row in fine[MOST_WELL:])
        yield "and as well: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))


def _events(items: list[dict[str, Any]]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for item in items:
        about = item.get("involvedObject") or {}
        counts[f"Event {item.get('reason')} on {about.get('kind')}/{about.get('name')}: {item.get('message')}"] += _count(item)
    yield from (f"{row} (x{n})" if n > 1 else row for row, n in counts.most_common())


def _count(item: dict[str, Any]) -> int:
    count = item.get("count")
    return count if isinstance(count, int) and count > 0 else 1


def _object(item: dict[str, Any]) -> tuple[bool, str]:
    """(True when nothing in it looks wrong, its row)."""
    kind, meta, status = item.get("kind", "?"), item.get("metadata") or {}, item.get("status") or {}
    namespace = meta.get("namespace")
    name = f"{kind} {namespace}/{meta.get('name', '?')}" if namespace else f"{kind} {meta.get('name', '?')}"
    if kind == "Pod":
        return _pod(name, item, status)
    conditions = [c for c in status.get("conditions") or () if isinstance(c, dict)]
    bad = [c for c in conditions if c.get("status") != ("True" if c.get("type") in _GOOD_WHEN_TRUE else "False")]
    told = [f"{c.get('type')}={c.get('status')} {c.get('reason', '')} {c.get('message', '')}".strip() for c in bad]
    replicas = [f"{k}={v}" for k, v in status.items() if k.lower().endswith("replicas") and isinstance(v, int)]
    wanted = (item.get("spec") or {}).get("replicas")
    more = ([f"wanted={wanted}"] if isinstance(wanted, int) else []) + replicas + told
    short = isinstance(wanted, int) and (status.get("readyReplicas") or 0) < wanted and kind in ("Deployment", "StatefulSet")
    return not bad and not short, f"{name} {' '.join(more)}".strip()


_GOOD_WHEN_TRUE = frozenset({"Ready", "Available", "Progressing", "Initialized", "ContainersReady", "PodScheduled", "Complete"})


def _pod(name: str, item: dict[str, Any], status: dict[str, Any]) -> tuple[bool, str]:
    main = status.get("containerStatuses") or ()
    states = [
        f"{c.get('name')} ready={c.get('ready')} restarts={c.get('restartCount')} now={_state(c.get('state'))}"
        + (f" before={_state(c.get('lastState'))}" if c.get("lastState") else "")
        for c in (*(status.get("initContainerStatuses") or ()), *main)
    ]
    well = all(c.get("ready") for c in main) and status.get("phase") in ("Running", "Succeeded")
    where = (item.get("spec") or {}).get("nodeName")
    return well, f"{name} {status.get('phase')} on {where}: {'; '.join(states) or flat(status.get('conditions'))}"


def _state(state: Any) -> str:
    """A container's state: "waiting(reason=CrashLoopBackOff)"; ids of containers say nothing."""
    if not isinstance(state, dict):
        return "?"
    told = ((k, {f: x for f, x in (v or {}).items() if f not in ("containerID", "startedAt")}) for k, v in state.items())
    return " ".join(f"{k}({flat(v)})" if v else str(k) for k, v in told)


def _logs(payload: Any, onset: datetime | None) -> Iterator[str]:  # noqa: ARG001
    """Templates with their counts, errors before the rest."""
    lines = [str(line.get("line", line)) if isinstance(line, dict) else str(line) for line in payload["lines"][-MOST_LINES:]]
    counts = Counter(template(line)[:240] for line in lines)
    previous = " (before its restart)" if payload.get("previous") else ""
    yield f"{payload.get('namespace')}/{payload.get('pod')}/{payload.get('container')}{previous}, {len(lines)} lines"
    ordered = sorted(counts.items(), key=lambda pair: (not is_error(pair[0]), -pair[1]))
    yield from (f"x{n} {shape}" for shape, n in ordered)


def _alerts(payload: Any, onset: datetime | None) -> Iterator[str]:  # noqa: ARG001
    """An alert a row; the incident's own labels stand in its first block already. Rules and silences as they are."""
    if not isinstance(payload, list):
        yield from general(payload)
        return
    for alert in payload:
        labels = alert.get("labels", {})
        where = ",".join(f"{k}={labels[k]}" for k in ("namespace", "service", "app", "deployment", "pod", "node") if labels.get(k))
        yield f"{alert.get('state')} {labels.get('alertname')} {where} since {alert.get('startsAt')}"


ROWS: dict[EvidenceKind, Rows] = {
    EvidenceKind.ALERT: _alerts,
    EvidenceKind.METRICS: _metrics,
    EvidenceKind.KUBERNETES: _kubernetes,
    EvidenceKind.LOGS: _logs,
}
"""How each kind is shortened; the others as `general` does."""
