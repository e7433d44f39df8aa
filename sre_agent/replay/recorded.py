"""A case's files as evidence sources and readers: what the agent would have been told at the clock of the case.

INVARIANT: what is stamped after `case.at` is invisible, in every source and reader.
A missing file is NO_DATA, or nothing at all where the incident gives no reason to ask such a system. Construct with
`recorded_sources(case)` for the investigation, `RecordedRedis` / `RecordedKubernetes` for the collectors of facts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sre_agent.evidence.alert_state import OWN_ALERTS, own_alerts
from sre_agent.evidence.change import Change
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.kubernetes.changes import changed
from sre_agent.evidence.kubernetes.groups import CLUSTER_KINDS, GROUPS, WORKLOADS, serves_names
from sre_agent.evidence.kubernetes.kept import told
from sre_agent.evidence.kubernetes.scope import Subject, relevant, subjects
from sre_agent.evidence.kubernetes.state import text
from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.errors import Permanent
from sre_agent.replay.case import Case, LogFile, stamp_of
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.visible import seen_by, stamp

MAX_OUTPUT = 20_000
Gather = Callable[[Case, Scope], Iterable[Evidence]]


@dataclass
class RecordedSource:
    """EvidenceSource over one kind of file of a case."""

    name: str
    kind: EvidenceKind
    case: Case
    told: Gather

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """What the files held at the clock of the case; () when there was no reason to ask."""
        return tuple(self.told(self.case, scope))


@dataclass(frozen=True)
class RecordedRedis:
    """RedisReader over redis.json. A master that was not recorded cannot be read: Permanent."""

    case: Case

    async def read(self, master: str) -> RedisState:
        """The recorded state of one master."""
        state = (self.case.redis or {}).get(master)
        if state is None:
            raise Permanent(f"case {self.case.id} holds no state of the Redis master {master!r} (redis.json)")
        return state


@dataclass(frozen=True)
class RecordedKubernetes:
    """KubernetesReader over kubernetes.json. Without the file nothing can be read: Permanent."""

    case: Case

    async def objects(self, kind: str, namespace: str | None) -> list[JsonObject]:
        """The visible objects of a kind, in one namespace or everywhere."""
        if self.case.kubernetes is None:
            raise Permanent(f"case {self.case.id} holds no Kubernetes objects (kubernetes.json)")
        found = [o for o in visible_objects(self.case) if o.get("kind") == kind]
        return [o for o in found if namespace is None or text(o, "metadata", "namespace") == namespace]


@dataclass(frozen=True)
class RecordedChanges:
    """ChangeFeed over changes.json. Without the file nothing is known about changes: Permanent."""

    case: Case

    async def changes(self, incident_id: str, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:  # noqa: ARG002
        """Recorded changes in [since, until], none after the clock of the case."""
        if self.case.changes is None:
            raise Permanent(f"case {self.case.id} holds no change feed (changes.json)")
        return tuple(c for c in self.case.changes if since <= c.at <= min(until, self.case.at))


def recorded_sources(case: Case) -> tuple[EvidenceSource, ...]:
    """Every source of a case, in a fixed order (so that evidence ids are the same in every run).

    Where a case holds what each source answered (evidence.jsonl), those sources answer that, in their order, and no others do.
    """
    if case.evidence is not None:
        planned = case.evidence[: case.planned]
        return answering(tuple(seen for piece in planned if (seen := seen_by(piece, case.at)) is not None))
    sources: tuple[tuple[str, EvidenceKind, Gather], ...] = (
        ("prometheus", EvidenceKind.METRICS, _metrics),
        ("kubernetes", EvidenceKind.KUBERNETES, _kubernetes),
        ("kubernetes-logs", EvidenceKind.LOGS, _logs),
        ("redis", EvidenceKind.REDIS, _redis),
        ("changes", EvidenceKind.CHANGES, _changes),
        ("langfuse", EvidenceKind.LANGFUSE, _langfuse),
        ("postgres", EvidenceKind.POSTGRES, _postgres),
        ("topology", EvidenceKind.TOPOLOGY, _topology),
        ("observations", EvidenceKind.TEXT, _observations),
        (OWN_ALERTS, EvidenceKind.ALERT, _alerts),
        ("kubernetes-changes", EvidenceKind.CHANGES, _written),
    )
    return tuple(RecordedSource(name, kind, case, gather) for name, kind, gather in sources)


@dataclass
class AnsweredSource:
    """EvidenceSource that answers what one source answered when it was recorded."""

    name: str
    kind: EvidenceKind
    answers: tuple[Evidence, ...]

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:  # noqa: ARG002
        """The recorded answers."""
        return self.answers


def answering(evidence: tuple[Evidence, ...]) -> tuple[EvidenceSource, ...]:
    """One source for each run of answers of one source, so that the answers stay in their order and keep their ids."""
    runs = (tuple(run) for _, run in groupby(evidence, key=lambda e: e.source))
    return tuple(AnsweredSource(run[0].source, run[0].kind, run) for run in runs)


def visible_objects(case: Case) -> tuple[JsonObject, ...]:
    """Objects that existed, and events that had happened, by the clock of the case."""
    return tuple(o for o in case.kubernetes or () if (stamp(o) or case.at) <= case.at)


def _metrics(case: Case, scope: Scope) -> Iterable[Evidence]:
    limit = case.at.timestamp()
    series = [_until(s, limit) for s in case.metrics or ()]
    seen = [s for s in series if s.samples]
    newest = max((s.samples[-1][0] for s in seen), default=limit)
    evidence = _said("prometheus", EvidenceKind.METRICS, "recorded series", scope, [s.model_dump(mode="json") for s in seen])
    yield evidence.model_copy(update={"observed_at": datetime.fromtimestamp(newest, UTC)})


def _until(series: Series, limit: float) -> Series:
    return series.model_copy(update={"samples": tuple(sorted(s for s in series.samples if s[0] <= limit))})


def _kubernetes(case: Case, scope: Scope) -> Iterable[Evidence]:
    wanted = subjects(scope.incident)
    if case.kubernetes is None:
        if wanted:
            yield _said("kubernetes", EvidenceKind.KUBERNETES, "objects", scope, {"items": []}, filled=False)
        return
    items = [told(o) for o in _scoped(case, scope)]
    grouped = {kind for kinds in GROUPS.values() for kind in kinds}
    for name, kinds in {**GROUPS, "other objects": ()}.items():
        mine = [o for o in items if (o.get("kind") in kinds if kinds else o.get("kind") not in grouped)]
        if mine or name == "pods":
            # What the file holds none of was perhaps not recorded: it does not count as asked.
            recorded = sorted({str(o.get("kind")) for o in mine})
            payload = {"items": mine, "kinds": recorded}
            yield _said("kubernetes", EvidenceKind.KUBERNETES, name, scope, payload, filled=bool(mine))


def _scoped(case: Case, scope: Scope) -> list[JsonObject]:
    """What the live source would have shown: what bears on the labels' subjects; everything when they point at nothing here."""
    seen = visible_objects(case)
    kept: dict[int, JsonObject] = {}
    for subject in subjects(scope.incident):
        by_kind: dict[str, list[JsonObject]] = {}
        for item in seen:
            if _in_reach(item, subject):
                by_kind.setdefault(str(item.get("kind")), []).append(item)
        found = relevant(subject, by_kind, scope.now)
        if any(found.get(kind) for kind in ("Pod", "Node", *WORKLOADS, "Job", "CronJob", "Service", "PersistentVolumeClaim")):
            kept |= {id(o): o for items in found.values() for o in items}
    if not kept:
        return list(seen)
    return list((kept | {id(o): o for o in seen if serves_names(o)}).values())


