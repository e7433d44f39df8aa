"""Policy tests run as people run them: every case of a folder, what failed and where, and what no case is about."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.bundle import Bundle
from sre_agent.policy.case import Case, differences, situation
from sre_agent.policy.guard import DEFAULT_DENY, FAULT, Guard
from sre_agent.policy.lint import suggestion
from sre_agent.policy.load import located_cases


class SuiteResult(BaseModel):
    """`failures` are "file:line: what"; `untested` the ids of policies that decide no case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: int
    held: int
    failures: tuple[str, ...]
    untested: tuple[str, ...]


def run_suite(folder: Path, bundle: Bundle) -> SuiteResult:
    """Every case of the folder's tests against the bundle. Raises ConfigurationError for a test file that is malformed."""
    located, bases = located_cases(folder)
    guard = Guard(bundle, "policy-test", b"")
    seen: dict[str, str] = {}
    failures: list[str] = []
    held = 0
    for place, case in located:
        wrong = list(_failures(case, bases, guard, bundle))
        if (first := seen.setdefault(case.id, place)) != place:
            wrong.append(f"this id is used already at {first}")
        held += not wrong
        if wrong:
            failures.append(f"{place}: case {case.id!r}: {'; '.join(wrong)}")
    return SuiteResult(cases=len(located), held=held, failures=tuple(failures), untested=tuple(_untested(bundle, located)))


def _failures(case: Case, bases: dict[str, Any], guard: Guard, bundle: Bundle) -> Iterator[str]:
    head = f"case {case.id!r}: "
    try:
        decision = guard.decide(situation(case, bases))
    except ConfigurationError as error:
        yield str(error).removeprefix(head)
        return
    yield from (difference.removeprefix(head) for difference in differences(case, decision))
    if decision.fault:
        yield decision.fault
    for name in (*case.expect.because, *(case.expect.shadow or ())):
        if name not in bundle.rules and name not in (DEFAULT_DENY, FAULT):
            yield f"there is no policy {name!r}{suggestion(name, tuple(bundle.rules))}"


def _untested(bundle: Bundle, located: tuple[tuple[str, Case], ...]) -> Iterator[str]:
    """Policies about what the agent does that no case names; who may approve is tested in code."""
    named = {i for _, case in located for i in (*case.expect.because, *(case.expect.shadow or ()))}
    return (rule.id for rule in bundle.rules.values() if rule.id not in named and "approve" not in rule.actions)
