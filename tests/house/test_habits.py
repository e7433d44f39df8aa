"""Habits that hide trouble are not allowed: broad excepts, silenced types, patched modules, skipped tests."""

import ast
import io
import re
import tokenize

from tests.house.tree import name, parsed, sources

OUTERMOST_LOOPS = {"sre_agent/__main__.py", "sre_agent/adapters/jobs.py"}
"""The command line's and the worker's; each has a test that feeds it an error nobody foresaw."""

TAGS = {"INVARIANT", "SAFETY"}
SILENCED = re.compile("type:" + r"\s*ignore|\b(TODO|FIXME|XXX|HACK)\b")


def test_only_the_two_outermost_loops_catch_everything():
    broad = [name(path) for path in sources() for node in ast.walk(parsed(path)) if _catches_everything(node)]
    assert sorted(broad) == sorted(OUTERMOST_LOOPS)


def _catches_everything(node: ast.AST) -> bool:
    """True for a handler of anything. BaseException is allowed where it cleans up and raises again."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    names = {c.id for c in caught if isinstance(c, ast.Name)}
    last = node.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    return node.type is None or "Exception" in names or ("BaseException" in names and not raises_again)


def test_no_comment_silences_the_type_checker_or_postpones_work():
    found = [(name(path), text) for path in (*sources(), *sources("tests")) for text in _comments(path) if SILENCED.search(text)]
    assert found == []


def test_comment_tags_are_the_two_we_have():
    tagged = {(name(p), m.group(1)) for p in sources() for text in _comments(p) if (m := re.match(r"# ([A-Z]{3,}):", text))}
    assert {found for found in tagged if found[1] not in TAGS} == set()


def _comments(path) -> list[str]:
    """Every comment of a file, as written."""
    reader = io.StringIO(path.read_text(encoding="utf-8")).readline
    return [token.string for token in tokenize.generate_tokens(reader) if token.type == tokenize.COMMENT]


def test_no_test_patches_a_module_or_is_skipped():
    bad = {}
    for path in sources("tests"):
        attributes = {ast.unparse(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute | ast.Name)}
        imports = {a.name for n in ast.walk(parsed(path)) if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names}
        found = (attributes | imports) & {"mock", "unittest.mock", "pytest.mark.skip", "pytest.mark.xfail", "pytest.xfail"}
        if found:
            bad[name(path)] = found
    assert bad == {}