def _in_reach(item: JsonObject, subject: Subject) -> bool:
    """Whether the live source would have listed it for this subject."""
    kind = item.get("kind")
    if kind == "Node" or (kind == "Event" and text(item, "involvedObject", "kind") == "Node"):
        return True
    if subject.namespace is None:
        return kind == "Pod" and text(item, "spec", "nodeName") == subject.node
    return kind in CLUSTER_KINDS or text(item, "metadata", "namespace") == subject.namespace


def _written(case: Case, scope: Scope) -> Iterable[Evidence]:
    """What the recorded objects themselves say was changed."""
    objects: dict[str, list[JsonObject]] = {}
    for item in _scoped(case, scope) if case.kubernetes else ():
        objects.setdefault(str(item.get("kind")), []).append(item)
    found = [c.model_dump(mode="json") for c in changed(objects, scope.change_window)]
    if found:
        evidence = _said("kubernetes", EvidenceKind.CHANGES, "changes that the objects tell of", scope, found)
        yield evidence.model_copy(update={"window": scope.change_window})


def _logs(case: Case, scope: Scope) -> Iterable[Evidence]:
    namespaces = scope.incident.label_values("namespace")
    for log in case.logs:
        if namespaces and log.namespace not in namespaces:
            continue
        lines = _lines(log, case.at)
        payload = {"namespace": log.namespace, "pod": log.pod, "container": log.container, "previous": log.previous, "lines": lines}
        query = f"logs {log.namespace}/{log.pod} {log.container}{' (previous run)' if log.previous else ''}"
        evidence = _said("kubernetes", EvidenceKind.LOGS, query, scope, payload, filled=bool(lines))
        yield evidence.model_copy(update={"truncated": log.truncated})


