"""Rooms that decide take `now` and ids as values: no clock, no dice, no environment, no logger in them, lazily or not."""

import ast
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, imported, name, parsed, sources

PURE = ("incident", "intake", "audit", "triage", "runbook", "detectors", "policy", "approval", "verification", "handback", "noise")
PURE_FILES = ("response/lifecycle.py", "response/conclude.py", "response/applied.py", "replay/charts.py")
FORBIDDEN = {"os", "time", "random", "secrets", "uuid", "logging", "asyncio", "threading", "socket", "subprocess", "urllib", "http"}
CLOCKS = {"now", "utcnow", "today"}


def _pure() -> list[Path]:
    """The files the ban is for."""
    return [path for path in sources() if path.relative_to(PACKAGE).parts[0] in PURE] + [PACKAGE / file for file in PURE_FILES]


@pytest.mark.parametrize("path", _pure(), ids=name)
def test_a_room_that_decides_imports_nothing_that_changes_by_itself(path: Path):
    assert {module.split(".")[0] for module in imported(path)} & FORBIDDEN == set()


@pytest.mark.parametrize("path", _pure(), ids=name)
def test_a_room_that_decides_reads_no_clock(path: Path):
    read = [
        ast.unparse(node)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and node.attr in CLOCKS
        and isinstance(node.value, ast.Name)
        and node.value.id in ("datetime", "date")
    ]
    assert read == []
