"""The answers of a case: what people did (outcome.json), what a test expects (expect.json). Never shown to the agent."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from sre_agent.evidence.finding import FindingKind
from sre_agent.incident.alert import AlertClass
from sre_agent.policy.whitelist import WHITELIST
from sre_agent.replay.case_file import CaseReader
from sre_agent.replay.case_shapes import Instant, JsonObject

OTHER: Final = "other"
"""In place of an action's name: what was done is none of the agent's actions."""

_ACTIONS: Final = (*(row.action for row in WHITELIST), OTHER)
_OBJECT = re.compile(r"[a-z]+(?:/[^/\s]+){1,2}")


def _known_action(name: str) -> str:
    if name not in _ACTIONS:
        raise ValueError(f"is none of {', '.join(_ACTIONS)}")
    return name


def _object(name: str) -> str:
    if name and not _OBJECT.fullmatch(name):
        raise ValueError("is not kind/name or kind/namespace/name with the kind in lower case")
    return name


class HumanAction(BaseModel):
    """One thing a person did. `what` is free text; `action`, `target` and `helped` say the same so that it can be compared.

    `action` is one of the agent's actions or OTHER; `target` is "kind/name" or "kind/namespace/name"; `helped` is False for
    what was tried in vain.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: Instant
    by: str = ""
    what: str = ""
    action: Annotated[str, AfterValidator(_known_action)] | None = None
    target: Annotated[str, AfterValidator(_object)] = ""
    helped: bool | None = None


class HumanOutcome(BaseModel):
    """outcome.json. `actions` None: nobody wrote down what was done; empty: nothing was done.

    `root_cause` is free text; `cause` (a finding kind) and `cause_object` ("kind/name") say the same so that it can be compared.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    acknowledged_at: Instant | None = None
    resolved_at: Instant | None = None
    actions: tuple[HumanAction, ...] | None = None
    root_cause: str = ""
    cause: FindingKind | None = None
    cause_object: Annotated[str, AfterValidator(_object)] = ""
    notes: str = ""
    true_class: AlertClass | None = Field(default=None, alias="class")
    acknowledged_by: str = ""
    resolved_by: str = ""
    resolved_automatically: bool | None = None
    merged_into: str | None = None


def outcome_of(folder: Path) -> HumanOutcome | None:
    """What people did; None when nobody wrote it down. Raises MalformedCase."""
    return CaseReader(folder).json("outcome.json", TypeAdapter(HumanOutcome))


def expectation_of(folder: Path) -> JsonObject | None:
    """The parts of the printed result that must hold; None when the case has no golden answer. Raises MalformedCase."""
    return CaseReader(folder).json("expect.json", TypeAdapter(JsonObject))


def differences(expected: object, actual: object, where: str = "") -> Iterator[str]:
    """Where `actual` is not as expected, one line each.

    Of an object only the expected keys are compared, of a list only as many items from its start as are expected;
    an expected empty list means an empty list.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            path = f"{where}.{key}".lstrip(".")
            if key not in actual:
                yield f"{path}: missing"
            else:
                yield from differences(value, actual[key], path)
    elif isinstance(expected, list) and isinstance(actual, list | tuple):
        if len(actual) < len(expected) or (not expected and actual):
            yield f"{where}: {len(expected)} expected, {len(actual)} found"
        for i, (value, found) in enumerate(zip(expected, actual, strict=False)):
            yield from differences(value, found, f"{where}[{i}]")
    elif expected != actual:
        yield f"{where}: {expected!r} expected, {actual!r} found"
