"""The seal is set in one place and read in one place, so a permit can come from nowhere else."""

import ast

from tests.house.tree import name, parsed, sources

MINTING = {"Permit", "seal"}
OPENING = {"seal_holds"}


def _callers(names: set[str]) -> set[str]:
    """The files that call one of these functions, by whatever path they reach it."""
    return {
        name(path)
        for path in sources()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in names
    }


def test_only_the_guard_mints():
    assert _callers(MINTING) == {"sre_agent/policy/guard.py"}


def test_only_the_executor_opens():
    assert _callers(OPENING) == {"sre_agent/execution/executor.py"}


def test_no_permit_is_read_from_text():
    readers = {"Permit.model_validate", "Permit.model_validate_json", "Permit.model_construct", "Permit.parse_obj"}
    found = [name(p) for p in sources() for n in ast.walk(parsed(p)) if isinstance(n, ast.Attribute) and ast.unparse(n) in readers]
    assert found == []
