"""PROMPT_REGRESSION: a quality score fell when a prompt version went live, and not before.

Pure. Scores are compared per version (evidence/score_fall.py); where scores carry no version, before and after the switch,
which is weaker because everything else changed with the clock, too.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.detectors.ai.quality_metrics import measured_scores
from sre_agent.evidence.ai.quality import ModelUse, PromptVersion, Score, rows, usable
from sre_agent.evidence.ai.score_fall import Fall, fall
from sre_agent.evidence.ai.turnover import Seen, turnovers
from sre_agent.evidence.change import Changed, ChangeKind, ScoreChange, by
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import unmarked

Scored = tuple[str, Score]


@dataclass(frozen=True)
class Switch:
    """A prompt version going live. `before` is None when nobody said what it replaced.

    `share` is what the version has of the newest hour's calls, None when nobody counted; `author` made the change, `writer`
    wrote the version, `message` is what they said about it.
    """

    prompt: str
    at: datetime
    before: str | None
    after: str | None
    evidence: tuple[str, ...]
    share: float | None = None
    author: str | None = None
    writer: str | None = None
    message: str | None = None
    link: str = ""

    def age(self, view: EvidenceView) -> timedelta:
        """How long before the onset."""
        return view.scope.onset - self.at

    @property
    def said(self) -> str:
        """The prompt and its versions, for a sentence."""
        part = f" for {self.share:.0%} of its calls" if self.share is not None and self.share < 0.7 else ""
        return f"prompt {unmarked(self.prompt)} {self.before or '?'} -> {self.after or '?'}{by(self.author)} went live{part}"

    def changed(self, score: ScoreChange | None = None) -> Changed:
        """The same as facts, with the score that fell."""
        known = {"before": self.before, "after": self.after, "author": self.author, "writer": self.writer}
        return Changed(
            kind=ChangeKind.PROMPT, what=self.prompt, at=self.at, message=self.message, link=self.link, score=score, **known
        )


@dataclass(frozen=True)
class _Found:
    """A fall, whether versions were compared or only times, and what it rests on."""

    fall: Fall
    by_version: bool
    evidence: tuple[str, ...]


def prompt_switches(view: EvidenceView, lookback: timedelta) -> tuple[Switch, ...]:
    """The newest switch per prompt in [onset - lookback, onset], from change feeds, prompt records, or traffic alone."""
    found: dict[str, Switch] = {}
    for switch in (*_from_traffic(view), *_from_prompts(view), *_from_changes(view)):
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
            share=known.share if same else None,
            author=switch.author or (known.author if same else None),
            writer=switch.writer or (known.writer if same else None),
            message=switch.message or (known.message if same else None),
            link=switch.link or (known.link if same else ""),
        )
    return tuple(found[name] for name in sorted(found))


def regressions(view: EvidenceView, lookback: timedelta) -> tuple[Finding, ...]:
    """One finding per prompt: its steepest fallen score."""
    scores = tuple(scored(view))
    findings = []
    switches = prompt_switches(view, lookback)
    for switch in switches:
        falls = [f for name in sorted({s.name for _, s in scores}) if (f := _fall(scores, name, switch)) is not None]
        if not falls:
            continue
        worst = max(falls, key=lambda f: (f.by_version, f.fall.t))
        rivals = [s.prompt for s in switches if s.prompt != switch.prompt and abs(s.at - switch.at) <= timedelta(hours=1)]
        blurred = bool(rivals) and not worst.by_version
        findings.append(
            Finding(
                kind=FindingKind.PROMPT_REGRESSION,
                object=f"prompt/{switch.prompt.lower()}",
                cause=(
                    f"{worst.fall.score} went from {worst.fall.old:.3g} to {worst.fall.new:.3g} when {switch.said}"
                    + (f"; so did {', '.join(rivals[:3])}, and the score says no version" if blurred else "")
                ),
                onset=switch.at,
                strength=round(min(0.95, 0.8 + worst.fall.t / 100) if worst.by_version else 0.55 if blurred else 0.6, 3),
                evidence=tuple(sorted({*switch.evidence, *worst.evidence})),
                refuted_by=f"the score stays low after version {switch.before or 'before'} is back in production",
                changed=switch.changed(worst.fall.change),
            )
        )
    return tuple(findings)


def scored(view: EvidenceView) -> Iterator[Scored]:
    """(evidence id, score) of all that are numbers: the tracker's own, and gauges of prompts whose scores it does not hold."""
    told = [(e, s) for e, payload in view.langfuse() for s in rows(payload, "scores", Score) if usable(s)]
    prompts = {s.prompt for _, s in told}
    yield from told
    yield from ((e, s) for e, s in measured_scores(view) if s.prompt not in prompts)


