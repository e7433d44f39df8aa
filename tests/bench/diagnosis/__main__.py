"""`make bench-diagnosis CASES=FOLDER`: how often the rules name the cause, over recordings with answers that stay outside.

Nothing of the recordings is kept here: each set has a converter that makes cases in memory. Exit status 0 where the
folder is missing, 1 when a target is missed.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from sre_agent.replay.case import Case
from tests.bench.cpu import machine
from tests.bench.diagnosis import kubernetes_text, model_cost, nezha, opensre, petshop, shaken, siblings, worlds
from tests.bench.verdict import Row, table

SETS: dict[str, Callable[[Path], list[Row]]] = {
    "petshop": petshop.measured,
    "nezha_tt": nezha.measured,
    "opensre_synth": opensre.measured,
    "kubernetes_text": kubernetes_text.measured,
}
CASES: dict[str, Callable[[Path], Iterable[Case]]] = {
    "petshop": petshop.cases,
    "nezha_tt": nezha.cases,
    "opensre_synth": opensre.cases,
    "kubernetes_text": kubernetes_text.cases,
}
PLACES: dict[str, Callable[[Path, Callable[[Case], Case], shaken.Rename], list[int]]] = {
    "petshop": petshop.places,
    "nezha_tt": nezha.places,
}


def main() -> int:
    """Measure every set that is there, print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.diagnosis", description=__doc__)
    parser.add_argument("cases", nargs="?", default="", help="the folder with the sets")
    parser.add_argument("--only", action="append", choices=sorted(SETS), help="only this set; may be given again")
    parser.add_argument(
        "--shaken", action="store_true", help="the sets with a call graph again, with samples, metrics or names lost"
    )
    parser.add_argument("--made-up", action="store_true", help="made-up databases and service graphs; needs no recordings")
    parser.add_argument(
        "--model", choices=("scripted", "configured"), help="also what a model costs: a stand-in, or the endpoint of OPENAI_*"
    )
    given = parser.parse_args()
    if given.made_up:
        print(
            f"{datetime.now(UTC):%Y-%m-%d}, rules only, made up; {machine()}\n\n{table([*siblings.measured(), *worlds.measured()])}"
        )
        return 0
    root = Path(given.cases)
    present = [name for name in given.only or SETS if given.cases and (root / name).is_dir()]
    if not present:
        print(f"no recordings at {given.cases or '(CASES=FOLDER was not given)'}: nothing measured")
        return 0
    if given.shaken:
        return _shaken(root, present)
    found: list[Row] = []
    for name in present:
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        found += SETS[name](root / name)
        found += model_cost.spent(name, CASES[name](root / name), given.model) if given.model else []
    how = "causes by rules, model beside them" if given.model else "rules only, no model"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {how}; {machine()}\n\n{table(found)}")
    missed = [row.what for row in found if not row.held]
    print(f"\nNOT HELD: {'; '.join(missed)}" if missed else "\nEvery target held.")
    return 1 if missed else 0


def _shaken(root: Path, present: list[str]) -> int:
    """Top-1 and top-3 of each set that names services, in every way of shaking it; judged by nobody."""
    for name in (n for n in present if n in PLACES):
        print(f"\n{name}: named first (5..95 % of draws), in the first three")
        for what, (shake, rename) in shaken.WAYS.items():
            places = PLACES[name](root / name, shake, rename)
            low, high = shaken.spread([p <= 1 for p in places])
            first, three = (sum(p <= most for p in places) / len(places) for most in (1, 3))
            print(f"  {what:36s} {first:.3f} ({low:.2f}..{high:.2f})  {three:.3f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
