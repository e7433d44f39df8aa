"""`.ci/environment` on machines that lack something: a clear line about what to install, and nothing half made."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

TOOLS = ("sh", "basename", "cat", "cksum", "rm", "grep", "id")

OLD = "#!/bin/sh\nexit 1\n"
WITHOUT_VENV = """#!/bin/sh
case "$2" in
  *ensurepip*) exit 1 ;;
  *python%d*) echo python3.12-venv ;;
esac
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with the least tools and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is missing here"))
    return folder


def _run(bare: Path, folder: Path, lock: str = "requirements.lock") -> subprocess.CompletedProcess[str]:
    """Run the script with that PATH and nothing else."""
    command = [str(bare / "sh"), str(ROOT / ".ci" / "environment"), str(folder), lock]
    return subprocess.run(command, cwd=ROOT, env={"PATH": str(bare)}, capture_output=True, text=True, check=False)


def _python(bare: Path, name: str, text: str) -> None:
    """A stand-in for a Python."""
    (bare / name).write_text(text)
    (bare / name).chmod(0o755)


def test_without_any_python_it_says_which_ones_it_needs(bare: Path, tmp_path: Path):
    ran = _run(bare, tmp_path / "venv")
    assert ran.returncode == 1
    assert "Python 3.11, 3.12 or 3.13" in ran.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_is_too_old_is_none(bare: Path, tmp_path: Path):
    _python(bare, "python3", OLD)
    assert "Python 3.11, 3.12 or 3.13" in _run(bare, tmp_path / "venv").stderr


def test_a_python_without_venv_names_the_package_to_install(bare: Path, tmp_path: Path):
    _python(bare, "python3", WITHOUT_VENV)
    (bare / "id").unlink()
    _python(bare, "id", "#!/bin/sh\necho 1000\n")
    ran = _run(bare, tmp_path / "venv")
    assert ran.returncode == 1
    assert "sudo apt-get install python3.12-venv" in ran.stderr
    assert not (tmp_path / "venv").exists()


def test_an_environment_that_holds_the_lock_is_left_alone(bare: Path, tmp_path: Path):
    made = tmp_path / "venv"
    (made / "bin").mkdir(parents=True)
    _python(made / "bin", "python", "#!/bin/sh\nexit 0\n")
    stamp = subprocess.run(
        ["cksum"], input=(ROOT / "requirements-dev.lock").read_text(), capture_output=True, text=True, check=True
    ).stdout
    (made / ".holds-requirements-dev.lock").write_text(stamp.strip())
    before = os.stat(made).st_mtime_ns
    for lock in ("requirements-dev.lock", "requirements.lock"):
        ran = _run(bare, made, lock)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert os.stat(made).st_mtime_ns == before
