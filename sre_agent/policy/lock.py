"""What a bundle is made of, and the lock over it: a careless or foreign edit is noticed before it decides anything."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.engine import ENGINE

SCHEMA = "schema.cedarschema"
LOCK = "BUNDLE.lock"
DATA_FILES = (
    *("targets.yaml", "modes.yaml", "teams.yaml", "freezes.yaml", "protected.yaml", "routing.yaml", "breakers.yaml"),
    "handback.yaml",
)


def policy_texts(folder: Path) -> dict[str, str]:
    """Name to text of the schema and of every policy file, shadow ones as "shadow/...". Raises ConfigurationError."""
    if not folder.is_dir():
        raise ConfigurationError(f"there is no policies folder {folder}; set SRE_AGENT_POLICIES to one")
    texts = {SCHEMA: read_text(folder / SCHEMA)}
    for path in sorted([*folder.glob("*.cedar"), *(folder / "shadow").glob("*.cedar")]):
        texts[path.relative_to(folder).as_posix()] = read_text(path)
    if len(texts) == 1:
        raise ConfigurationError(f"{folder}: there are no policies (*.cedar) in this folder")
    return texts


def read_text(path: Path) -> str:
    """A UTF-8 text file. Raises ConfigurationError when it is missing or is not one."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: this file is missing; restore it from the release or write it") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}:1: this file is not UTF-8 text: {error.reason}") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error


def sha256_text(text: str) -> str:
    """sha256 (hex) of a text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def bundle_hash(files: Mapping[str, str]) -> str:
    """sha256 (hex) over the sorted (name, sha256) pairs."""
    return sha256_text("\n".join(f"{name} {files[name]}" for name in sorted(files)))


def locked_files(folder: Path) -> dict[str, str]:
    """Name to sha256 of everything the lock covers: schema, policies and the shipped data files."""
    texts = policy_texts(folder) | {f"data/{n}": read_text(folder / "data" / n) for n in DATA_FILES}
    return {name: sha256_text(text) for name, text in texts.items()}


def lock_text(folder: Path, approved_by: str) -> str:
    """The lock's content for the folder as it is now: JSON with files, bundle hash, engine and who approved."""
    files = locked_files(folder)
    lock = {"bundle": bundle_hash(files), "engine": ENGINE, "approved_by": approved_by, "files": files}
    return json.dumps(lock, indent=2, sort_keys=True) + "\n"


def lock_complaints(folder: Path) -> Iterator[str]:
    """What in the folder is not as BUNDLE.lock says ("file:line: ..."). Raises ConfigurationError when there is no lock."""
    path = folder / LOCK
    try:
        lock = json.loads(read_text(path))
        locked, engine, whole = dict(lock["files"]), lock["engine"], lock["bundle"]
    except (ValueError, KeyError, TypeError):
        yield f"{path}:1: the lock is damaged; review the policies and run 'sre-agent policy lock'"
        return
    if engine != ENGINE:
        yield f"{path}:1: locked for {engine!r}, running {ENGINE!r}; run the policy tests, then lock again"
    actual = locked_files(folder)
    for name in sorted(actual.keys() | locked.keys()):
        if actual.get(name) != locked.get(name):
            what = "was added" if name not in locked else "is missing" if name not in actual else "was changed"
            yield f"{folder / name}:1: {what} since {LOCK} was written; review the change and run 'sre-agent policy lock'"
    if actual == locked and whole != bundle_hash(actual):
        yield f"{path}:1: the bundle hash in the lock is not that of its files; run 'sre-agent policy lock'"
