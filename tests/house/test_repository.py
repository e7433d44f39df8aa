"""What lies in the repository: the agreed names at the top, and no trace of any one machine or registry."""

import re
import tomllib
from pathlib import Path

from tests.house.tree import ROOT, committed, name

TOP = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "docs",
    "policies",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements.lock",
    "runbooks",
    "sre_agent",
    "tests",
}

REGISTRIES = re.compile(
    "|".join(("py" + r"pi\.(org|python)", "python" + "hosted", "registry" + r"\.npmjs", "deb" + r"\.debian\.org"))
)
MACHINE = re.compile(r"(?<![\w.-])/" + r"(work|root|home/[a-z]|Users/[A-Za-z])[\w/]")
LOCKS = ("requirements.lock", "requirements-dev.lock")


def _texts() -> list[tuple[str, str]]:
    """Every committed text file and what it says."""
    found = []
    for path in committed():
        raw = path.read_bytes()
        if b"\0" not in raw[:8192]:
            found.append((name(path), raw.decode("utf-8", "replace")))
    return found


def test_the_top_level_holds_exactly_the_agreed_names():
    assert {path.relative_to(ROOT).parts[0] for path in committed()} == TOP


def test_no_committed_file_names_a_package_registry():
    assert [(path, m.group()) for path, text in _texts() if (m := REGISTRIES.search(text))] == []


def test_no_committed_file_names_a_path_of_one_machine():
    assert [(path, m.group()) for path, text in _texts() if (m := MACHINE.search(text))] == []


def test_lock_files_pin_every_distribution_by_hash_and_carry_no_address():
    for lock in LOCKS:
        text = (ROOT / lock).read_text(encoding="utf-8")
        assert "://" not in text
        entries = re.split(r"\n(?=\S)", text.strip())
        assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_the_development_lock_holds_the_run_time_lock():
    run, dev = (_pins(ROOT / lock) for lock in LOCKS)
    assert {pin: version for pin, version in run.items() if dev.get(pin) != version} == {}


def test_every_declared_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[\[<>=~! ]", line)[0].lower() for line in project["dependencies"]}
    assert declared - set(_pins(ROOT / "requirements.lock")) == set()


def _pins(lock: Path) -> dict[str, str]:
    """Distribution -> version of a lock file."""
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE))
