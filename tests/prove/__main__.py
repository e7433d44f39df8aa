"""`make prove`: everything that can be shown about the shipped policies. Writes docs/proofs.md; exit status 1 if not all holds.

Goals, liveness, comparison with Cedar and mutation run in two processes, a few minutes in all. The page is left alone
when nothing but the date would change. `--no-report` leaves it alone in any case.
"""

import multiprocessing
import os
import re
import sys
import time
from datetime import UTC, datetime

from sre_agent.policy.lock import policy_texts
from sre_agent.policy.prove.differential import Comparison
from sre_agent.policy.prove.reading import ANSWERING, REMEDIATION, rules_hash
from sre_agent.policy.prove.report import Run, render
from tests.prove.holders import HOLDERS
from tests.prove.stage import POLICIES, ROOT, shipped
from tests.prove.work import CHUNK, MUTANTS, Job, Piece, done

REPORT = ROOT / "docs" / "proofs.md"
REQUESTS = {REMEDIATION: 12_000, ANSWERING: 1_000}
PROCESSES = min(2, os.cpu_count() or 1)


def main() -> int:
    """All of it."""
    began = time.monotonic()
    about = rules_hash(policy_texts(POLICIES))
    jobs: list[Job] = [("goals", 0), ("liveness", 0)]
    jobs += [(world, at) for world, count in REQUESTS.items() for at in range(0, count, CHUNK)]
    jobs += [("mutants", at) for at in range(0, len(shipped().mutants), MUTANTS)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pieces = [_told(piece, began) for piece in pool.imap(done, jobs)]
    run = _run(pieces, about)
    failures = run.failures(sum(REQUESTS.values()))
    if about != rules_hash(policy_texts(POLICIES)):
        failures = (*failures, "the policies were edited during the run: run it again")
    for failure in failures:
        print(f"FAILED  {failure}")
    if "--no-report" not in sys.argv:
        _write(render(run, HOLDERS, datetime.now(UTC).strftime("%Y-%m-%d")))
    print(f"{'not ' if failures else ''}all proved, in {time.monotonic() - began:.0f} s")
    return 1 if failures else 0


def _told(piece: Piece, began: float) -> Piece:
    what, found = piece
    count = found.requests if isinstance(found, Comparison) else len(found)
    print(f"{time.monotonic() - began:6.0f} s  {what}: {count}", flush=True)
    return piece


def _run(pieces: list[Piece], about: str) -> Run:
    run = Run(rules=about, policies=len(shipped().rules.policies))
    compared: dict[str, Comparison] = {}
    for what, found in pieces:
        if isinstance(found, Comparison):
            compared[what] = compared.get(what, Comparison()) + found
        elif what == "goals":
            run.outcomes = found
        elif what == "liveness":
            run.live = found
        else:
            run.fates += found
    run.compared = compared
    return run


def _write(text: str) -> None:
    dated = re.compile(r"^\| date of the run.*$", re.MULTILINE)
    before = REPORT.read_text(encoding="utf-8") if REPORT.exists() else ""
    if dated.sub("", before) != dated.sub("", text):
        REPORT.write_text(text, encoding="utf-8")
        print(f"written: {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
