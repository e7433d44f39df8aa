"""`make bench`: what the product costs, as ratios and CPU time, beside its targets. Exit status 1 when one is missed.

Give parts by name to run only those; `--env` makes the run-time environment anew instead of counting this one (a minute).
"""

import argparse
import sys
from collections.abc import Callable

from tests.bench import (
    footprint,
    gathering,
    history,
    incidents,
    ingest,
    pages,
    presses,
    redaction,
    replays,
    reservations,
    routing,
    storm,
    verdicts,
)
from tests.bench.cpu import machine
from tests.bench.verdict import Row, table

PARTS: dict[str, Callable[[], list[Row]]] = {
    "ingest": ingest.rows,
    "presses": presses.rows,
    "storm": storm.rows,
    "routing": routing.rows,
    "guard": verdicts.rows,
    "reservations": reservations.rows,
    "incident": incidents.rows,
    "gathering": gathering.rows,
    "redaction": redaction.rows,
    "pages": pages.rows,
    "replay": replays.rows,
    "history": history.rows,
    "start": footprint.rows,
    "size": footprint.installed,
}


def main() -> int:
    """Run the parts one after another, print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them when none is named")
    parser.add_argument("--env", action="store_true", help="make the run-time environment anew and count that")
    given = parser.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    print(f"before: {machine()}", flush=True)
    found: list[Row] = []
    for name in given.parts or PARTS:
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        found += footprint.fresh() if name == "size" and given.env else PARTS[name]()
    print(f"after:  {machine()}\n\n{table(found)}")
    missed = [row.what for row in found if not row.held]
    print(f"\nNOT HELD: {'; '.join(missed)}" if missed else "\nEvery target held.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
