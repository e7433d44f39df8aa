"""A past incident as a folder: case.json and, all optional, what each source said. The format: tests/replay/README.md.

None for a file means that it is missing ("this source has no data"); an empty value, that the source was asked and
had nothing. outcome.json and expect.json are not read here: they hold answers, and the agent never sees those.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sre_agent.evidence.ai.quality import ModelError, ModelUse, PromptVersion, Score
from sre_agent.evidence.change import Change
from sre_agent.evidence.evidence import Evidence
from sre_agent.evidence.redis.state import NodeView, RedisState, SentinelView
from sre_agent.evidence.series import Series
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.intake.alert_details import alerts_from_any
from sre_agent.intake.incident_rest import incident_from_rest
from sre_agent.intake.untrusted import Unreadable
from sre_agent.policy.facts import TargetDeclaration
from sre_agent.replay.case_file import CaseReader, MalformedCase
from sre_agent.replay.case_shapes import (
    CaseFile,
    ChangeRow,
    JsonObject,
    KubernetesFile,
    MasterRows,
    Observation,
    QualityFile,
    RedisFile,
    TopologyFile,
    utc,
)
from sre_agent.replay.recording.evidence_files import read_evidence

KEPT_LOG_LINES = 500


@dataclass(frozen=True)
class LogFile:
    """The last lines of one container's log, oldest first."""

    namespace: str
    pod: str
    container: str
    previous: bool
    lines: tuple[str, ...]
    truncated: bool


@dataclass(frozen=True)
class Case:
    """One past incident. `at` is the clock of the replay; `warnings` say what was ignored in the files.

    `evidence` is what each source answered, where that was recorded: the first `planned` pieces to code's own plan, the rest
    to a model.
    """

    id: str
    at: datetime
    incident: Incident
    kubernetes: tuple[JsonObject, ...] | None = None
    logs: tuple[LogFile, ...] = ()
    metrics: tuple[Series, ...] | None = None
    changes: tuple[Change, ...] | None = None
    langfuse: QualityFile | None = None
    redis: dict[str, RedisState] | None = None
    postgres: JsonObject | None = None
    topology: TopologyFile | None = None
    observations: tuple[Observation, ...] | None = None
    targets: dict[str, TargetDeclaration] | None = None
    evidence: tuple[Evidence, ...] | None = None
    planned: int | None = None
    warnings: tuple[str, ...] = ()


def load_case(folder: Path) -> Case:
    """Read a case folder. Raises MalformedCase, naming file, line and field, for whatever is not as the format says."""
    if not folder.is_dir():
        raise MalformedCase(f"{folder}: not a folder")
    reader = CaseReader(folder)
    head = reader.json("case.json", TypeAdapter(CaseFile), {"": CaseFile})
    if head is None:
        raise MalformedCase(f"{folder.name}/case.json: missing; every case needs one")
    kubernetes = reader.json("kubernetes.json", TypeAdapter(KubernetesFile))
    changes = reader.json("changes.json", TypeAdapter(tuple[ChangeRow, ...]), {"*": ChangeRow})
    redis = reader.json(
        "redis.json",
        TypeAdapter(RedisFile),
        {"": RedisFile, "masters.*": MasterRows, "masters.*.sentinels.*": SentinelView, "masters.*.nodes.*": NodeView},
    )
    evidence, planned = read_evidence(reader) or (None, None)
    return Case(
        id=head.id,
        at=head.at,
        incident=_incident(head, reader),
        kubernetes=None if kubernetes is None else kubernetes.items,
        logs=_logs(reader, head.at),
        metrics=reader.lines("metrics.jsonl", Series),
        changes=None if changes is None else tuple(row.change() for row in changes),
        langfuse=reader.json(
            "langfuse.json",
            TypeAdapter(QualityFile),
            {"": QualityFile, "scores.*": Score, "prompts.*": PromptVersion, "models.*": ModelUse, "errors.*": ModelError},
        ),
        redis=None if redis is None else {name: _state(name, rows) for name, rows in redis.masters.items()},
        postgres=reader.json("postgres.json", TypeAdapter(JsonObject)),
        topology=reader.json("topology.json", TypeAdapter(TopologyFile), {"": TopologyFile}),
        observations=reader.lines("observations.jsonl", Observation),
        targets=_targets(reader),
        evidence=evidence,
        planned=planned,
        warnings=tuple(reader.warnings),
    )


