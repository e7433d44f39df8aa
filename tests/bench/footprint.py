"""What the program costs before it does anything: `--help`, the first dry run, and the disk.

A child's CPU and peak memory are read by a small process in between: a child that was forked from a large one is
charged with its parent's memory.
"""

import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sre_agent.settings.shipped import shipped
from tests.bench.verdict import Row, spread
from tests.house.tree import ROOT

LOCK = ROOT / "requirements.lock"
REPEATS = 7
WATCH = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
MB = 1_000_000


@dataclass(frozen=True)
class Cost:
    """What one run of the program took: CPU seconds (user and system) and peak memory in MB."""

    cpu_s: float
    peak_mb: float


def cost(*words: str) -> Cost:
    """Run `sre-agent WORDS` to its end. SystemExit when it fails."""
    program = [sys.executable, "-I", "-S", "-c", WATCH, sys.executable, "-m", "sre_agent", *words]
    ran = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    status, cpu, peak = ran.stdout.split()
    if status != "0":
        raise SystemExit(f"sre-agent {' '.join(words)} ended with status {status}")
    # Linux counts in KiB, macOS in bytes.
    return Cost(float(cpu), int(peak) * (1 if sys.platform == "darwin" else 1024) / MB)


def rows(repeats: int = REPEATS) -> list[Row]:
    """`--help` against its targets, and a first dry run for information."""
    asked = [cost("--help") for _ in range(repeats)]
    cpu, peak = [c.cpu_s for c in asked], [c.peak_mb for c in asked]
    return [
        Row("sre-agent --help: CPU", statistics.median(cpu), " s", 0.5, seen=spread(cpu, " s")),
        Row("sre-agent --help: peak memory", max(peak), " MB", 100.0, seen=spread(peak, " MB")),
        _first_case(max(1, repeats // 2)),
    ]


def _first_case(repeats: int) -> Row:
    case = min(str(path.parent) for path in shipped("incidents").glob("*/case.json"))
    taken = [cost("replay", case, "--json", "-").cpu_s for _ in range(repeats)]
    seen = f"Python, LangGraph, policies and runbooks are loaded; {spread(taken, ' s')}"
    return Row("dry run of one case in a fresh process: CPU", statistics.median(taken), " s", seen=seen)


def installed() -> list[Row]:
    """The run-time environment, counted in this one: the distributions of requirements.lock and the files they own."""
    sizes: dict[str, int] = {}
    absent = []
    for name, conditional in _locked():
        try:
            sizes[name] = _bytes_of(metadata.distribution(name))
        except metadata.PackageNotFoundError:
            absent += [] if conditional else [name]
    if absent:
        raise SystemExit(f"requirements.lock is not installed here: {', '.join(absent)} missing")
    return _environment(len(sizes), sum(sizes.values()), sizes, "counted in this environment, without pip")


def fresh() -> list[Row]:
    """The run-time environment, made from requirements.lock in a folder of its own, as an installation does it."""
    with tempfile.TemporaryDirectory(prefix="sre-agent-env-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin/python")
        install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes", "-r", str(LOCK)]
        subprocess.run(install, check=True)
        places = [str(path) for path in Path(folder).glob("lib/*/site-packages")]
        found = {d.name: _bytes_of(d) for d in metadata.distributions(path=places)}
        total = sum(_disk(path) for path in Path(folder).rglob("*"))
        return _environment(len(found), total, found, "a fresh environment, pip included")


def _environment(count: int, total: int, sizes: dict[str, int], how: str) -> list[Row]:
    largest = sorted(sizes, key=lambda name: -sizes[name])[:4]
    seen = ", ".join(f"{name} {sizes[name] / MB:.0f}" for name in largest)
    return [
        Row("run-time environment: distributions", count, "", 105.0, seen=how),
        Row("run-time environment: disk", total / MB, " MB", 480.0, seen=f"of which {seen} MB"),
    ]


def _locked() -> list[tuple[str, bool]]:
    """The names in requirements.lock, and whether each is only for some platforms or Pythons."""
    pins = re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==\S+( ;)?", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [(name, bool(marker)) for name, marker in pins]


def _bytes_of(distribution: metadata.Distribution) -> int:
    """Disk that the files of one distribution take, compiled ones included."""
    return sum(_disk(Path(str(distribution.locate_file(file)))) for file in distribution.files or ())


def _disk(path: Path) -> int:
    """Blocks in use, in bytes; 0 for what is no file of its own."""
    return path.stat().st_blocks * 512 if path.is_file() and not path.is_symlink() else 0
