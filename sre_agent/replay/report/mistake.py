"""What the agent would have done wrong, as far as what people wrote down can show it. A closed set (docs/replay.md)."""

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import AlertClass
from sre_agent.policy.decision import Verdict
from sre_agent.replay.agreement import Agreement, AgreementKind
from sre_agent.replay.done import Done
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.result import CaseResult


class Severity(IntEnum):
    """How bad; the largest first in every list."""

    LOST = 1
    """A chance was not taken; nothing is worse than without the agent."""
    WRONG = 2
    """People would have been misled or asked for the wrong thing."""
    GRAVE = 3
    """Something would have been done, or could have been with a person's yes, that must not be."""


class MistakeKind(StrEnum):
    """One kind of would-be mistake."""

    NOT_INFRA = "not_infra"
    ALONE_OTHERWISE = "alone_otherwise"
    ALONE_FOR_NOTHING = "alone_for_nothing"
    ASKED_OTHERWISE = "asked_otherwise"
    ASKED_FOR_NOTHING = "asked_for_nothing"
    WRONG_CLASS = "wrong_class"
    OTHER_CAUSE = "other_cause"
    LEFT_ALONE = "left_alone"
    MISSED = "missed"

    @property
    def severity(self) -> Severity:
        """How bad this kind is."""
        return EXPLAINED[self][0]

    @property
    def explanation(self) -> str:
        """One sentence for people."""
        return EXPLAINED[self][1]


_K = MistakeKind
EXPLAINED: Final[dict[MistakeKind, tuple[Severity, str]]] = {
    _K.NOT_INFRA: (Severity.GRAVE, "an action was allowed or asked for on an incident that was not infrastructure"),
    _K.ALONE_OTHERWISE: (Severity.GRAVE, "the agent would have acted by itself, and people did something else"),
    _K.ALONE_FOR_NOTHING: (Severity.GRAVE, "the agent would have acted by itself where it passed with nobody doing anything"),
    _K.ASKED_OTHERWISE: (Severity.WRONG, "people would have been asked for something else than what they did"),
    _K.ASKED_FOR_NOTHING: (Severity.WRONG, "people would have been asked to agree to an action where nothing had to be done"),
    _K.WRONG_CLASS: (Severity.WRONG, "the agent found another class than the incident had"),
    _K.OTHER_CAUSE: (Severity.WRONG, "the agent named another root cause than people found"),
    _K.LEFT_ALONE: (Severity.WRONG, "the agent said that there was nothing to do, and people had to act"),
    _K.MISSED: (Severity.LOST, "people did exactly one of the agent's actions, and the agent would not have"),
}
"""Severity and explanation of each kind."""

ACTING: Final = (Verdict.ALLOW, Verdict.NEEDS_APPROVAL)


class Mistake(BaseModel):
    """One would-be mistake of one case; `told` says what it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: MistakeKind
    told: str


def mistakes(replayed: Replayed, agreed: Agreement) -> tuple[Mistake, ...]:
    """The would-be mistakes of a case, worst first. What people did not write down is never held against the agent."""
    result, outcome = replayed.result, replayed.told.outcome if replayed.told else None
    if result is None or outcome is None:
        return ()
    found = [*_of_class(result, outcome.true_class), *_of_action(result, agreed), *_of_cause(result, replayed)]
    found += _left_undone(result, agreed.people)
    return tuple(sorted(found, key=lambda m: (-m.kind.severity, list(MistakeKind).index(m.kind))))


def _of_class(result: CaseResult, true: AlertClass | None) -> Iterator[Mistake]:
    if true is None or true is AlertClass.UNKNOWN:
        return
    if true is not AlertClass.INFRA and result.verdict in ACTING:
        yield Mistake(kind=_K.NOT_INFRA, told=f"it was {true.value}; verdict {result.verdict.value}")
    # Unknown and mixed are no claims: the agent says that it cannot tell, and does nothing.
    if result.alert_class not in (true, AlertClass.UNKNOWN, AlertClass.MIXED):
        yield Mistake(kind=_K.WRONG_CLASS, told=f"found {result.alert_class.value}; it was {true.value}")


def _of_action(result: CaseResult, agreed: Agreement) -> Iterator[Mistake]:
    if result.verdict not in ACTING:
        return
    alone = result.verdict is Verdict.ALLOW
    if agreed.kind is AgreementKind.DISAGREE:
        yield Mistake(kind=_K.ALONE_OTHERWISE if alone else _K.ASKED_OTHERWISE, told=f"{agreed.action}; {agreed.reason}")
    if agreed.kind is AgreementKind.PEOPLE_DID_NOTHING:
        yield Mistake(kind=_K.ALONE_FOR_NOTHING if alone else _K.ASKED_FOR_NOTHING, told=f"{agreed.action}; {agreed.reason}")


def _of_cause(result: CaseResult, replayed: Replayed) -> Iterator[Mistake]:
    outcome = replayed.told.outcome if replayed.told else None
    if outcome is None or outcome.cause is None or not result.root_causes:
        return
    first = result.root_causes[0]
    other_object = bool(outcome.cause_object) and _name(outcome.cause_object) != _name(first.object)
    if first.kind is not outcome.cause or other_object:
        people = f"{outcome.cause.value} {outcome.cause_object}".strip()
        yield Mistake(kind=_K.OTHER_CAUSE, told=f"named {first.kind.value} {first.object}; people found {people}")


def _left_undone(result: CaseResult, people: tuple[Done, ...]) -> Iterator[Mistake]:
    useful = [d for d in people if d.action and d.helped is not False]
    if result.verdict in ACTING:
        return
    if useful:
        kind = _K.LEFT_ALONE if result.verdict is Verdict.NO_ACTION else _K.MISSED
        yield Mistake(kind=kind, told=f"people did {useful[0].action}; verdict {result.verdict.value}")


def _name(named: str) -> tuple[str, str]:
    parts = named.lower().split("/")
    return parts[0], parts[-1]