def _incident(head: CaseFile, reader: CaseReader) -> Incident:
    """The incident of case.json, or one made from its first alert."""
    alerts = tuple(alert for raw in head.alerts for alert in alerts_from_any(raw))
    if head.incident is not None:
        try:
            incident = incident_from_rest(head.incident, alerts, own_user_id=None, default_created_at=head.at)
        except Unreadable as error:
            raise reader.complaint("case.json", ("incident",), str(error)) from error
        return incident.model_copy(update={"environment": head.environment})
    if not alerts:
        raise reader.complaint("case.json", ("alerts",), "a case needs an incident or an alert")
    return _from_alert(head, alerts)


def _from_alert(head: CaseFile, alerts: tuple[Alert, ...]) -> Incident:
    first = alerts[0]
    service = first.labels.get("service") or first.labels.get("app") or first.labels.get("namespace") or ""
    return Incident(
        id=head.id,
        title=first.annotations.get("summary") or first.name,
        status=IncidentStatus.TRIGGERED,
        created_at=first.starts_at or head.at,
        environment=head.environment,
        service=Reference(id=service, name=service),
        alerts=alerts,
    )


def _state(name: str, rows: MasterRows) -> RedisState:
    return RedisState(name=name, sentinels=rows.sentinels, nodes=rows.nodes)


def _targets(reader: CaseReader) -> dict[str, TargetDeclaration] | None:
    """targets.json. The declaration itself forbids unknown keys, so they are taken out, with a warning, before."""
    raw = reader.json("targets.json", TypeAdapter(dict[str, JsonObject]), {"*": TargetDeclaration})
    if raw is None:
        return None
    declared = {}
    for key, row in raw.items():
        known = {k: v for k, v in row.items() if k in TargetDeclaration.model_fields}
        try:
            declared[key] = TargetDeclaration.model_validate(known)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise reader.complaint("targets.json", (key, *first["loc"]), first["msg"]) from error
    return declared


_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def _logs(reader: CaseReader, at: datetime) -> tuple[LogFile, ...]:
    """logs/<namespace>/<pod>/<container>[.previous].log, packed with gzip or not, in the order of their names: what was written
    before `at`."""
    found = []

    def later(line: str) -> bool:
        stamp = stamp_of(line)
        return stamp is not None and stamp > at

    for path in sorted((reader.folder / "logs").glob("*/*/*")):
        name = path.name.removesuffix(".gz")
        if not path.is_file() or not name.endswith(".log"):
            reader.warnings.append(f"{reader.folder.name}/{path.relative_to(reader.folder)}: not a .log file, ignored")
            continue
        lines, cut = reader.newest_lines(str(path.relative_to(reader.folder)).removesuffix(".gz"), KEPT_LOG_LINES, later)
        container = name.removesuffix(".log")
        found.append(
            LogFile(
                namespace=path.parent.parent.name,
                pod=path.parent.name,
                container=container.removesuffix(".previous"),
                previous=container.endswith(".previous"),
                lines=lines,
                truncated=cut,
            )
        )
    return tuple(found)


def stamp_of(line: str) -> datetime | None:
    """The RFC 3339 time a log line begins with (`kubectl logs --timestamps`); None when it has none."""
    found = _STAMP.match(line)
    return None if found is None else utc(datetime.fromisoformat(found[0]))


def case_folders(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """The case folders among and below the given paths, in the order given; a folder with case.json is one case."""
    found: list[Path] = []
    for path in paths:
        below = sorted(p.parent for p in path.glob("*/case.json")) if path.is_dir() else []
        found += [path] if (path / "case.json").exists() or not below else below
    return tuple(found)
