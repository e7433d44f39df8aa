"""`make bench-diagnosis CASES=FOLDER`: how often the rules name the cause, over recordings with answers that stay outside.

Nothing of the recordings is kept here: each set has a converter that makes cases in memory. Exit status 0 where the
folder is missing, 1 when a target is missed.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.cpu import machine
from tests.bench.diagnosis import kubernetes_text, nezha, opensre, petshop
from tests.bench.verdict import Row, table

SETS: dict[str, Callable[[Path], list[Row]]] = {
    "petshop": petshop.measured,
    "nezha_tt": nezha.measured,
    "opensre_synth": opensre.measured,
    "kubernetes_text": kubernetes_text.measured,
}


def main() -> int:
    """Measure every set that is there, print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.diagnosis", description=__doc__)
    parser.add_argument("cases", nargs="?", default="", help="the folder with the sets")
    parser.add_argument("--only", action="append", choices=sorted(SETS), help="only this set; may be given again")
    given = parser.parse_args()
    root = Path(given.cases)
    present = [name for name in given.only or SETS if given.cases and (root / name).is_dir()]
    if not present:
        print(f"no recordings at {given.cases or '(CASES=FOLDER was not given)'}: nothing measured")
        return 0
    found: list[Row] = []
    for name in present:
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        found += SETS[name](root / name)
    print(f"{datetime.now(UTC):%Y-%m-%d}, rules only, no model; {machine()}\n\n{table(found)}")
    missed = [row.what for row in found if not row.held]
    print(f"\nNOT HELD: {'; '.join(missed)}" if missed else "\nEvery target held.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
