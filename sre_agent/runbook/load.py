"""Reads runbooks/*.yaml. The only impure file of the room, and its only import of yaml.

Strict: unknown or duplicate keys, wrong types and unknown findings are errors that name file and line and,
where a near word exists, the word that was probably meant.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from sre_agent.evidence.finding import FindingKind
from sre_agent.incident.errors import ConfigurationError
from sre_agent.runbook.resolve import TARGET_KINDS
from sre_agent.runbook.runbook import Runbook

PLACEHOLDERS = frozenset({"name", "namespace", "instance"})
MOST_BYTES = 64 * 1024
# libyaml's, where PyYAML was built with it: twenty runbooks are read at every start.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Known = Collection[str] | Mapping[str, type[BaseModel]]
Complaint = tuple[tuple[str | int, ...], str]
"""The place in the file, and what is wrong there."""


def load_runbooks(folder: Path, actions: Known | None = None) -> tuple[Runbook, ...]:
    """Every runbook of `folder`, ordered by id. `actions`: the known actions, when the caller has them, with the models of
    their parameters where these are to be checked as well.

    Raises ConfigurationError naming file and line: the first complaint.
    """
    runbooks, wrong = examine(folder, actions)
    for complaint in wrong:
        raise ConfigurationError(complaint)
    return runbooks


def examine(folder: Path, actions: Known | None = None) -> tuple[tuple[Runbook, ...], tuple[str, ...]]:
    """The runbooks of `folder` that are sound, and everything that is wrong with the others ("file:line: ...")."""
    if not folder.is_dir():
        return (), (f"{folder}: there is no such folder of runbooks; set SRE_AGENT_RUNBOOKS to one",)
    wrong = [f"{path}: runbooks end in .yaml; rename it, or it would be silently unused" for path in sorted(folder.glob("*.yml"))]
    paths = sorted(folder.glob("*.yaml"))
    if not paths and not wrong:
        wrong.append(f"{folder}: holds no runbook (*.yaml)")
    runbooks: list[Runbook] = []
    for path in paths:
        runbook, complaints = _read(path, actions)
        wrong += complaints
        if runbook is not None and not complaints:
            runbooks.append(runbook)
    return tuple(runbooks), tuple(wrong)


def load_runbook(path: Path, actions: Known | None = None) -> Runbook:
    """One runbook. Raises ConfigurationError naming file and line."""
    runbook, wrong = _read(path, actions)
    if runbook is None or wrong:
        raise ConfigurationError(wrong[0])
    return runbook


def _read(path: Path, actions: Known | None) -> tuple[Runbook | None, tuple[str, ...]]:
    lines: dict[tuple[str | int, ...], int] = {}
    try:
        raw = _plain(path, _parse(path), (), lines)
        runbook = Runbook.model_validate(raw, strict=False)
    except ConfigurationError as error:
        return None, (str(error),)
    except ValidationError as error:
        return None, tuple(_explain(path, error, lines))
    found = (*_complaints(path, runbook, actions), *_parameter_complaints(runbook, actions))
    return runbook, tuple(f"{path}:{_line(lines, where)}: {complaint}" for where, complaint in found)


def _line(lines: Mapping[tuple[str | int, ...], int], where: tuple[str | int, ...]) -> int:
    """The line of a place, or of the nearest thing around it."""
    return next((lines[where[:n]] for n in range(len(where), -1, -1) if where[:n] in lines), 1)


def _parse(path: Path) -> yaml.MappingNode:
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > MOST_BYTES:
            raise ConfigurationError(f"{path}:1: larger than {MOST_BYTES} bytes; a runbook is a page, not a book")
        node = _composed(text)
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


def _composed(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        # libyaml often names the line after the mistake; PyYAML's own reader names its line.
        return yaml.compose(text, Loader=yaml.SafeLoader)


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


def _explain(path: Path, error: ValidationError, lines: dict[tuple[str | int, ...], int]) -> Iterator[str]:
    """Every complaint, with its line and a suggestion: unknown keys first, since they often explain a missing one."""
    complaints = error.errors(include_url=False, include_context=False)
    for complaint in sorted(complaints, key=lambda c: c["type"] != "extra_forbidden"):
        where, message = tuple(complaint["loc"]), complaint["msg"]
        if complaint["type"] == "extra_forbidden":
            message = "unknown key" + did_you_mean(str(where[-1]), [*Runbook.model_fields, "query", "below", "unit"])
        elif complaint["type"] == "enum":
            finding = str(complaint["input"])
            message = f"unknown finding {finding!r}" + did_you_mean(finding, [k.value for k in FindingKind])
        elif complaint["type"] == "missing":
            message = "missing; every runbook must say it"
        yield f"{path}:{_line(lines, where)}: {'.'.join(str(p) for p in where)}: {message}"


def _complaints(path: Path, runbook: Runbook, actions: Known | None) -> Iterator[Complaint]:
    """(place, what is wrong) for what the type alone cannot say."""
    if runbook.id != path.stem:
        yield ("id",), f"id is {runbook.id!r} but the file is named {path.stem!r}; they must be equal"
    if not runbook.findings:
        yield ("findings",), "no finding named, so it could never match"
    if runbook.action is None and not runbook.checklist:
        yield ("id",), "neither an action nor a checklist: it tells nobody what to do"
    if runbook.action is None and runbook.target is not None:
        yield ("target",), "a target without an action"
    if runbook.action is not None and actions is not None and runbook.action not in actions:
        yield ("action",), f"unknown action {runbook.action!r}" + did_you_mean(runbook.action, actions)
    if runbook.action is not None and runbook.target not in TARGET_KINDS:
        place = ("target",) if runbook.target else ("action",)
        yield place, f"no way to resolve target {runbook.target!r}" + did_you_mean(str(runbook.target), TARGET_KINDS)
    if runbook.objective is not None:
        unknown = set(re.findall(r"\{(\w*)\}", runbook.objective.query)) - PLACEHOLDERS
        if unknown:
            yield ("objective",), f"query: unknown placeholder {sorted(unknown)[0]!r}; known: {', '.join(sorted(PLACEHOLDERS))}"


def _parameter_complaints(runbook: Runbook, actions: Known | None) -> Iterator[Complaint]:
    """Parameters that the action does not take, or not so."""
    if runbook.action is None:
        if runbook.parameters:
            yield ("parameters",), "parameters without an action"
        return
    if not isinstance(actions, Mapping) or runbook.action not in actions:
        return
    model = actions[runbook.action]
    try:
        model.model_validate(runbook.parameters)
    except ValidationError as error:
        for complaint in error.errors(include_url=False, include_context=False):
            where, message = tuple(complaint["loc"]), complaint["msg"]
            if complaint["type"] == "extra_forbidden":
                message = f"{runbook.action} takes no such parameter" + did_you_mean(str(where[-1]), model.model_fields)
            yield ("parameters", *where), f"parameters.{'.'.join(str(p) for p in where)}: {message}"


def did_you_mean(word: str, known: Collection[str]) -> str:
    """ "; did you mean 'x'?" for the closest known word, or else all of them."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known)) or 'none'}"