def _from_changes(view: EvidenceView) -> Iterator[Switch]:
    # SAFETY: whatever services a prompt change names, it counts: it can only take permission away.
    for evidence_id, change in sorted(view.changes(), key=lambda pair: pair[1].at):
        if change.kind is ChangeKind.PROMPT and change.at <= view.scope.onset:
            name = change.target.removeprefix("prompt/")
            # What Langfuse's own feed calls a summary was written here.
            said = change.message or (change.summary if change.source != "langfuse" else None)
            yield Switch(
                name,
                change.at,
                change.from_version,
                change.to_version,
                (evidence_id,),
                author=change.author,
                message=said,
                link=change.link,
            )


def _from_prompts(view: EvidenceView) -> Iterator[Switch]:
    for evidence_id, payload in view.langfuse():
        for prompt in rows(payload, "prompts", PromptVersion):
            if prompt.live_since is not None:
                yield Switch(
                    prompt.name,
                    prompt.live_since,
                    None,
                    prompt.version,
                    (evidence_id,),
                    writer=prompt.created_by,
                    message=prompt.message,
                    link=prompt.link,
                )


def _from_traffic(view: EvidenceView) -> Iterator[Switch]:
    """Versions that took over in the calls, or where those are not told, in what was scored."""
    called: dict[str, list[tuple[str, Seen]]] = defaultdict(list)
    judged: dict[str, list[tuple[str, Seen]]] = defaultdict(list)
    for evidence_id, payload in view.langfuse():
        for use in rows(payload, "models", ModelUse):
            if use.prompt and use.version:
                called[use.prompt].append((evidence_id, Seen(use.version, use.timestamp, use.count)))
    for evidence_id, score in scored(view):
        if score.prompt and score.version:
            judged[score.prompt].append((evidence_id, Seen(score.version, score.timestamp, score.count)))
    for prompt, seen in sorted((judged | called).items()):
        evidence = tuple(sorted({e for e, _ in seen}))
        for turn in turnovers(s for _, s in seen if s.at <= view.scope.now):
            if turn.at <= view.scope.onset:
                yield Switch(prompt, turn.at, turn.before, turn.after, evidence, share=turn.share)


def _fall(scores: Sequence[Scored], name: str, switch: Switch) -> _Found | None:
    mine = [(e, s) for e, s in scores if s.name == name and s.prompt in (None, switch.prompt)]
    versioned = [(e, s) for e, s in mine if s.prompt and s.version]
    if versioned and switch.after is not None:
        new = [s for _, s in versioned if s.version == switch.after]
        earlier = [s for _, s in versioned if s.version != switch.after and (switch.before is None or s.version == switch.before)]
        if new and earlier and min(s.timestamp for s in new) < min(s.timestamp for s in earlier):
            # The version was there before and came back: only what it did since counts.
            back = switch.at.replace(minute=0, second=0, microsecond=0)
            new = [s for s in new if s.timestamp >= back]
        used, by_version = versioned, True
    else:
        new = [s for _, s in mine if s.timestamp >= switch.at]
        earlier = [s for _, s in mine if s.timestamp < switch.at]
        used, by_version = mine, False
    found = fall(name, earlier, new)
    return None if found is None else _Found(found, by_version, tuple(sorted({e for e, _ in used})))
