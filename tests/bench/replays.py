"""Many small cases from folders, as `sre-agent replay` runs them: how many a minute, how much memory, how soon the first.

The cases are the golden ones, again and again under other ids. Memory is that of the program and its workers together, read
from /proc while it runs; pages that several of them share are counted for each, so that the truth is below.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sre_agent.settings.shipped import shipped
from tests.bench.verdict import Row, spread
from tests.house.tree import ROOT

CASES = 10_000
FEW = 1_000
STARTS = 5
SMALL = 16_000
"""Bytes of a case that counts as small."""
LOOK_S = 0.2
MB = 1_000_000


def rows(cases: int = CASES, few: int = FEW, starts: int = STARTS) -> list[Row]:
    """Throughput and memory over `cases`, memory over `few` beside it, and the time to the first answer."""
    with tempfile.TemporaryDirectory(prefix="sre-agent-bench-") as room:
        folder = Path(room)
        _fill(folder / "few", few)
        _fill(folder / "many", cases)
        small = _run(folder / "few", few)
        large = _run(folder / "many", cases)
        first = [_first(folder / "few") for _ in range(starts)]
        _fill(folder / "one", 1)
        one = [_first(folder / "one" / "000000") for _ in range(starts)]
    rate = cases / large[0] * 60
    seen = f"{cases:,} cases in {large[0]:.0f} s, {few:,} in {small[0]:.0f} s"
    return [
        Row("replay: cases a minute, from folders", rate, "", 1_000.0, at_least=True, seen=seen),
        Row("replay: memory of all processes", large[1], " MB", 400.0, seen=f"{cases:,} cases; {small[1]:.0f} MB for {few:,}"),
        Row("replay: start to the first of many cases", min(first), " s", 1.5, seen=spread(first, " s")),
        Row("replay: start to the answer on one case", min(one), " s", 1.5, seen=spread(one, " s")),
    ]


def _fill(folder: Path, count: int) -> None:
    """`count` small cases, each with an id of its own."""
    folder.mkdir()
    golden = [p.parent for p in sorted(shipped("incidents").glob("*/case.json"))]
    small = [g for g in golden if sum(f.stat().st_size for f in g.rglob("*") if f.is_file()) <= SMALL]
    for n in range(count):
        case = folder / f"{n:06}"
        shutil.copytree(small[n % len(small)], case)
        head = json.loads((case / "case.json").read_text(encoding="utf-8"))
        (case / "case.json").write_text(json.dumps({**head, "id": f"{head['id']}-{n:06}"}), encoding="utf-8")


def _run(folder: Path, count: int) -> tuple[float, float]:
    """(seconds, peak MB of the program with its workers) of a whole run."""
    out = folder.parent / "out.jsonl"
    began = time.perf_counter()
    with _replay(folder, "--json", str(out)) as ran:
        peak = 0.0
        while ran.poll() is None:
            peak = max(peak, _memory(ran.pid))
            time.sleep(LOOK_S)
    took = time.perf_counter() - began
    answered = out.read_bytes().count(b"\n")
    if ran.returncode != 0 or answered != count:
        raise SystemExit(f"replay of {count} cases ended with status {ran.returncode} and {answered} answers")
    return took, peak


def _first(path: Path) -> float:
    """Seconds from the start of the program to its first answer."""
    began = time.perf_counter()
    with _replay(path, "--json", "-") as ran:
        assert ran.stdout is not None
        ran.stdout.readline()
        took = time.perf_counter() - began
        ran.terminate()
    return took


@contextmanager
def _replay(path: Path, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
    program = [sys.executable, "-m", "sre_agent", "replay", str(path), *words]
    kept = {**os.environ, "SRE_AGENT_DATA_DIR": str(path.parent / "kept")}
    with subprocess.Popen(program, cwd=ROOT, env=kept, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ran:
        yield ran


def _memory(pid: int) -> float:
    """Resident MB of a process and those below it; 0.0 where there is no /proc to ask."""
    found = 0.0
    for one in (pid, *_children(pid)):
        try:
            status = Path(f"/proc/{one}/status").read_text(encoding="ascii")
        except OSError:
            continue
        found += next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return found / MB


def _children(pid: int) -> tuple[int, ...]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return ()
    return tuple(int(child) for child in listed.split())
