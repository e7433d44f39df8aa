"""What opens the demonstration: the shipped past incidents, replayed under the shipped policies, beside their golden answers."""

import json
from dataclasses import dataclass
from pathlib import Path

from sre_agent.policy.decision import Verdict
from sre_agent.replay.expectation import differences, expectation_of
from sre_agent.replay.replayed import Replayed
from sre_agent.testing.night.checks import Ledger

COLUMNS = ("past incident", "labelled", "found", "verdict", "the agent would", "people did")
LONGEST = 44


@dataclass(frozen=True)
class Past:
    """One replayed incident. `wrong`: where it differs from its golden answer, one line each."""

    done: Replayed
    wrong: tuple[str, ...]

    @property
    def row(self) -> tuple[str, ...]:
        """The cells under COLUMNS."""
        result, told = self.done.result, self.done.told
        if result is None:
            return (self.done.case, "", "", "FAILED", self.done.error, "")
        would = "nothing" if result.verdict is Verdict.NO_ACTION else f"hand it to {result.owner}"
        if result.proposal is not None:
            would = f"{result.proposal.action} {result.proposal.target.name}"
        acted = "; ".join(a.what for a in told.outcome.actions or ()) if told and told.outcome else ""
        verdict = result.verdict.value + (f" ({result.approvals_required})" if result.approvals_required else "")
        cells = (self.done.case, result.labelled_class.value, result.alert_class.value, verdict, would, acted)
        return tuple(cell if len(cell) <= LONGEST else cell[: LONGEST - 3] + "..." for cell in cells)


def judged(done: Replayed, folder: Path) -> Past:
    """The incident held against its expect.json."""
    expected = expectation_of(folder)
    if expected is None:
        return Past(done, (f"{folder.name}: has no golden answer",))
    return Past(done, tuple(differences(expected, json.loads(done.line(timings=False)))))


def promises(checks: Ledger, past: tuple[Past, ...]) -> None:
    """What must hold of all of them together."""
    wrong = [p.done.case for p in past if p.wrong]
    told = ", ".join(wrong) or f"{len(past)} past incidents"
    checks.add("Every shipped past incident is judged as its golden answer says", not wrong and len(past) >= 12, told)
    results = [p.done.result for p in past if p.done.result is not None]
    others = [r for r in results if r.labelled_class != "infra"]
    acted = [r.case for r in others if r.verdict in (Verdict.ALLOW, Verdict.NEEDS_APPROVAL)]
    checks.add("None that is not labelled infra may be acted on", not acted and bool(others), f"{len(others)} of them")
