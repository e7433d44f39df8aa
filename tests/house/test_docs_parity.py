"""The docs cannot drift: what exists is in them, what they name exists, what is generated is current."""

import ast
import re
from pathlib import Path

import pytest

from docs.generate import commands, pages, policies
from sre_agent.evidence.finding import FindingKind
from sre_agent.routing.rule import RULES
from sre_agent.settings import variables
from tests.house.tree import PACKAGE, ROOT, name, parsed, sources

SHARED = {
    "intake": {"untrusted", "alert_details", "alert_text", "incident_rest", "opsgenie_alert", "signatures", "telling"},
    "sources": {
        *("promql", "http_api", "prometheus_api", "prometheus_rules", "prometheus_past", "loki_lines"),
        *("langfuse_api", "langfuse_calls"),
    },
}
"""Files of a room that are parts of the others, not doors or sources of their own."""

PROSE = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"])


def _text() -> str:
    """All of docs/."""
    return "\n".join(path.read_text(encoding="utf-8") for path in PROSE)


def _room(room: str) -> set[str]:
    """The extensions of a room, by file or folder name."""
    found = {path.stem for path in (PACKAGE / room).iterdir() if not path.name.startswith("_")}
    return found - SHARED.get(room, set())


def _missing(names: set[str]) -> set[str]:
    """Names that docs/ does not mention as a word."""
    return {word for word in names if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", _text())}


def test_generated_parts_are_current():
    stale = [name(path) for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    assert stale == [], "run: make docs"


def test_every_rule_of_routing_is_documented_as_a_row_of_its_page():
    page = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
    assert [rule for rule in RULES if f"| `{rule}` |" not in page] == []


def test_every_setting_is_documented():
    assert _missing(set(variables())) == set()


def test_every_environment_variable_of_ours_is_documented():
    named = {m for path in sources() for m in re.findall(r"\bSRE_AGENT_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))}
    assert _missing(named) == set()


def test_every_command_is_documented():
    assert _missing({f"sre-agent {command}" for command, _ in commands()}) == set()


def test_every_command_says_what_it_does():
    assert [command for command, text in commands() if not text] == []


@pytest.mark.parametrize("room", ["actions", "sources", "intake"])
def test_every_extension_of_a_room_is_documented(room: str):
    assert _room(room)
    assert _missing(_room(room)) == set()


def test_every_finding_is_documented():
    assert _missing({kind.value for kind in FindingKind}) == set()


def test_every_policy_is_documented():
    ids = {policy for _, policy, _, _ in policies()}
    assert len(ids) > 20
    assert _missing(ids) == set()


def test_every_runbook_is_documented():
    assert _missing({path.stem for path in (ROOT / "runbooks").glob("*.yaml")}) == set()


def test_every_endpoint_is_documented():
    routes = set()
    for path in (PACKAGE / "web").glob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"/[a-z][\w/{}.-]+", node.value):
                routes.add(re.sub(r"\{\w+\}", "{id}", node.value))
    assert {"/healthz", "/webhooks/pagerduty"} <= routes
    assert {route for route in routes if route.rstrip("/") not in _text()} == set()


@pytest.mark.parametrize("page", [*PROSE, ROOT / "CHANGELOG.md"], ids=name)
def test_every_path_and_module_that_a_page_names_exists(page: Path):
    text = page.read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:sre_agent|tests|policies|runbooks|docs)/[\w./-]*)`", text))
    modules = set(re.findall(r"`(sre_agent(?:\.\w+)+)`", text))
    paths |= {f"{module.replace('.', '/')}" for module in modules}
    gone = {p for p in paths if not (ROOT / p).exists() and not (ROOT / f"{p}.py").exists()}
    assert gone == set()


@pytest.mark.parametrize("page", PROSE, ids=name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
