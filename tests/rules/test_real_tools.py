"""Beside the real promtool and amtool: what we call sound they accept, what --fix writes too, and alerts go where we say."""

import itertools
import random
import re
import shutil
import subprocess
from pathlib import Path
from textwrap import indent

import pytest

from sre_agent.rules.document import read
from sre_agent.rules.fix import fixed
from sre_agent.rules.recognise import AlertmanagerFile, recognised
from sre_agent.rules.tree import Tree, tree_of
from tests.rules.linting import GROUP, ids, linted
from tests.rules.test_check_docs import SECTIONS, examples
from tests.rules.test_fix import ROUTES, RULES

pytestmark = pytest.mark.real

REFUSED = {"SRA001", "SRA002", "SRA003", "SRA208", "SRA215", "SRA216", "SRA217", "SRA301", "SRA302"}
"""What stands for a file that the real tools refuse."""
ELSEWHERE = ("opsgenie_configs", "slack_configs", "key_file")
"""Whether an integration's own settings are complete is not looked at; key_file is younger than Debian's Alertmanager."""
ADDRESSES = {"<secret>": "a" * 32, "<other secret>": "b" * 32}


def samples() -> dict[str, str]:
    """Every example of the page, and the texts of the tests, as whole files."""
    texts = [
        text for section in SECTIONS.values() for kind in ("wrong", "right") for files in examples(section, kind) for text in files
    ]
    whole = [GROUP + indent(t, "  ") if re.search(r"^- (alert|record):", t, re.MULTILINE) else t for t in (*texts, RULES, ROUTES)]
    return {f"{n}.yaml": text for n, text in enumerate(whole)}


def accepted(tool: list[str], folder: Path, text: str) -> bool:
    for secret, shown in ADDRESSES.items():
        text = text.replace(secret, shown)
    (folder / "file.yaml").write_text(text)
    return subprocess.run([*tool, str(folder / "file.yaml")], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(("binary", "tool"), [("promtool", ["promtool", "check", "rules"]), ("amtool", ["amtool", "check-config"])])
def test_the_real_tool_refuses_what_we_call_refused_and_nothing_else(binary: str, tool: list[str], tmp_path: Path):
    if shutil.which(binary) is None:
        pytest.skip(f"Debian's {binary} is not installed")
    looked = 0
    for text in samples().values():
        if (binary == "promtool") != text.startswith(("groups:", "# our rules")) or any(word in text for word in ELSEWHERE):
            continue
        examined = linted(text)
        sound = not set(ids(examined)) & (REFUSED | {"SRA004"})
        if "SRA004" not in ids(examined):
            assert accepted(tool, tmp_path, text) == sound, text
        after = fixed(examined).texts.get("0.yaml", ("", text))[1]
        assert accepted(tool, tmp_path, after) == sound or "SRA004" in ids(examined), after
        looked += 1
    assert looked >= 10


def drawn(dice: random.Random, depth: int) -> str:
    """A route with children, as YAML in one line."""
    names, values = ["a", "b", "alert_type"], ["x", "y", ""]
    matchers = [
        f"'{dice.choice(names)}{dice.choice(['=', '!=', '=~', '!~'])}\"{dice.choice(values) or dice.choice(['x|y', '.*', ''])}\"'"
        for _ in range(dice.choice([0, 1, 1, 2]))
    ]
    below = [drawn(dice, depth - 1) for _ in range(dice.randint(0, 3))] if depth else []
    receiver = f"receiver: r{dice.randint(0, 9)}, " if dice.random() < 0.8 else ""
    further = dice.choice(["", "", "continue: true, "])
    return f"{{{receiver}{further}matchers: [{', '.join(matchers)}], routes: [{', '.join(below)}]}}"


def test_alerts_go_where_amtool_says_they_go(tmp_path: Path):
    if shutil.which("amtool") is None:
        pytest.skip("Debian's prometheus-alertmanager (with amtool) is not installed")
    dice = random.Random(7)
    receivers = "".join(f"  - name: r{n}\n" for n in range(10))
    compared = 0
    for _ in range(12):
        text = f"route:\n  receiver: r0\n  routes: [{', '.join(drawn(dice, 2) for _ in range(3))}]\nreceivers:\n{receivers}"
        (tmp_path / "am.yaml").write_text(text)
        (file,) = recognised(read(text, "am.yaml"))
        assert isinstance(file, AlertmanagerFile)
        tree = tree_of(file)
        for a, b in itertools.product(["", "x", "y", "z"], repeat=2):
            labels = {k: v for k, v in (("a", a), ("b", b), ("alert_type", dice.choice(["", "x"]))) if v}
            ours = delivered(tree, labels)
            command = [
                "amtool",
                "config",
                "routes",
                "test",
                f"--config.file={tmp_path / 'am.yaml'}",
                *(f"{k}={v}" for k, v in labels.items()),
            ]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            assert ours == ran.stdout.strip().split(","), (text, labels)
            compared += 1
    assert compared == 192


def delivered(tree: Tree, labels: dict[str, str]) -> list[str]:
    deliveries = tree.deliveries(lambda name: labels.get(name, ""))
    assert all(d.certain for d in deliveries)
    return [d.route.receiver for d in deliveries]
