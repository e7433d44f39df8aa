"""Policy tests as data: given a request, expect exactly this verdict because of exactly these policies.

A case names a base (a request known to be good) and changes single fields of it:

    - id: freeze-blocks-prod-restart
      base: good-restart
      given: {facts.active_freezes: [year-end]}
      expect: {verdict: deny, because: [deny-freeze]}
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.decision import Decision
from sre_agent.policy.facts import Situation, TargetDeclaration


class Expectation(BaseModel):
    """The verdict, the exact set of policy ids behind it, and for needs_approval how many approvals it takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["allow", "needs_approval", "deny", "hand_back"]
    because: tuple[str, ...]
    approvals: int | None = None
    shadow: tuple[str, ...] | None = None


class Case(BaseModel):
    """One given/expect pair. Keys of `given` are dotted paths into the base ("facts.halted", "proposal.target.uid")."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    base: str
    given: dict[str, Any] = {}
    expect: Expectation


def situation(case: Case, bases: dict[str, Any]) -> Situation:
    """The base with the case's changes. Raises ConfigurationError for an unknown base, an unknown field or a bad value."""
    if case.base not in bases:
        raise ConfigurationError(f"case {case.id!r}: there is no base {case.base!r}{_hint(case.base, bases)}")
    body = json.loads(json.dumps(bases[case.base]))
    for path, value in case.given.items():
        *parents, last = path.split(".")
        place = body
        for name in parents:
            place = place.get(name, {}) if isinstance(place, dict) else {}
        if last not in place and path.split(".")[0] != "declaration":
            raise ConfigurationError(f"case {case.id!r}: there is no field {path!r} to change{_hint(path, fields(body))}")
        place[last] = value
    try:
        return Situation.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise ConfigurationError(f"case {case.id!r}: {complaint(error, fields(body))}") from error


def fields(body: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted path of every value in a situation."""
    for key, value in body.items():
        if isinstance(value, dict) and value:
            yield from fields(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def complaint(error: ValidationError, known: Iterable[str] = ()) -> str:
    """The first thing that is wrong with a situation, in one line, with the field that was probably meant."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    unknown = _hint(where, (*known, *_DECLARABLE)) if first["type"] == "extra_forbidden" else ""
    return f"{where or 'the whole'}: {first['msg']}{unknown}"


_DECLARABLE = tuple(f"declaration.{name}" for name in TargetDeclaration.model_fields)


def _hint(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, [n for n in names if n != word], n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}" if len(names) < 10 else ""


def differences(case: Case, decision: Decision) -> tuple[str, ...]:
    """How a decision differs from what the case expects; empty when it does not."""
    found: list[str] = []
    want = case.expect
    if decision.verdict.value != want.verdict:
        found.append(f"verdict is {decision.verdict.value}, expected {want.verdict}")
    if set(decision.policy_ids) != set(want.because):
        found.append(f"decided by {sorted(decision.policy_ids)}, expected {sorted(want.because)}")
    if want.approvals is not None and decision.approvals_required != want.approvals:
        found.append(f"takes {decision.approvals_required} approvals, expected {want.approvals}")
    if want.shadow is not None and set(decision.shadow_ids) != set(want.shadow):
        found.append(f"shadow policies {sorted(decision.shadow_ids)}, expected {sorted(want.shadow)}")
    return tuple(f"case {case.id!r}: {f}" for f in found)
