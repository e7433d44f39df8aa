"""MODEL_PROVIDER_ERRORS: the company behind the model (or the voice, or the line) refuses, fails, or answers late.

Pure. From request counters, from latencies, and from the calls that Langfuse saw. The object is "app/<provider or model>":
nothing of ours to act on.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from sre_agent.detectors.ai.outside_calls import Trouble, slowness, troubles
from sre_agent.detectors.ai.use import ErrorsRose, errors_rose, latency_rose
from sre_agent.evidence.ai.answer import REASON_OF, SAID_OF, Answer
from sre_agent.evidence.ai.outside import provider_of, tool_of
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

# Nearly all bad answers come from one of several models: then it is that model, not the company.
ONE_MODEL = 0.9
TOGETHER_S = 300.0
_FIRST_TOKEN = re.compile(r"first_token|first_chunk|ttft|ftl")
_WAY_OUT = (Answer.TIMED_OUT, Answer.UNREACHABLE)


@dataclass(frozen=True)
class _Names:
    """Which models are behind which provider, as the labels tell."""

    models: dict[str, set[str]]

    def provider(self, model: str) -> str | None:
        """The provider of a model, when only one claims it."""
        claimed = [p for p, models in self.models.items() if model.lower() in models]
        return claimed[0] if len(claimed) == 1 else None


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding per provider: bad answers first, else its latency. A tool's own series never count."""
    names = _names(view)
    found = {f.object: f for f in _refusals(view, names)}
    for finding in (*_from_use(view, names), *_lateness(view)):
        known = found.get(finding.object) or next((f for f in found.values() if _same_side(f, finding, names)), None)
        if known is None:
            found[finding.object] = finding
        elif known.reason is not FindingReason.SLOW and finding.reason is not FindingReason.SLOW:
            both = tuple(sorted({*known.evidence, *finding.evidence}))
            found[known.object] = known.model_copy(update={"evidence": both})
    return tuple(found[name] for name in sorted(found)) or _unnamed(view)


def _unnamed(view: EvidenceView) -> tuple[Finding, ...]:
    """First tokens that come late where no label says from whom. It may be the provider, longer prompts, or ourselves."""
    service = view.scope.incident.service

    def whose(series: Series) -> str | None:
        if not _FIRST_TOKEN.search(series.name) or provider_of(series) is not None or tool_of(series) is not None:
            return None
        named = (series.labels[n] for n in ("app", "service", "vertical", "deployment", "job") if series.labels.get(n))
        return next(named, service.name or service.id).lower()

    return tuple(
        Finding(
            kind=FindingKind.MODEL_PROVIDER_ERRORS,
            object=f"app/{slow.subject}",
            cause=f"first tokens of {slow.subject} come late: {slow.name} {slow.shift.before:.3g} -> {slow.shift.after:.3g}; "
            "no label says from which provider",
            reason=FindingReason.SLOW,
            onset=datetime.fromtimestamp(slow.shift.at, UTC),
            strength=0.5,
            evidence=slow.evidence,
            refuted_by="our own pods are short of CPU or workers since the onset, or the prompts got longer",
        )
        for slow in slowness(view, whose)
    )


def _names(view: EvidenceView) -> _Names:
    models: dict[str, set[str]] = defaultdict(set)
    for _, series in view.series():
        side = provider_of(series)
        if side is not None and side.provider and side.model:
            models[side.provider.lower()].add(side.model.lower())
    return _Names(models)


def _same_side(a: Finding, b: Finding, names: _Names) -> bool:
    """Whether one names the provider of the other's model."""
    first, second = a.object.partition("/")[2], b.object.partition("/")[2]
    return names.provider(first) == second or names.provider(second) == first


def _whole(series: Series) -> str | None:
    side = provider_of(series)
    return None if side is None else side.name.lower()


def _model(series: Series) -> str | None:
    side = provider_of(series)
    return side.model.lower() if side is not None and side.provider and side.model else None


