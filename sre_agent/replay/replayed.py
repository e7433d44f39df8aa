"""One case after its dry run: the printed line, and what reports and comparisons want to know besides. Values only.

Small on purpose (a few kB): ten thousand of them pass through one run, from worker processes to the report.
"""

from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.redact import redact, redact_json
from sre_agent.evidence.series import Series
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.incident import Incident
from sre_agent.replay.case import Case
from sre_agent.replay.charts import MOST_POINTS, Point
from sre_agent.replay.expectation import HumanOutcome
from sre_agent.replay.result import CaseResult, FailedCase
from sre_agent.response.assess import Assessment
from sre_agent.triage.triage import Triage

MOST_LINES = 4
"""Series that are kept for the charts of one case."""
LONGEST_TEXT = 300


class SourceAnswer(BaseModel):
    """What one source said about the case; `error` is for people, "" where there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    kind: EvidenceKind
    status: EvidenceStatus
    error: str = ""
    truncated: bool = False


class Line(BaseModel):
    """One series to be drawn: (unix seconds, value), at most MOST_POINTS of them; `evidence` is the id of what it came with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    evidence: str
    labels: dict[str, str]
    points: tuple[Point, ...]


class Recalled(BaseModel):
    """How a decision compares with the one that was recorded: where it departs, field by field; empty for the same decision.

    `sha256`: of the recorded decision. `inexact`: why the recording cannot be decided exactly again, "" when it can.
    `other_books`: what of the policies, their data and the runbooks is not what it was then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    departures: tuple[str, ...] = ()
    inexact: str = ""
    other_books: tuple[str, ...] = ()


class Told(BaseModel):
    """What the report tells of a case besides its printed line. `onset` is the earliest alert's start, `at` the clock.

    `decision_sha256` is over the whole decision; `recorded_sha256` that of the recording, None for a case that was not recorded.
    `recalled`: how the two compare, where the case was judged as recorded. `paged_at`: when the incident was created, None where
    nobody knows. `label_gaps`: triage's flags, "no_team" and "no_tool_name".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    onset: datetime
    incident_id: str
    title: str
    service: str
    urgency: str
    alert_names: tuple[str, ...]
    firing: int
    alerts: int
    answers: tuple[SourceAnswer, ...]
    lines: tuple[Line, ...]
    fault: str | None
    bundle_hash: str
    decision_sha256: str
    plan_hash: str | None
    declared_service: str
    outcome: HumanOutcome | None = None
    recorded_sha256: str | None = None
    recalled: Recalled | None = None
    paged_at: datetime | None = None
    label_gaps: tuple[str, ...] = ()


class Replayed(BaseModel):
    """One case: `result` and `told`, or why there are none (`error`). `place` says where it came from, for people;
    `content_sha256` what was in its folder ("" where there was none), so that one case given twice can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    place: str
    result: CaseResult | None = None
    told: Told | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()
    content_sha256: str = ""
    duration_ms: float = 0.0

    def line(self, *, timings: bool) -> str:
        """The documented JSON line of this case."""
        if self.result is None:
            return FailedCase(case=self.case, error=self.error).line()
        took = round(self.duration_ms, 1) if timings else None
        return self.result.model_copy(update={"duration_ms": took}).line()


def told_of(case: Case, found: Assessment, decision_sha256: str, outcome: HumanOutcome | None) -> Told:
    """What the report tells of an assessed case. `decision_sha256`: of the decision after the walk's own rules."""
    incident, diagnosis = case.incident, found.investigated.diagnosis
    starts = [a.starts_at for a in incident.alerts if a.starts_at is not None]
    return Told(
        at=case.at,
        onset=min([*starts, incident.created_at, case.at]),
        incident_id=incident.id,
        title=redact(incident.title)[:LONGEST_TEXT],
        service=redact(incident.service.name or incident.service.id),
        urgency=incident.urgency,
        alert_names=tuple(sorted({redact(a.name) for a in incident.alerts})),
        firing=len(incident.firing),
        alerts=len(incident.alerts),
        answers=tuple(_answers(diagnosis.evidence)),
        lines=tuple(_lines(diagnosis)),
        fault=found.decision.fault,
        bundle_hash=found.decision.bundle_hash,
        decision_sha256=decision_sha256,
        plan_hash=found.plan_hash,
        declared_service=found.declaration.service,
        outcome=None if outcome is None else _without_secrets(outcome),
        paged_at=incident.created_at,
        label_gaps=tuple(_label_gaps(found.triage, incident)),
    )


def _label_gaps(triage: Triage, incident: Incident) -> Iterator[str]:
    yield from triage.flags
    if any(a.labels_known and not a.labels.get("team") for a in incident.alerts):
        yield "no_team"
    if triage.labelled is AlertClass.TOOL and not incident.label_values("tool_name"):
        yield "no_tool_name"


def _without_secrets(outcome: HumanOutcome) -> HumanOutcome:
    """What people wrote about their own work holds names, addresses and sometimes passwords too. Not validated again: a redacted
    object's name need not look like one."""
    actions = outcome.actions
    if actions is not None:
        actions = tuple(a.model_copy(update=redact_json({"by": a.by, "what": a.what, "target": a.target})) for a in actions)
    said = redact_json({"root_cause": outcome.root_cause, "notes": outcome.notes})
    return outcome.model_copy(update={**said, "actions": actions})


def _answers(evidence: tuple[Evidence, ...]) -> Iterator[SourceAnswer]:
    """One per source and kind: of several answers of one source the best status, and the first error."""
    grouped: dict[tuple[str, EvidenceKind], list[Evidence]] = {}
    for e in evidence:
        grouped.setdefault((e.source, e.kind), []).append(e)
    best = (EvidenceStatus.OK, EvidenceStatus.ERROR, EvidenceStatus.NO_DATA)
    for (source, kind), answers in grouped.items():
        status = next(s for s in best if any(a.status is s for a in answers))
        error = next((a.error for a in answers if a.error), "")[:LONGEST_TEXT]
        yield SourceAnswer(source=source, kind=kind, status=status, error=error, truncated=any(a.truncated for a in answers))


def _lines(diagnosis: Diagnosis) -> Iterator[Line]:
    """Series of the metrics that the causes rest on, then of others, thinned; what hardly has points is left out."""
    cited = {i for cause in diagnosis.root_causes for i in cause.evidence}
    pieces = [e for e in diagnosis.evidence if e.kind is EvidenceKind.METRICS and e.status is EvidenceStatus.OK]
    left = MOST_LINES
    for piece in sorted(pieces, key=lambda e: e.id not in cited):
        for raw in piece.payload:
            points = Series.model_validate(raw).finite()
            if left and len(points) >= 2:
                left -= 1
                yield Line(evidence=piece.id, labels=raw["labels"], points=points[:: -(-len(points) // MOST_POINTS)])
