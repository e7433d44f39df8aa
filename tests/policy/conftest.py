"""The shipped bundle, loaded once, and the situations its cases start from."""

from pathlib import Path
from typing import Any

import pytest

from sre_agent.policy.bundle import Bundle
from sre_agent.policy.case import Case, Expectation, situation
from sre_agent.policy.facts import Situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.load import load_bundle, load_cases

POLICIES = Path(__file__).parents[2] / "policies"
KEY = b"k" * 32


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle(POLICIES)


@pytest.fixture(scope="session")
def guard(bundle: Bundle) -> Guard:
    return Guard(bundle, "test-agent", KEY)


@pytest.fixture(scope="session")
def bases() -> dict[str, Any]:
    return load_cases(POLICIES)[1]


@pytest.fixture(scope="session")
def make(bases):
    """A situation from a base and dotted changes: make("good-restart", **{"facts.halted": True})."""

    def build(base: str, **given: Any) -> Situation:
        expect = Expectation(verdict="allow", because=())
        return situation(Case(id="made", base=base, given=given, expect=expect), bases)

    return build
