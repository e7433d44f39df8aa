"""The import contracts of pyproject.toml hold, and would notice if they did not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.house.tree import PACKAGE, ROOT

PLANTED = {
    "incident/planted.py": ("import sre_agent.policy.facts", "Rooms: a later room"),
    "policy/planted.py": ("import sre_agent.investigation", "The model never reaches the guard"),
    "sources/planted.py": ("import sre_agent.execution.hands", "The investigator has no hands"),
    "actions/planted.py": ("import sre_agent.policy.permit", "Permits are minted by the guard"),
    "cli/planted.py": ("import sre_agent.adapters.log", "Outside systems are touched"),
    "adapters/planted.py": ("import sre_agent.response.responder", "Adapters and sources answer"),
    "triage/planted.py": ("import httpx", "Rooms that decide know no SDK"),
    "approval/planted.py": ("import time", "Rooms that decide have no clock"),
    "detectors/signals/planted.py": ("import sre_agent.detectors.kubernetes.pods", "Detectors are unaware"),
    "adapters/planted_too.py": ("import sre_agent.adapters.log", "Adapters are unaware"),
    "cli/planted_too.py": ("import sre_agent.cli.serve", "Command groups are unaware"),
    "investigation/nodes/planted.py": ("import sre_agent.investigation.nodes.plan", "Nodes are unaware"),
}


def _lint(where: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter as `make lint` does, on the tree at `where`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", str(where / "pyproject.toml")]
    environment = {**os.environ, "PYTHONPATH": str(where), "COLUMNS": "200"}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)


def test_every_import_contract_is_kept():
    answer = _lint(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_planted_violation_of_each_contract_is_caught(tmp_path: Path):
    shutil.copytree(PACKAGE, tmp_path / "sre_agent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, (line, _) in PLANTED.items():
        (tmp_path / "sre_agent" / file).write_text(f'"""Planted."""\n\n{line}\n')
    answer = _lint(tmp_path)
    broken = [line for line in answer.stdout.splitlines() if "BROKEN" in line]
    missed = {contract for _, contract in PLANTED.values() if not any(line.startswith(contract) for line in broken)}
    assert not missed, answer.stdout + answer.stderr