def _refusals(view: EvidenceView, names: _Names) -> tuple[Finding, ...]:
    worst: dict[str, Trouble] = {}
    for trouble in troubles(view, _whole):
        if trouble.subject not in worst or worst[trouble.subject].share < trouble.share:
            worst[trouble.subject] = trouble
    by_model = {t.subject: t for t in troubles(view, _model)}
    chosen = [_narrowed(t, by_model, names) for t in worst.values()]
    away = [t for t in chosen if t.answer in _WAY_OUT]
    starts = [t.began for t in away]
    together = len({t.subject for t in away}) > 1 and max(starts) - min(starts) <= TOGETHER_S
    return tuple(_refused(t, together and t in away) for t in chosen)


def _narrowed(trouble: Trouble, by_model: dict[str, Trouble], names: _Names) -> Trouble:
    """The one model of a provider that fails, when the provider's others are well."""
    models = names.models.get(trouble.subject, set())
    failing = [by_model[m] for m in models if m in by_model]
    if len(models) < 2 or len(failing) != 1:
        return trouble
    return failing[0] if failing[0].rate_after >= ONE_MODEL * trouble.rate_after else trouble


def _refused(trouble: Trouble, together: bool) -> Finding:
    said = f"{trouble.subject} {SAID_OF[trouble.answer]}: {trouble.share:.0%} of its requests, {trouble.rate_after:.3g}/s"
    before = "" if trouble.rate_before is None else f", {trouble.rate_before:.3g}/s before"
    also = "; others became unreachable in the same minutes, so it may be our way out" if together else ""
    return Finding(
        kind=FindingKind.MODEL_PROVIDER_ERRORS,
        object=f"app/{trouble.subject}",
        cause=said + before + also,
        reason=REASON_OF[trouble.answer],
        onset=datetime.fromtimestamp(trouble.began, UTC),
        strength=0.5 if together else round(0.65 + 0.3 * trouble.share, 3),
        evidence=trouble.evidence,
        refuted_by="another provider fails in the same way over the same network",
    )


def _lateness(view: EvidenceView) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            kind=FindingKind.MODEL_PROVIDER_ERRORS,
            object=f"app/{slow.subject}",
            cause=f"{slow.subject} answers late: {slow.name} {slow.shift.before:.3g} -> {slow.shift.after:.3g}",
            reason=FindingReason.SLOW,
            onset=datetime.fromtimestamp(slow.shift.at, UTC),
            strength=0.6,
            evidence=slow.evidence,
            refuted_by="prompts or answers got longer at the onset, or everything else on the same network is slow too",
        )
        for slow in slowness(view, _whole)
    )


def _from_use(view: EvidenceView, names: _Names) -> tuple[Finding, ...]:
    """The same from the calls that the quality tracker recorded, hour by hour."""
    failing = [_failed_calls(rose, names) for rose in errors_rose(view)]
    late = [
        Finding(
            kind=FindingKind.MODEL_PROVIDER_ERRORS,
            object=f"app/{names.provider(rose.model) or rose.model.lower()}",
            cause=f"{rose.model} answers late: {rose.what} {rose.before:.3g} s -> {rose.after:.3g} s, tokens per call as before",
            reason=FindingReason.SLOW,
            onset=rose.at,
            strength=0.55,
            evidence=rose.evidence,
            refuted_by="prompts or answers got longer at the onset, or everything else on the same network is slow too",
        )
        for rose in latency_rose(view)
    ]
    return (*failing, *late)


def _failed_calls(rose: ErrorsRose, names: _Names) -> Finding:
    before = "hardly used before" if rose.share_before is None else f"{rose.share_before:.1%} before"
    said = f"calls of {rose.model} fail: {rose.share:.0%} of {rose.calls}, {before}"
    why = "" if rose.answer is None else f"; {rose.named} of {rose.looked_at} errors looked at say that it {SAID_OF[rose.answer]}"
    return Finding(
        kind=FindingKind.MODEL_PROVIDER_ERRORS,
        object=f"app/{names.provider(rose.model) or rose.model.lower()}",
        cause=said + why,
        reason=REASON_OF[rose.answer] if rose.answer is not None else None,
        onset=rose.at,
        strength=round(0.6 + 0.3 * rose.share, 3),
        evidence=rose.evidence,
        refuted_by="the errors are those of our own requests (too long, malformed), or another model fails in the same way",
    )
