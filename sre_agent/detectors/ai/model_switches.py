"""MODEL_CHANGED from the calls themselves: another model answers than before, and nobody had to announce it.

Pure. A gateway that falls back to another model because the first one fails is no change: that is the provider's finding.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.detectors.ai.use import uses
from sre_agent.evidence.ai.quality import ModelUse, Score
from sre_agent.evidence.ai.score_fall import Fall, fall
from sre_agent.evidence.ai.turnover import model_turnovers
from sre_agent.evidence.change import Changed, ChangeKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView


@dataclass(frozen=True)
class ModelSwitch:
    """`after` answers instead of `before` since `at`, for `prompts` (empty: for calls without a prompt)."""

    at: datetime
    before: str
    after: str
    prompts: tuple[str, ...]
    evidence: tuple[str, ...]


def model_switches(view: EvidenceView, lookback: timedelta) -> tuple[ModelSwitch, ...]:
    """Every change of model in [onset - lookback, onset] that the calls show, oldest first."""
    grouped: dict[str, list[tuple[str, ModelUse]]] = defaultdict(list)
    for evidence_id, use in uses(view):
        grouped[use.prompt or ""].append((evidence_id, use))
    joined: dict[tuple[str, str], ModelSwitch] = {}
    for prompt, each in sorted(grouped.items()):
        for turn in model_turnovers([u for _, u in each], whole_application=not prompt):
            if not view.scope.onset - lookback <= turn.at <= view.scope.onset:
                continue
            known = joined.get((turn.before, turn.after))
            prompts = {*(known.prompts if known else ()), *([prompt] if prompt else [])}
            evidence = {*(known.evidence if known else ()), *(e for e, _ in each)}
            at = min(turn.at, known.at) if known else turn.at
            joined[turn.before, turn.after] = ModelSwitch(
                at, turn.before, turn.after, tuple(sorted(prompts)), tuple(sorted(evidence))
            )
    return tuple(sorted(joined.values(), key=lambda s: (s.at, s.after)))


def changed_models(view: EvidenceView, lookback: timedelta, scores: Sequence[tuple[str, Score]]) -> tuple[Finding, ...]:
    """One finding per new model; stronger when a score fell with it."""
    found = []
    for switch in model_switches(view, lookback):
        age = view.scope.onset - switch.at
        fallen = _fallen(switch, scores)
        where = f" for prompt {', '.join(switch.prompts[:3])}" if switch.prompts else ""
        with_it = f", and {fallen.score} went from {fallen.old:.3g} to {fallen.new:.3g}" if fallen else ""
        cited = {e for e, s in scores if fallen and s.name == fallen.score}
        found.append(
            Finding(
                kind=FindingKind.MODEL_CHANGED,
                object=f"app/{switch.after.lower().replace('/', '-')}",
                cause=f"model {switch.before} -> {switch.after} answers{where} since {switch.at:%Y-%m-%d %H:%M}{with_it}",
                onset=switch.at,
                strength=0.65 if fallen else round(0.55 - 0.2 * min(1.0, age / lookback), 3),
                evidence=tuple(sorted({*switch.evidence, *cited})),
                refuted_by=f"the symptom began before {switch.at.isoformat()}, or traffic still on the old model has it too",
                changed=Changed(
                    kind=ChangeKind.MODEL,
                    what="",
                    at=switch.at,
                    before=switch.before,
                    after=switch.after,
                    score=fallen.change if fallen else None,
                ),
            )
        )
    return tuple(found)


def _fallen(switch: ModelSwitch, scores: Sequence[tuple[str, Score]]) -> Fall | None:
    mine = [s for _, s in scores if s.prompt is None or not switch.prompts or s.prompt in switch.prompts]
    falls = []
    for name in sorted({s.name for s in mine}):
        earlier = [s for s in mine if s.name == name and s.timestamp < switch.at]
        new = [s for s in mine if s.name == name and s.timestamp >= switch.at]
        if (found := fall(name, earlier, new)) is not None:
            falls.append(found)
    return max(falls, key=lambda f: f.t, default=None)
