"""What a model sends back, made usable or refused. Pure.

Strict on purpose: prose around the JSON, a number as text, a key given twice, a field too many make the whole answer
unusable. A reading that is guessed at could turn a veto into none.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre_agent.evidence.diagnosis import ModelUsage
from sre_agent.incident.alert import AlertClass
from sre_agent.investigation.chat import ToolCall
from sre_agent.investigation.reasoner import Opinion, Statement

MOST_ANSWER_CHARS = 50_000
MOST_ARGUMENT_CHARS = 1_000
_FENCE = re.compile(r"\A\s*```(?:json)?\s*(\{.*\})\s*```\s*\Z", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Stated(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    text: str = Field(min_length=1)
    evidence: list[str]


class _Answer(BaseModel):
    """The structured answer, checked: anything else in it makes it unusable."""

    model_config = ConfigDict(extra="forbid", strict=True)

    statements: list[_Stated] = Field(max_length=20)
    alert_class: AlertClass
    confidence_percent: int = Field(ge=0, le=100)
    veto: str | None
    runbook: str | None


class _Twice(ValueError):
    """A key stands twice in one object: which of the two was meant?"""


def parsed(text: str) -> Opinion | None:
    """The answer, bare or in one code fence, as an opinion without usage; None for anything else."""
    if len(text) > MOST_ANSWER_CHARS:
        return None
    fenced = _FENCE.match(text)
    body = fenced.group(1) if fenced else text
    try:
        json.loads(body, object_pairs_hook=_unique)
        answer = _Answer.model_validate_json(body)
    except (ValidationError, ValueError, RecursionError):
        return None
    return Opinion(
        statements=tuple(Statement(text=s.text, evidence=tuple(s.evidence)) for s in answer.statements),
        claimed_class=answer.alert_class,
        confidence_bp=answer.confidence_percent * 100,
        veto=answer.veto,
        runbook=answer.runbook,
        usage=ModelUsage(),
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise _Twice
    return told


def usable_calls(calls: Sequence[ToolCall], most: int, turn: int) -> tuple[ToolCall, ...]:
    """The first `most` calls as they can be stored and sent back: ids that differ, names that the API takes, short arguments.

    What does not fit becomes something that is no valid look, and is answered as such. `turn` makes new ids unique.
    """
    out: list[ToolCall] = []
    taken: set[str] = set()
    for i, call in enumerate(calls[:most], start=1):
        id_ = call.id if _NAME.fullmatch(call.id) and call.id not in taken else f"look_{turn}_{i}"
        taken.add(id_)
        name = call.name if _NAME.fullmatch(call.name) else "unknown"
        arguments = call.arguments if len(call.arguments) <= MOST_ARGUMENT_CHARS else '{"too": "long"}'
        out.append(ToolCall(id=id_, name=name, arguments=arguments))
    return tuple(out)
