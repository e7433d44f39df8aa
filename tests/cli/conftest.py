"""Shared by the tests of commands: an environment without settings, a copy of the policies, and a way to run a command."""

import shutil
from pathlib import Path

import pytest

from sre_agent.__main__ import run
from sre_agent.settings import variables

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


@pytest.fixture
def said(capsys):
    """Run a command; its exit status, output and complaints."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = run([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err, err
        return status, out, err

    return call
