"""From a folder to a bundle: parse, validate, lint, compare with the lock, test itself. The only import of yaml here.

A folder that is wrong in any way is refused whole, with a ConfigurationError that names file, line and what to do.
An overlay folder may replace data files (targets, teams, freezes, protected, routing) by a deployment's own; what is
in force then is what the bundle hash covers. The shipped files are compared with BUNDLE.lock in any case.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.bundle import Bundle, Declared, Rule
from sre_agent.policy.calendar import Freezes
from sre_agent.policy.case import Case, differences, situation
from sre_agent.policy.declarations import Problem, Protected, Targets
from sre_agent.policy.engine import CedarEngine
from sre_agent.policy.guard import Guard
from sre_agent.policy.lint import check_unique, lint, suggestion, vocabulary
from sre_agent.policy.lock import DATA_FILES, LOCK, SCHEMA, bundle_hash, check_lock, lock_text, policy_texts, read_text, sha256_text
from sre_agent.policy.people import People
from sre_agent.triage.ownership import Ownership

SELF_TEST = "self_test.yaml"
BASES = "bases.yaml"

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


def load_bundle(folder: Path, overlay: Path | None = None) -> Bundle:
    """The bundle of a policies folder, with data files of `overlay` in place of the shipped ones.

    Raises ConfigurationError when anything at all is wrong with it.
    """
    texts = policy_texts(folder)
    rules = _rules(folder, texts)
    data = _data_paths(folder, overlay)
    declared = _declared(data)
    check_lock(folder)
    files = {name: sha256_text(text) for name, text in texts.items()}
    files |= {f"data/{name}": sha256_text(read_text(path)) for name, path in data.items()}
    bundle = Bundle(
        hash=bundle_hash(files),
        rules=MappingProxyType({r.id: r for r in rules}),
        declared=declared,
        engine=_engine(texts),
        files=MappingProxyType(files),
    )
    _self_test(folder, bundle)
    return bundle


def write_lock(folder: Path, approved_by: str = "") -> Path:
    """Write BUNDLE.lock for the folder as it is now: every file's sha256, the bundle hash, the engine, who approved.

    Raises ConfigurationError when the policies or data themselves would not load.
    """
    texts = policy_texts(folder)
    _rules(folder, texts)
    _declared(_data_paths(folder, None))
    path = folder / LOCK
    path.write_text(lock_text(folder, approved_by), encoding="utf-8")
    return path


def load_cases(folder: Path, files: Iterable[Path] | None = None) -> tuple[tuple[Case, ...], dict[str, Any]]:
    """The cases of tests/*.yaml (or of `files`) and the bases they start from."""
    tests = folder / "tests"
    bases = _plain(tests / BASES)
    found: list[Case] = []
    for path in files if files is not None else sorted(tests.glob("*.yaml")):
        if path.name != BASES:
            found += _checked(path, TypeAdapter(tuple[Case, ...]))
    return tuple(found), bases


def _rules(folder: Path, texts: Mapping[str, str]) -> tuple[Rule, ...]:
    known = vocabulary(str(folder / SCHEMA), texts[SCHEMA])
    rules = tuple(
        r
        for name, text in texts.items()
        if name != SCHEMA
        for r in lint(str(folder / name), text, known, shadow=name.startswith("shadow/"))
    )
    check_unique(rules)
    return rules


def _engine(texts: Mapping[str, str]) -> CedarEngine:
    shadow = "\n".join(text for name, text in texts.items() if name.startswith("shadow/"))
    enforced = "\n".join(text for name, text in texts.items() if name != SCHEMA and not name.startswith("shadow/"))
    return CedarEngine(texts[SCHEMA], enforced, shadow)


def _data_paths(folder: Path, overlay: Path | None) -> dict[str, Path]:
    paths = {name: folder / "data" / name for name in DATA_FILES}
    if overlay is None:
        return paths
    if not overlay.is_dir():
        raise ConfigurationError(f"there is no overlay folder {overlay} for policy data")
    for path in sorted(overlay.iterdir()):
        if path.suffix not in (".yaml", ".yml"):
            continue
        if path.name not in DATA_FILES:
            hint = suggestion(path.name, DATA_FILES)
            raise ConfigurationError(f"{path}:1: an overlay holds only {', '.join(DATA_FILES)}{hint}")
        paths[path.name] = path
    return paths


def _declared(paths: Mapping[str, Path]) -> Declared:
    people = _model(paths["teams.yaml"], People)
    _refuse(paths["teams.yaml"], people.problems())
    targets = _model(paths["targets.yaml"], Targets)
    _refuse(paths["targets.yaml"], targets.problems(tuple(people.teams)))
    freezes = _model(paths["freezes.yaml"], Freezes)
    _refuse(paths["freezes.yaml"], freezes.problems())
    protected = _model(paths["protected.yaml"], Protected)
    _refuse(paths["protected.yaml"], protected.problems())
    return Declared(targets, people, freezes, protected, _model(paths["routing.yaml"], Ownership))


def _model(path: Path, kind: type[M]) -> M:
    return _checked(path, TypeAdapter(kind))


def _checked(path: Path, adapter: TypeAdapter[T]) -> T:
    """The file's YAML, as JSON, through strict pydantic; the first complaint with its line."""
    plain = _plain(path)
    try:
        return adapter.validate_json(json.dumps(plain, default=_iso), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = tuple(first["loc"])
        raise _at(path, Problem(place, f"{'.'.join(map(str, place))}: {first['msg']}")) from error


def _iso(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a data file")


def _refuse(path: Path, problems: Iterable[Problem]) -> None:
    for problem in problems:
        raise _at(path, problem)


def _at(path: Path, problem: Problem) -> ConfigurationError:
    node: yaml.Node | None = yaml.compose(read_text(path), Loader=yaml.SafeLoader)
    line = 1
    for step in problem.path:
        found = _step(node, step)
        if found is None:
            break
        line, node = found
    word = str(problem.path[-1]) if problem.path else ""
    hint = f"; known: {', '.join(problem.known)}" if problem.known else ""
    return ConfigurationError(f"{path}:{line}: {problem.message}{hint or _key_hint(word, problem.message)}")


def _key_hint(word: str, message: str) -> str:
    if "Extra inputs" not in message:
        return ""
    fields = {f for m in (Targets, People, Freezes, Protected, Ownership) for f in _field_names(m)}
    return f"; there is no such key{suggestion(word, frozenset(fields))}"


def _field_names(model: type[BaseModel]) -> Iterable[str]:
    for part in json.dumps(model.model_json_schema()).split('"'):
        if part.replace("_", "").isalpha() and part.islower():
            yield part


def _step(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    """The line and node of one key or index below `node`."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return child.start_mark.line + 1, child
    return None


def _plain(path: Path) -> Any:
    text = read_text(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_keys(path, node)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else 1
        what = getattr(error, "problem", None) or str(error)
        raise ConfigurationError(f"{path}:{line}: this is not valid YAML: {what}; check quotes and indentation") from error
    except ValueError as error:
        line = _impossible(node) or 1
        raise ConfigurationError(f"{path}:{line}: this YAML holds an impossible value: {error}; correct it") from error


def _impossible(node: yaml.Node | None) -> int:
    """The line of the first scalar that looks like a date or a number and is none."""
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        try:
            yaml.safe_load(node.value)
        except ValueError:
            return int(node.start_mark.line) + 1
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        children = [value for _, value in node.value]
    return next((line for child in children if (line := _impossible(child))), 0)


def _check_keys(path: Path, node: yaml.Node | None) -> None:
    """Keys are unique strings. (YAML readers silently keep the last of two.)"""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _check_keys(path, child)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigurationError(f"{path}:{line}: a key must be a plain word")
        if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
            raise ConfigurationError(f"{path}:{line}: key {key.value!r} was given on line {seen[key.value]} already; remove one")
        seen[key.value] = line
        _check_keys(path, value)


def _self_test(folder: Path, bundle: Bundle) -> None:
    """One known allow, deny and hand_back through the real guard: a bundle that cannot tell them apart is refused."""
    path = folder / "tests" / SELF_TEST
    cases, bases = load_cases(folder, [path])
    missing = {"allow", "deny", "hand_back"} - {c.expect.verdict for c in cases}
    if missing:
        raise ConfigurationError(
            f"{path}:1: the self-test must expect allow, deny and hand_back; missing: {', '.join(sorted(missing))}"
        )
    guard = Guard(bundle, "self-test", b"")
    for case in cases:
        found = differences(case, situation(case, bases).decide(guard))
        if found:
            raise ConfigurationError(f"{path}:1: the self-test failed: {'; '.join(found)}")
