"""An import that is made of text at run time is invisible to every contract, so only wiring may make one."""

import ast

from tests.house.tree import imported, name, parsed, sources

DYNAMIC = {"importlib", "pkgutil", "runpy", "imp", "zipimport"}
CALLS = {"__import__", "exec", "eval", "compile"}


def test_only_wiring_imports_by_name():
    users = {name(path) for path in sources() if {module.split(".")[0] for module in imported(path)} & DYNAMIC}
    assert users == {"sre_agent/wiring/discovery.py"}


def test_no_text_is_run_as_code():
    found = [
        (name(path), node.func.id)
        for path in sources()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS
    ]
    assert found == []
