"""Caps on size, and names that are not allowed because they mean nothing."""

import ast
import re
from pathlib import Path

import pytest

from tests.house.tree import functions, name, parsed, sources

FILE_CAP = 350
FUNCTION_CAP = 60
PARAMETER_CAP = 6

PERMITS = {"sre_agent/policy/guard.py:permit", "sre_agent/response/assess.py:permit"}
"""What a permit binds is said in full, by name, where it is asked for: the one question that takes more."""

EVERYTHING = (*sources(), *sources("tests"), *sources("docs"))
FORBIDDEN_FILES = {"utils", "util", "helpers", "helper", "models", "types", "common", "misc", "base", "manager"}
FORBIDDEN_CLASS = re.compile(r"(Manager|Helpers?|Utils?|Base|Data|Info)$|^Base[A-Z]")


def test_there_is_something_to_measure():
    assert len(EVERYTHING) > 100


def test_no_file_is_longer_than_its_cap():
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in EVERYTHING}
    assert {path: length for path, length in lengths.items() if length > FILE_CAP} == {}


def test_no_function_is_longer_than_its_cap():
    lengths = {f"{name(p)}:{f.name}": (f.end_lineno or f.lineno) - f.lineno + 1 for p in EVERYTHING for f in functions(p)}
    assert {function: length for function, length in lengths.items() if length > FUNCTION_CAP} == {}


def test_no_function_of_the_product_takes_more_than_six_arguments():
    many = {f"{name(p)}:{f.name}" for p in sources() for f in functions(p) if _parameters(f) > PARAMETER_CAP}
    assert many - PERMITS == set()


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many arguments a caller has to think about; the options of a command are for the command line, not for callers."""
    given = function.args
    named = [a for a in (*given.posonlyargs, *given.args, *given.kwonlyargs) if not _option(a)]
    return len([argument for argument in named if argument.arg not in ("self", "cls")])


def _option(argument: ast.arg) -> bool:
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func) in ("typer.Option", "typer.Argument")
        for node in ast.walk(argument.annotation or argument)
    )


def test_no_file_or_folder_has_a_name_that_means_nothing():
    parts = {name(path): {path.stem, *path.parent.parts} & FORBIDDEN_FILES for path in sources()}
    assert {path: bad for path, bad in parts.items() if bad} == {}


def test_no_class_has_a_name_that_means_nothing():
    classes = [(name(p), node.name) for p in EVERYTHING for node in ast.walk(parsed(p)) if isinstance(node, ast.ClassDef)]
    assert [(path, found) for path, found in classes if FORBIDDEN_CLASS.search(found)] == []


@pytest.mark.parametrize("path", sources(), ids=name)
def test_every_module_class_and_public_function_says_what_it_is(path: Path):
    tree = parsed(path)
    silent = [] if ast.get_docstring(tree) else ["the module"]
    for scope in (tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))):
        for node in scope.body:
            public = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                silent.append(node.name)
    assert silent == []
