"""PROMPT_REGRESSION: a quality score fell when a prompt version went live, and not before.

Pure. Scores are compared per version (Welch's t statistic, B. L. Welch 1947); where scores carry no version, before and
after the switch, which is weaker because everything else changed with the clock, too.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from pydantic import ValidationError

from sre_agent.evidence.change import ChangeKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.quality import PromptVersion, Score
from sre_agent.evidence.view import EvidenceView

MIN_SCORES = 10
MIN_FALL = 0.02
MIN_T = 3.0
# Fewer means than this say nothing about the spread between them.
MIN_PERIODS = 4
_LOWER_IS_BETTER = frozenset(
    {"error", "errors", "hallucination", "hallucinations", "toxicity", "latency", "cost", "failure", "failures", "wer", "refusal"}
)


@dataclass(frozen=True)
class Switch:
    """A prompt version going live. `before` is None when nobody said what it replaced."""

    prompt: str
    at: datetime
    before: str | None
    after: str | None
    evidence: tuple[str, ...]

    def age(self, view: EvidenceView) -> timedelta:
        """How long before the onset."""
        return view.scope.onset - self.at


@dataclass(frozen=True)
class _Fall:
    """`score` fell from mean `old` to mean `new`; t in standard errors; `by_version` False: by time only."""

    score: str
    old: float
    new: float
    t: float
    by_version: bool
    evidence: tuple[str, ...]


def prompt_switches(view: EvidenceView, lookback: timedelta) -> tuple[Switch, ...]:
    """The newest switch per prompt in [onset - lookback, onset], from change feeds, prompt records, or scores alone."""
    found: dict[str, Switch] = {}
    for switch in (*_from_scores(view), *_from_prompts(view), *_from_changes(view)):
        if not view.scope.onset - lookback <= switch.at <= view.scope.onset:
            continue
        known = found.get(switch.prompt)
        if known is None:
            found[switch.prompt] = switch
            continue
        # A later, better source names the moment; what it leaves open is kept from the others.
        same = known.after == switch.after or switch.after is None
        found[switch.prompt] = Switch(
            prompt=switch.prompt,
            at=switch.at,
            before=switch.before or (known.before if same else None),
            after=switch.after or known.after,
            evidence=tuple(sorted({*known.evidence, *switch.evidence})),
        )
    return tuple(found[name] for name in sorted(found))


def regressions(view: EvidenceView, lookback: timedelta) -> tuple[Finding, ...]:
    """One finding per prompt: its steepest fallen score."""
    scores = tuple(_scores(view))
    findings = []
    for switch in prompt_switches(view, lookback):
        falls = [f for name in sorted({s.name for _, s in scores}) if (f := _fall(scores, name, switch)) is not None]
        if not falls:
            continue
        fall = max(falls, key=lambda f: (f.by_version, f.t))
        findings.append(
            Finding(
                kind=FindingKind.PROMPT_REGRESSION,
                object=f"prompt/{switch.prompt.lower()}",
                cause=(
                    f"{fall.score} went from {fall.old:.3g} to {fall.new:.3g} when prompt {switch.prompt} "
                    f"{switch.before or '?'} -> {switch.after or '?'} went live"
                ),
                onset=switch.at,
                strength=round(min(0.95, 0.8 + fall.t / 100) if fall.by_version else 0.6, 3),
                evidence=tuple(sorted({*switch.evidence, *fall.evidence})),
                refuted_by=f"the score stays low after version {switch.before or 'before'} is back in production",
            )
        )
    return tuple(findings)


def _scores(view: EvidenceView) -> Iterator[tuple[str, Score]]:
    for evidence_id, payload in view.langfuse():
        for raw in payload.get("scores", ()):
            try:
                score = Score.model_validate(raw)
            except ValidationError:
                continue
            if math.isfinite(score.value) and score.count > 0:
                yield evidence_id, score


def _from_changes(view: EvidenceView) -> Iterator[Switch]:
    # SAFETY: whatever services a prompt change names, it counts: it can only take permission away.
    for evidence_id, change in sorted(view.changes(), key=lambda pair: pair[1].at):
        if change.kind is ChangeKind.PROMPT and change.at <= view.scope.onset:
            name = change.target.removeprefix("prompt/")
            yield Switch(name, change.at, change.from_version, change.to_version, (evidence_id,))


def _from_prompts(view: EvidenceView) -> Iterator[Switch]:
    for evidence_id, payload in view.langfuse():
        for raw in payload.get("prompts", ()):
            try:
                prompt = PromptVersion.model_validate(raw)
            except ValidationError:
                continue
            if prompt.live_since is not None:
                yield Switch(prompt.name, prompt.live_since, None, prompt.version, (evidence_id,))


def _from_scores(view: EvidenceView) -> Iterator[Switch]:
    """A version first seen after another one had been scored for a while went live about then."""
    rows: dict[str, dict[str, list[tuple[str, Score]]]] = {}
    for evidence_id, score in sorted(_scores(view), key=lambda pair: pair[1].timestamp):
        if score.prompt and score.version:
            rows.setdefault(score.prompt, {}).setdefault(score.version, []).append((evidence_id, score))
    for prompt, versions in sorted(rows.items()):
        for (before, old), (after, new) in pairwise(versions.items()):
            evidence_id, first = new[0]
            # Two versions that run side by side from the start are an experiment, not a switch.
            if _count([s for _, s in old if s.timestamp < first.timestamp]) >= MIN_SCORES:
                yield Switch(prompt, first.timestamp, before, after, (evidence_id,))


def _fall(scores: Sequence[tuple[str, Score]], name: str, switch: Switch) -> _Fall | None:
    mine = [(e, s) for e, s in scores if s.name == name and s.prompt in (None, switch.prompt)]
    versioned = [(e, s) for e, s in mine if s.prompt and s.version]
    if versioned and switch.after is not None:
        new = [s for _, s in versioned if s.version == switch.after]
        earlier = [s for _, s in versioned if s.version != switch.after and (switch.before is None or s.version == switch.before)]
        used, by_version = versioned, True
    else:
        new = [s for _, s in mine if s.timestamp >= switch.at]
        earlier = [s for _, s in mine if s.timestamp < switch.at]
        used, by_version = mine, False
    if _count(new) < MIN_SCORES or _count(earlier) < MIN_SCORES:
        return None
    old_mean, new_mean = _mean(earlier), _mean(new)
    down = -1.0 if _LOWER_IS_BETTER & set(re.split(r"[^a-z]+", name.lower())) else 1.0
    drop = down * (old_mean - new_mean)
    error = math.sqrt(_variance(earlier) / _count(earlier) + _variance(new) / _count(new))
    t = drop / error if error > 0 else math.inf
    if drop < MIN_FALL * max(abs(old_mean), 1e-12) or t < MIN_T or _fell_before(earlier, down, old_mean - down * drop / 2):
        return None
    return _Fall(name, old_mean, new_mean, min(t, 1000.0), by_version, tuple(sorted({e for e, _ in used})))


def _fell_before(earlier: list[Score], down: float, halfway: float) -> bool:
    """True when the old version's last quarter was already on the new level: then the switch is not the reason."""
    ordered = sorted(earlier, key=lambda s: s.timestamp)
    tail = ordered[-max(1, len(ordered) // 4) :]
    return down * _mean(tail) < down * halfway


def _count(scores: Sequence[Score]) -> int:
    return sum(s.count for s in scores)


def _mean(scores: Sequence[Score]) -> float:
    return sum(s.value * s.count for s in scores) / _count(scores)


def _variance(scores: Sequence[Score]) -> float:
    """Variance of a single score. Means of n scores spread by variance / n; within [0, 1] it is at most m(1 - m)."""
    mean = _mean(scores)
    observed = sum(s.count * (s.value - mean) ** 2 for s in scores) / max(1, len(scores) - 1)
    if any(s.count > 1 for s in scores) and all(0.0 <= s.value <= 1.0 for s in scores):
        bound = mean * (1.0 - mean)
        return bound if len(scores) < MIN_PERIODS else min(bound, observed)
    return observed
