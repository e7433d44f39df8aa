"""What somebody changed before the onset: PROMPT_CHANGED, MODEL_CHANGED, DEPLOYED_BEFORE_ONSET; and SCORE_FELL.

Pure. "Before" is a coincidence in time, so these are weak until another finding explains the symptom; a prompt change
with a fallen score is PROMPT_REGRESSION (prompt_scores.py), which replaces PROMPT_CHANGED for that prompt. A fallen
score that no change explains is SCORE_FELL (score_falls.py).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sre_agent.detectors.ai.model_switches import changed_models
from sre_agent.detectors.ai.prompt_scores import prompt_switches, regressions, scored
from sre_agent.detectors.ai.score_falls import fallen
from sre_agent.evidence.change import Change, Changed, ChangeKind, by
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import unmarked

LOOKBACK = timedelta(hours=24)
DEPLOY_LOOKBACK = timedelta(hours=1)
WITH_A_FALL = 0.6
_DEPLOYS = frozenset({ChangeKind.DEPLOY, ChangeKind.CONFIG, ChangeKind.FLAG, ChangeKind.INFRA})
_OBJECT_KINDS = frozenset(
    {"pod", "deployment", "statefulset", "service", "node", "namespace", "redis", "postgres", "prompt", "tool", "app"}
)
_SUBJECT_LABELS = ("deployment", "statefulset", "pod", "service", "app", "redis_master", "node", "job")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Regressions first, then the newest change per object that may have touched the incident's service."""
    regressed = regressions(view, LOOKBACK)
    explained = {f.object for f in regressed}
    switched = tuple(f for f in _prompt_changes(view) if f.object not in explained)
    scores = tuple(scored(view))
    by_traffic = changed_models(view, LOOKBACK, scores)
    announced = tuple(f for f in _model_changes(view) if f.object not in {t.object for t in by_traffic})
    # A model that changed and took a score with it explains that score for whatever prompt it answers.
    worse = () if any(f.strength >= WITH_A_FALL for f in by_traffic) else fallen(view, scores, explained)
    return (*regressed, *switched, *by_traffic, *announced, *_deploys(view), *worse)


def _prompt_changes(view: EvidenceView) -> Iterable[Finding]:
    for switch in prompt_switches(view, LOOKBACK):
        name = unmarked(switch.prompt)
        yield Finding(
            kind=FindingKind.PROMPT_CHANGED,
            object=f"prompt/{switch.prompt.lower()}",
            cause=f"{switch.said} {_ago(switch.age(view))}",
            onset=switch.at,
            strength=_nearness(switch.age(view), LOOKBACK, 0.35, 0.55),
            evidence=switch.evidence,
            refuted_by=f"the symptom began before {_moment(switch.at)}, or scores per version of {name} are equal",
            changed=switch.changed(),
        )


def _model_changes(view: EvidenceView) -> Iterable[Finding]:
    for evidence_id, change in _newest(view, frozenset({ChangeKind.MODEL}), LOOKBACK):
        age = view.scope.onset - change.at
        yield Finding(
            kind=FindingKind.MODEL_CHANGED,
            object=_object(change.target),
            cause=f"{change.target} changed{_versions(change.from_version, change.to_version)}{by(change.author)} {_ago(age)}",
            onset=change.at,
            strength=_nearness(age, LOOKBACK, 0.35, 0.55),
            evidence=(evidence_id,),
            refuted_by=f"the symptom began before {_moment(change.at)}, or traffic still on the old model has it too",
            changed=Changed(
                kind=ChangeKind.MODEL,
                what=change.target.removeprefix("model/"),
                at=change.at,
                before=change.from_version,
                after=change.to_version,
                author=change.author,
                message=change.message or (change.summary if change.source != "langfuse" else None),
                link=change.link,
            ),
        )


def _deploys(view: EvidenceView) -> Iterable[Finding]:
    for evidence_id, change in _newest(view, _DEPLOYS, DEPLOY_LOOKBACK):
        age = view.scope.onset - change.at
        bonus = 0.15 if _alerted(view, change) else 0.0
        yield Finding(
            kind=FindingKind.DEPLOYED_BEFORE_ONSET,
            object=_object(change.target),
            cause=f"{change.kind.value} of {change.target}{_versions(change.from_version, change.to_version)} {_ago(age)}",
            onset=change.at,
            strength=round(_nearness(age, DEPLOY_LOOKBACK, 0.3, 0.45) + bonus, 3),
            evidence=(evidence_id,),
            refuted_by=f"the symptom began before {_moment(change.at)}, or pods of the previous version have it too",
        )


def _newest(view: EvidenceView, kinds: frozenset[ChangeKind], lookback: timedelta) -> tuple[tuple[str, Change], ...]:
    """The newest change per target in [onset - lookback, onset] that may concern the incident's service."""
    newest: dict[str, tuple[str, Change]] = {}
    for evidence_id, change in sorted(view.changes(), key=lambda pair: pair[1].at):
        in_time = view.scope.onset - lookback <= change.at <= view.scope.onset
        if change.kind in kinds and in_time and concerns(change, view):
            newest[change.target] = (evidence_id, change)
    return tuple(newest.values())


def concerns(change: Change, view: EvidenceView) -> bool:
    """A change that names services concerns only those; one that names none may concern anything."""
    if not change.services:
        return True
    service = view.scope.incident.service
    named = {service.id, service.name} | {v for n in ("service", "app", "deployment") for v in view.scope.incident.label_values(n)}
    return bool(named & set(change.services))


def _alerted(view: EvidenceView, change: Change) -> bool:
    """Whether an alert is about the very thing that changed (a deployment's pod counts as the deployment)."""
    name = change.target.rsplit("/", 1)[-1]
    values = {v for label in _SUBJECT_LABELS for v in view.scope.incident.label_values(label)}
    return name in values or any(v.startswith(name + "-") for v in view.scope.incident.label_values("pod"))


def _object(target: str) -> str:
    """The target as "kind/name" of the finding vocabulary; anything else is an "app"."""
    kind, _, name = target.lower().partition("/")
    return f"{kind}/{name}" if kind in _OBJECT_KINDS and name else f"app/{(name or kind).replace('/', '-')}"


def _nearness(age: timedelta, lookback: timedelta, far: float, near: float) -> float:
    """`near` for a change right before the onset, falling to `far` at the end of the lookback."""
    return round(near - (near - far) * min(1.0, age / lookback), 3)


def _versions(before: str | None, after: str | None) -> str:
    """ " old -> new", or nothing where nobody said either."""
    return f" {before or '?'} -> {after or '?'}" if before or after else ""


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _ago(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min before the onset" if minutes >= 60 else f"{minutes} min before the onset"
