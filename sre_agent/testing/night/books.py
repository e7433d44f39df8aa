"""The books of the night: what owners declare, and the shipped runbooks with a shorter soak."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml


def declare_owners(folder: Path, master: str, tokens: Mapping[str, str], slack: Mapping[str, str] | None = None) -> Path:
    """Write a policy-data folder: one managed Redis, people of team platform with these tokens, who gets what."""
    folder.mkdir()
    digests = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in tokens.items()}
    people = [
        {"id": n, "name": f"{n.title()} Example", "cli_token_sha256": digests[n], "slack": (slack or {}).get(n)} for n in tokens
    ]
    declared = {"managed": True, "environment": "prod", "team": "platform", "service": "voice-platform"}
    engineer = {"id": "dev", "name": "Dev Example", "oidc": "dev@example.test"}
    teams = {"platform": list(tokens), "ai-eng": ["dev"]}
    _write(folder / "teams.yaml", {"people": [*people, engineer], "teams": teams})
    _write(folder / "targets.yaml", {f"redis/{master}": {**declared, "dataset": "sessions", "sentinel_aware": True}})
    receivers = {"pd-platform": "PPLAT01", "pd-ai-eng": "PAIENG1", "pd-integration-owners": "PINTEG1", "default": "PDEFLT1"}
    _write(folder / "routing.yaml", {"receivers": receivers, "tool_owners": {}, "prompt_owners": {"intent-router": "ai-eng"}})
    return folder


def shorten_soak(runbooks: Path, folder: Path, soak_s: int, within_s: int) -> int:
    """Copy the runbooks to `folder` with the failover's soak shortened and nothing else changed; the soak as it was."""
    shutil.copytree(runbooks, folder)
    path = folder / "redis-failover.yaml"
    book = yaml.safe_load(path.read_text(encoding="utf-8"))
    _write(path, {**book, "soak_s": soak_s, "within_s": within_s})
    return int(book["soak_s"])


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
