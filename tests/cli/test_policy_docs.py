"""docs/policies.md is a worked example: somebody who types what it says sees what it says."""

import re
import shlex
from pathlib import Path

import pytest

from sre_agent.__main__ import run

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"
pytestmark = pytest.mark.usefixtures("bare_environment")


def lesson() -> list[tuple[str, str, str]]:
    """(language, text, the prose before it) of every fenced block of the lesson, in order."""
    text = PAGE.read_text(encoding="utf-8").split("## Add a rule in ten minutes")[1].split("\n### ")[0]
    blocks = re.split(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [(blocks[i + 1], blocks[i + 2], blocks[i]) for i in range(0, len(blocks) - 2, 3)]


def sessions(text: str) -> list[tuple[str, str]]:
    """(command, what it prints) of a console block."""
    return [(command, shown) for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, flags=re.MULTILINE)]


def looks_like(shown: str, printed: str) -> bool:
    """Equal, where "..." in what is shown stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), flags=re.DOTALL) is not None


@pytest.mark.slow
def test_the_lesson_can_be_typed_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ran = 0
    for language, text, before in lesson():
        if language in ("cedar", "yaml"):
            (name,) = re.findall(r"Write\s+`([^`]+)`", before)
            Path(name).write_text(text, encoding="utf-8")
        elif language == "console":
            for command, shown in sessions(text):
                arguments = shlex.split(command)
                assert arguments.pop(0) == "sre-agent"
                status = run(arguments)
                printed = capsys.readouterr().out
                assert looks_like(shown, printed), f"$ {command}\n{printed}"
                # The unlocked bundle is the one thing that fails on the way.
                assert status == (1 if "since BUNDLE.lock was written" in shown else 0)
                ran += 1
    assert ran >= 8
