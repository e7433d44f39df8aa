"""One case in a report: a line of it, small enough that ten thousand fit into memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.evidence.redact import case_key, redact, redaction_key
from sre_agent.policy.decision import Verdict
from sre_agent.replay.agreement import agreement
from sre_agent.replay.done import kind_word
from sre_agent.replay.replayed import LONGEST_TEXT, Replayed, Told
from sre_agent.replay.report.labels import LabelGap, label_gaps
from sre_agent.replay.report.mistake import Mistake, mistakes
from sre_agent.replay.report.saving import DEFAULT_SOAK_S, Saving, saving

NOTHING_SAVED: Final = Saving()

WANTING: Final = frozenset(
    {"not-enough-data", "refuse-facts-unavailable", "refuse-lookback-uncovered", "refuse-evidence-thin", "target-unresolved"}
)
"""Policy ids of what was handed back because something could not be seen."""


@dataclass(frozen=True, slots=True)
class Row:
    """`proposal` is "action kind/name", "" for none; `empty`: sources that had nothing, `failing` that could not
    answer; `wanting`: handed back because something could not be seen."""

    case: str
    place: str
    service: str = ""
    title: str = ""
    labelled: str = ""
    found: str = ""
    true: str = ""
    verdict: str = ""
    approvals: int = 0
    policy_ids: tuple[str, ...] = ()
    reason: str = ""
    cause: str = ""
    runbook: str = ""
    proposal: str = ""
    agreement: str = ""
    people: str = ""
    mistakes: tuple[Mistake, ...] = ()
    labels: tuple[LabelGap, ...] = ()
    empty: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    wanting: bool = False
    saved: Saving = NOTHING_SAVED
    usd: float = 0.0
    calls: int = 0
    fallback: bool = False
    error: str = ""

    @property
    def severity(self) -> int:
        """Of the worst would-be mistake; 0 for none."""
        return max((m.kind.severity for m in self.mistakes), default=0)


def row_of(done: Replayed, soaks: Mapping[str, int]) -> Row:
    """The line of one case. `soaks`: seconds by runbook. Text is redacted, under the case's own key, and cut."""
    with redaction_key(case_key(done.case)):
        return _row(done, soaks)


def _row(done: Replayed, soaks: Mapping[str, int]) -> Row:
    result, told = done.result, done.told
    if result is None or told is None:
        return Row(case=_text(done.case), place=_text(done.place), error=_text(done.error or "no result"))
    agreed = agreement(done)
    first = result.root_causes[0] if result.root_causes else None
    proposal, outcome = result.proposal, told.outcome
    soak = soaks.get(proposal.runbook, DEFAULT_SOAK_S) if proposal else DEFAULT_SOAK_S
    return Row(
        case=_text(done.case),
        place=_text(done.place),
        service=_text(told.service),
        title=_text(told.title),
        labelled=result.labelled_class.value,
        found=result.alert_class.value,
        true=outcome.true_class.value if outcome and outcome.true_class else "",
        verdict=result.verdict.value,
        approvals=result.approvals_required or 0,
        policy_ids=result.policy_ids,
        reason=_text(result.reasons[0]) if result.reasons else "",
        cause=_text(f"{first.kind.value} {first.object}") if first else "",
        runbook=proposal.runbook if proposal else "",
        proposal=_text(f"{proposal.action} {kind_word(proposal.target)}/{proposal.target.name}") if proposal else "",
        agreement=agreed.kind.value,
        people=_people(done),
        mistakes=mistakes(done, agreed),
        labels=label_gaps(done),
        empty=_silent(told, EvidenceStatus.NO_DATA),
        failing=_silent(told, EvidenceStatus.ERROR),
        wanting=result.verdict is Verdict.HAND_BACK and bool(WANTING & set(result.policy_ids)),
        saved=saving(done, agreed, soak),
        usd=result.model.usd,
        calls=result.model.calls,
        fallback=result.model.fallback is not None,
    )


def _silent(told: Told, status: EvidenceStatus) -> tuple[str, ...]:
    """The sources of which no answer was good and one is `status`; what failed is not told as empty too."""
    good = {a.source for a in told.answers if a.status is EvidenceStatus.OK}
    failing = {a.source for a in told.answers if a.status is EvidenceStatus.ERROR} - good
    empty = {a.source for a in told.answers} - good - failing
    return tuple(sorted(failing if status is EvidenceStatus.ERROR else empty))


def _people(done: Replayed) -> str:
    outcome = done.told.outcome if done.told else None
    if outcome is None or outcome.actions is None:
        return "not written down"
    return _text("; ".join(a.what or f"{a.action} {a.target}" for a in outcome.actions)) or "nothing"


def _text(text: str) -> str:
    return redact(text)[:LONGEST_TEXT]