def _lines(log: LogFile, at: datetime) -> list[str]:
    """The lines up to the clock; a line without a time belongs to the one above it."""
    kept: list[str] = []
    for line in log.lines:
        stamp = stamp_of(line)
        if stamp is not None and stamp > at:
            break
        kept.append(line)
    return kept


def _redis(case: Case, scope: Scope) -> Iterable[Evidence]:
    recorded = case.redis or {}
    named = sorted(scope.incident.label_values("redis_master"))
    for master in named or sorted(recorded):
        state = recorded.get(master)
        payload = None if state is None else state.model_dump(mode="json")
        yield _said("redis", EvidenceKind.REDIS, f"sentinels and nodes of {master}", scope, payload)


def _changes(case: Case, scope: Scope) -> Iterable[Evidence]:
    window = scope.change_window
    seen = [c for c in case.changes or () if window.start <= c.at <= min(window.end, case.at)]
    evidence = _said("changes", EvidenceKind.CHANGES, "recorded changes", scope, [c.model_dump(mode="json") for c in seen])
    # SAFETY: without the file nobody looked. "No change" must not follow from it, so no time counts as covered.
    covered = window if case.changes is not None else Window(start=case.at, end=case.at)
    yield evidence.model_copy(update={"window": covered})


def _langfuse(case: Case, scope: Scope) -> Iterable[Evidence]:
    labels = {name for alert in scope.incident.alerts for name in alert.labels}
    if case.langfuse is None:
        if labels & {"prompt", "prompt_name"} or "model" in scope.incident.label_values("alert_type"):
            yield _said("langfuse", EvidenceKind.LANGFUSE, "prompts and scores", scope, None)
        return
    scores = [s.model_dump(mode="json") for s in case.langfuse.scores if s.timestamp <= case.at]
    prompts = [
        p.model_dump(mode="json")
        for p in case.langfuse.prompts
        if max((at for at in (p.created_at, p.updated_at) if at is not None), default=case.at) <= case.at
    ]
    models = [m.model_dump(mode="json", exclude_none=True) for m in case.langfuse.models if m.timestamp <= case.at]
    errors = [e.model_dump(mode="json", exclude_none=True) for e in case.langfuse.errors if e.timestamp <= case.at]
    payload = {"scores": scores, "prompts": prompts, "models": models, "errors": errors}
    yield _said("langfuse", EvidenceKind.LANGFUSE, "prompts and scores", scope, payload, filled=any(payload.values()))


def _postgres(case: Case, scope: Scope) -> Iterable[Evidence]:
    if case.postgres is not None:
        yield _said("postgres", EvidenceKind.POSTGRES, "replication and activity", scope, case.postgres)


def _topology(case: Case, scope: Scope) -> Iterable[Evidence]:
    if case.topology is not None:
        yield _said("topology", EvidenceKind.TOPOLOGY, "calls", scope, {"calls": [list(c) for c in case.topology.calls]})


def _observations(case: Case, scope: Scope) -> Iterable[Evidence]:
    for seen in case.observations or ():
        payload = {"source": seen.source, "operation": seen.operation, "args": seen.args, "output": seen.output[:MAX_OUTPUT]}
        evidence = _said(seen.source, EvidenceKind.TEXT, f"{seen.operation} {seen.args or ''}".strip(), scope, payload)
        error = seen.output[:300] if seen.status is EvidenceStatus.ERROR else ""
        yield evidence.model_copy(update={"status": seen.status, "truncated": len(seen.output) > MAX_OUTPUT, "error": error})


def _alerts(case: Case, scope: Scope) -> Iterable[Evidence]:  # noqa: ARG001
    yield from own_alerts(scope)


def _said(
    source: str, kind: EvidenceKind, query: str, scope: Scope, payload: list[Any] | Mapping[str, Any] | None, *, filled: bool = True
) -> Evidence:
    return Evidence(
        id="",
        source=source,
        kind=kind,
        query=query,
        status=EvidenceStatus.OK if payload and filled else EvidenceStatus.NO_DATA,
        observed_at=scope.now,
        window=scope.window,
        payload=payload,
        size_bytes=len(str(payload or "")),
    )
