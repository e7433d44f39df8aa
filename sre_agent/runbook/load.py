"""Reads runbooks/*.yaml. The only impure file of the room, and its only import of yaml.

Strict: unknown or duplicate keys, wrong types and unknown findings are errors that name file and line and,
where a near word exists, the word that was probably meant.
"""

import difflib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sre_agent.evidence.finding import FindingKind
from sre_agent.incident.errors import ConfigurationError
from sre_agent.runbook.resolve import TARGET_KINDS
from sre_agent.runbook.runbook import Runbook

PLACEHOLDERS = frozenset({"name", "namespace", "instance"})
MOST_BYTES = 64 * 1024


def load_runbooks(folder: Path, actions: Collection[str] | None = None) -> tuple[Runbook, ...]:
    """Every runbook of `folder`, ordered by id. `actions`: the known actions, when the caller has them.

    Raises ConfigurationError naming file and line.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: there is no such folder of runbooks; set SRE_AGENT_RUNBOOKS to one")
    stray = sorted(folder.glob("*.yml"))
    if stray:
        raise ConfigurationError(f"{stray[0]}: runbooks end in .yaml; rename it, or it would be silently unused")
    runbooks = tuple(load_runbook(path, actions) for path in sorted(folder.glob("*.yaml")))
    if not runbooks:
        raise ConfigurationError(f"{folder}: holds no runbook (*.yaml)")
    return runbooks


def load_runbook(path: Path, actions: Collection[str] | None = None) -> Runbook:
    """One runbook. Raises ConfigurationError naming file and line."""
    node = _parse(path)
    lines: dict[tuple[str | int, ...], int] = {}
    raw = _plain(path, node, (), lines)
    try:
        runbook = Runbook.model_validate(raw, strict=False)
    except ValidationError as error:
        raise ConfigurationError(_explain(path, error, lines)) from None
    for field, complaint in _complaints(path, runbook, actions):
        raise ConfigurationError(f"{path}:{lines.get((field,), 1)}: {complaint}")
    return runbook


def _parse(path: Path) -> yaml.MappingNode:
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > MOST_BYTES:
            raise ConfigurationError(f"{path}:1: larger than {MOST_BYTES} bytes; a runbook is a page, not a book")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}:1: not valid YAML: {error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationError(f"{path}:1: a runbook is a mapping (id: ..., title: ..., ...)")
    return node


def _plain(path: Path, node: yaml.Node, where: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> Any:
    """The node as plain values, remembering the line of each; refuses duplicate keys, anchors and odd tags."""
    lines[where] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in out:
                raise ConfigurationError(f"{path}:{key_node.start_mark.line + 1}: {key!r} is given twice")
            out[key] = _plain(path, value_node, (*where, key), lines)
            lines[(*where, key)] = key_node.start_mark.line + 1
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_plain(path, item, (*where, i), lines) for i, item in enumerate(node.value)]
    try:
        # A date, "yes" or 0o17 becomes what YAML says it is, and the model then refuses the type.
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{path}:{node.start_mark.line + 1}: {error}") from None


def _explain(path: Path, error: ValidationError, lines: dict[tuple[str | int, ...], int]) -> str:
    """One complaint, with its line and a suggestion: an unknown key first, since it often explains a missing one."""
    complaints = error.errors(include_url=False, include_context=False)
    first = min(complaints, key=lambda c: c["type"] != "extra_forbidden")
    where = tuple(first["loc"])
    known = next((where[:n] for n in range(len(where), -1, -1) if where[:n] in lines), ())
    message = first["msg"]
    if first["type"] == "extra_forbidden":
        message = "unknown key" + _did_you_mean(str(where[-1]), [*Runbook.model_fields, "query", "below", "unit"])
    elif first["type"] == "enum":
        message = f"unknown finding {first['input']!r}" + _did_you_mean(str(first["input"]), [k.value for k in FindingKind])
    elif first["type"] == "missing":
        message = "missing; every runbook must say it"
    return f"{path}:{lines.get(known, 1)}: {'.'.join(str(p) for p in where)}: {message}"


def _complaints(path: Path, runbook: Runbook, actions: Collection[str] | None) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) for what the type alone cannot say."""
    if runbook.id != path.stem:
        yield "id", f"id is {runbook.id!r} but the file is named {path.stem!r}; they must be equal"
    if not runbook.findings:
        yield "findings", "no finding named, so it could never match"
    if runbook.action is None and not runbook.checklist:
        yield "id", "neither an action nor a checklist: it tells nobody what to do"
    if runbook.action is None and runbook.target is not None:
        yield "target", "a target without an action"
    if runbook.action is not None and actions is not None and runbook.action not in actions:
        yield "action", f"unknown action {runbook.action!r}" + _did_you_mean(runbook.action, actions)
    if runbook.action is not None and runbook.target not in TARGET_KINDS:
        yield (
            "target" if runbook.target else "action",
            f"no way to resolve target {runbook.target!r}" + _did_you_mean(str(runbook.target), TARGET_KINDS),
        )
    if runbook.objective is not None:
        unknown = set(re.findall(r"\{(\w*)\}", runbook.objective.query)) - PLACEHOLDERS
        if unknown:
            yield "objective", f"query: unknown placeholder {sorted(unknown)[0]!r}; known: {', '.join(sorted(PLACEHOLDERS))}"


def _did_you_mean(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"
