"""From a folder to a bundle: parse, validate, lint, compare with the lock, test itself.

A folder that is wrong in any way is refused whole, with a ConfigurationError that names file, line and what to do;
`examine` names everything that is wrong, for people who are editing. An overlay folder may replace data files (targets,
teams, freezes, protected, routing, breakers, handback) by a deployment's own; what is in force then is what the bundle hash
covers. The shipped files are compared with BUNDLE.lock in any case.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.bundle import Bundle, Declared, Rule
from sre_agent.policy.calendar import Freezes
from sre_agent.policy.case import Case, differences, situation
from sre_agent.policy.data_file import opened
from sre_agent.policy.declarations import Blocking, Problem, Protected, Targets
from sre_agent.policy.engine import CedarEngine
from sre_agent.policy.guard import Guard
from sre_agent.policy.handover import Handovers
from sre_agent.policy.lint import lint, shared_ids, suggestion, vocabulary
from sre_agent.policy.lock import (
    DATA_FILES,
    LOCK,
    SCHEMA,
    bundle_hash,
    lock_complaints,
    lock_text,
    policy_texts,
    read_text,
    sha256_text,
)
from sre_agent.policy.modes import Modes
from sre_agent.policy.people import People
from sre_agent.routing.file import Routing

SELF_TEST = "self_test.yaml"
BASES = "bases.yaml"

M = TypeVar("M", bound=BaseModel)


def load_bundle(folder: Path, overlay: Path | None = None, *, locked: bool = True) -> Bundle:
    """The bundle of a policies folder, with data files of `overlay` in place of the shipped ones.

    `locked` False does not compare with BUNDLE.lock: for looking at an edit, never for deciding anything by it. Raises
    ConfigurationError with the first complaint when anything at all is wrong.
    """
    bundle, wrong = examine(folder, overlay, locked=locked)
    if bundle is None or wrong:
        raise ConfigurationError(wrong[0])
    return bundle


def examine(
    folder: Path, overlay: Path | Mapping[str, Path] | None = None, *, locked: bool = True
) -> tuple[Bundle | None, tuple[str, ...]]:
    """The bundle (None when it cannot even be built) and everything that is wrong with it ("file:line: ...").

    `overlay` as a mapping names the data files one by one, as `data_paths` does.
    """
    try:
        texts = policy_texts(folder)
        data = data_paths(folder, overlay) if not isinstance(overlay, Mapping) else dict(overlay)
        rules, wrong = _rules(folder, texts)
        declared, more = _declared(data, None if wrong else granted(rules))
        if wrong or more or declared is None:
            return None, (*wrong, *more)
        bundle = _bundle(texts, data, rules, declared)
        changed = tuple(lock_complaints(folder)) if locked else ()
        return bundle, (*changed, *_self_test(folder, bundle))
    except ConfigurationError as error:
        return None, (str(error),)


def write_lock(folder: Path, approved_by: str = "") -> Path:
    """Write BUNDLE.lock for the folder as it is now: every file's sha256, the bundle hash, the engine, who approved.

    Raises ConfigurationError when the policies or data themselves would not load.
    """
    rules, wrong = _rules(folder, policy_texts(folder))
    _, more = _declared(data_paths(folder, None), None if wrong else granted(rules))
    for complaint in (*wrong, *more):
        raise ConfigurationError(complaint)
    path = folder / LOCK
    path.write_text(lock_text(folder, approved_by), encoding="utf-8")
    return path


def located_cases(folder: Path, files: Iterable[Path] | None = None) -> tuple[tuple[tuple[str, Case], ...], dict[str, Any]]:
    """("file:line", case) of tests/*.yaml (or of `files`), and the bases they start from. Raises ConfigurationError."""
    tests = folder / "tests"
    found: list[tuple[str, Case]] = []
    for path in files if files is not None else sorted(tests.glob("*.yaml")):
        if path.name == BASES:
            continue
        file = opened(path)
        cases, wrong = file.checked(tuple[Case, ...])
        for complaint in wrong:
            raise ConfigurationError(complaint)
        found += [(f"{path}:{file.line((i,))}", case) for i, case in enumerate(cases or ())]
    bases, wrong = opened(tests / BASES).checked(dict[str, dict[str, Any]])
    for complaint in wrong:
        raise ConfigurationError(complaint)
    return tuple(found), dict(bases or {})


def load_cases(folder: Path, files: Iterable[Path] | None = None) -> tuple[tuple[Case, ...], dict[str, Any]]:
    """The cases of tests/*.yaml (or of `files`) and the bases they start from. Raises ConfigurationError."""
    found, bases = located_cases(folder, files)
    return tuple(case for _, case in found), bases


def _rules(folder: Path, texts: Mapping[str, str]) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    known = vocabulary(str(folder / SCHEMA), texts[SCHEMA])
    rules: tuple[Rule, ...] = ()
    wrong: tuple[str, ...] = ()
    for name, text in texts.items():
        if name != SCHEMA:
            good, bad = lint(str(folder / name), text, known, shadow=name.startswith("shadow/"))
            rules, wrong = rules + good, wrong + bad
    return rules, (*wrong, *shared_ids(rules))


def _bundle(texts: Mapping[str, str], data: Mapping[str, Path], rules: tuple[Rule, ...], declared: Declared) -> Bundle:
    shadow = "\n".join(text for name, text in texts.items() if name.startswith("shadow/"))
    enforced = "\n".join(text for name, text in texts.items() if name != SCHEMA and not name.startswith("shadow/"))
    files = {name: sha256_text(text) for name, text in texts.items()}
    files |= {f"data/{name}": sha256_text(read_text(path)) for name, path in data.items()}
    return Bundle(
        hash=bundle_hash(files),
        rules=MappingProxyType({r.id: r for r in rules}),
        declared=declared,
        engine=CedarEngine(texts[SCHEMA], enforced, shadow),
        files=MappingProxyType(files),
    )


def data_paths(folder: Path, overlay: Path | None) -> dict[str, Path]:
    """The data files in force, by name: the folder's own, and those of the overlay in place of them. Raises ConfigurationError."""
    paths = {name: folder / "data" / name for name in DATA_FILES}
    if overlay is None:
        return paths
    if not overlay.is_dir():
        raise ConfigurationError(f"there is no overlay folder {overlay} for policy data; set SRE_AGENT_POLICY_DATA to one")
    for path in sorted(overlay.iterdir()):
        if path.suffix not in (".yaml", ".yml"):
            continue
        if path.name not in DATA_FILES:
            hint = suggestion(path.name, DATA_FILES)
            raise ConfigurationError(f"{path}:1: an overlay holds only {', '.join(DATA_FILES)}{hint}")
        paths[path.name] = path
    return paths


def granted(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The actions that some grant names, sorted: all that the agent could ever do."""
    named = {action for rule in rules if rule.effect == "permit" and not rule.shadow for action in rule.actions}
    return tuple(sorted(named - {"approve"}))


def _declared(paths: Mapping[str, Path], actions: tuple[str, ...] | None) -> tuple[Declared | None, tuple[str, ...]]:
    """The declared data, or None and every complaint about every file."""
    wrong: list[str] = []

    def read(name: str, kind: type[M], problems: Callable[[M], Iterator[Problem]]) -> M | None:
        try:
            file = opened(paths[name])
        except ConfigurationError as error:
            wrong.append(str(error))
            return None
        content, bad = file.checked(kind)
        wrong.extend(bad)
        wrong.extend(file.complaint(p) for p in (problems(content) if content is not None else ()))
        return content

    people = read("teams.yaml", People, People.problems)
    teams = None if people is None else tuple(people.teams)
    targets = read("targets.yaml", Targets, lambda t: t.problems(teams) if teams is not None else iter(()))
    services = None if targets is None else tuple(sorted({t.service for t in targets.root.values() if t.service}))
    modes = read("modes.yaml", Modes, lambda m: m.problems(actions, services))
    freezes = read("freezes.yaml", Freezes, Freezes.problems)
    protected = read("protected.yaml", Protected, Protected.problems)
    routing = read("routing.yaml", Routing, lambda r: (Problem(*fault) for fault in r.problems(teams)))
    blocking = read("breakers.yaml", Blocking, Blocking.problems)
    handovers = read("handback.yaml", Handovers, Handovers.problems)
    if people is None or targets is None or modes is None or freezes is None:
        return None, tuple(wrong)
    if protected is None or routing is None or blocking is None or handovers is None:
        return None, tuple(wrong)
    return Declared(targets, modes, people, freezes, protected, routing, blocking, handovers), tuple(wrong)


def _self_test(folder: Path, bundle: Bundle) -> Iterator[str]:
    """One known allow, deny and hand_back through the real guard: a bundle that cannot tell them apart is refused."""
    path = folder / "tests" / SELF_TEST
    cases, bases = located_cases(folder, [path])
    missing = {"allow", "deny", "hand_back"} - {case.expect.verdict for _, case in cases}
    if missing:
        yield f"{path}:1: the self-test must expect allow, deny and hand_back; missing: {', '.join(sorted(missing))}"
    guard = Guard(bundle, "self-test", b"")
    for place, case in cases:
        found = differences(case, guard.decide(situation(case, bases)))
        if found:
            yield f"{place}: the self-test failed: {'; '.join(found)}"
