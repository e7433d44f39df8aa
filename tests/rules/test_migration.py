"""docs/migrate-alert-type.md is a worked example: who types what it says, on the sample rule base, sees what it says."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from sre_agent.__main__ import run

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "migrate-alert-type.md"
pytestmark = pytest.mark.usefixtures("bare_environment")


def steps() -> list[tuple[str, str, str]]:
    """(language, text, the prose before it) of every fenced block, in order."""
    blocks = re.split(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [(blocks[i + 1], blocks[i + 2], blocks[i]) for i in range(0, len(blocks) - 2, 3)]


def test_every_step_of_the_migration_can_be_typed_as_it_stands(tmp_path, monkeypatch, capsys):
    shutil.copytree(Path(__file__).parent / "rule_base", tmp_path / "base")
    monkeypatch.chdir(tmp_path / "base")
    statuses = []
    for language, text, before in steps():
        named = re.findall(r"Write `([^`]+)`", before)
        if language == "yaml" and named:
            Path(named[-1]).write_text(text, encoding="utf-8")
        for command, shown in (
            re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", text, flags=re.MULTILINE) if language == "console" else ()
        ):
            arguments = shlex.split(command)
            assert arguments.pop(0) == "sre-agent"
            statuses.append(run(arguments))
            told = capsys.readouterr()
            assert (told.out + told.err).strip() == shown.strip(), f"$ {command}"
    assert statuses == [1, 1, 1, 0, 0]
    assert Path("rules.sarif").exists()
