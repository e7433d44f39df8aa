"""The wheel carries everything the product needs at run time, and works from an empty folder."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, capture_output=True, check=True
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _files(folder: Path) -> set[str]:
    """Every file under a folder, but what running leaves behind."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


def test_every_file_of_the_package_is_in_it(unpacked: Path):
    assert _files(PACKAGE) - _files(unpacked / "sre_agent") == set()


@pytest.mark.parametrize(
    ("shipped", "origin"), [("policies", "policies"), ("runbooks", "runbooks"), ("incidents", "tests/incidents")]
)
def test_the_shipped_folders_are_in_it(unpacked: Path, shipped: str, origin: str):
    assert _files(ROOT / origin) == _files(unpacked / "sre_agent" / "shipped" / shipped) != set()


def test_no_test_and_no_stray_top_level_is_in_it(unpacked: Path):
    tops = {path.name.split("-")[0] for path in unpacked.iterdir()}
    assert tops == {"sre_agent"}


def test_the_licence_and_the_command_are_in_it(unpacked: Path):
    [info] = unpacked.glob("*.dist-info")
    assert "Apache License" in (info / "licenses" / "LICENSE").read_text(encoding="utf-8")
    assert "sre-agent = sre_agent.__main__:main" in (info / "entry_points.txt").read_text(encoding="utf-8")


def test_it_finds_its_shipped_folders_from_an_empty_folder(unpacked: Path, tmp_path: Path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SRE_AGENT_")}
    command = [sys.executable, "-m", "sre_agent", "settings", "--json"]
    ran = subprocess.run(
        command, cwd=tmp_path, env={**kept, "PYTHONPATH": str(unpacked)}, capture_output=True, text=True, check=True
    )
    shown = json.loads(ran.stdout)
    assert Path(shown["SRE_AGENT_POLICIES"]) == unpacked / "sre_agent" / "shipped" / "policies"
    assert Path(shown["SRE_AGENT_RUNBOOKS"]) == unpacked / "sre_agent" / "shipped" / "runbooks"
