"""Debian's amtool, asked in bulk."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

_AT_ONCE = 400


def skip_without_amtool() -> None:
    """Skips the test where it is not installed."""
    if shutil.which("amtool") is None:
        pytest.skip("Debian's prometheus-alertmanager (with amtool) is not installed")


def escaped(value: str) -> str:
    """A value as it stands between a matcher's double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def taken_by_amtool(folder: Path, texts: Sequence[str]) -> list[bool]:
    """Whether it takes each text as a route's matchers."""
    skip_without_amtool()
    paths = [folder / f"{n}.yml" for n in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(_config([text]), encoding="utf-8")
    told: list[bool] = []
    for begin in range(0, len(paths), _AT_ONCE):
        command = ["amtool", "check-config", *map(str, paths[begin : begin + _AT_ONCE])]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        told += ["  SUCCESS" in block.splitlines()[0] for block in ran.stdout.split("Checking '")[1:]]
    return told


def held_for_amtool(folder: Path, texts: Sequence[str], label: str, values: Sequence[str]) -> list[set[int]]:
    """For each value of the label the indices of the texts that hold. All are routes that continue: one question tells of all."""
    skip_without_amtool()
    path = folder / "all.yml"
    path.write_text(_config(texts), encoding="utf-8")

    def asked(value: str) -> set[int]:
        command = ["amtool", "config", "routes", "test", f"--config.file={path}", f'{label}="{escaped(value)}"']
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        return {int(name) for name in ran.stdout.rstrip("\n").split(",") if name != "none"}

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(asked, values))


def _config(texts: Sequence[str]) -> str:
    routes = "".join(f"    - {{receiver: '{n}', continue: true, matchers: [{json.dumps(text)}]}}\n" for n, text in enumerate(texts))
    names = "".join(f"  - name: '{n}'\n" for n in range(len(texts)))
    return f"route:\n  receiver: none\n  routes:\n{routes}receivers:\n  - name: none\n{names}"
