"""Minutes that would have been saved. One method, stated where it is shown, and it errs on the low side."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from sre_agent.policy.decision import Verdict
from sre_agent.policy.whitelist import MAX_FACTS_AGE_S
from sre_agent.replay.agreement import Agreement, AgreementKind
from sre_agent.replay.replayed import Replayed

INVESTIGATING_S: Final = float(MAX_FACTS_AGE_S)
"""What the agent is given to look and decide: the guard takes no evidence that is older."""
DEFAULT_SOAK_S: Final = 300

METHOD: Final = (
    "Minutes from the page to the moment people did the same to the same object, less "
    f"{INVESTIGATING_S / 60:.0f} minutes for looking and the runbook's soak, never below 0; only where the verdict is allow."
)
PAGES_METHOD: Final = "Pages of high urgency after which nobody had to act: the verdict is allow, and people did the same."
APPROVALS_METHOD: Final = "The same minutes where people are asked first, had they agreed at once; not counted as saved."


class Saving(BaseModel):
    """Of one case: `minutes` saved; `after_yes`, had people agreed at once; `page`: whether a page would have needed nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minutes: float = 0.0
    after_yes: float = 0.0
    page: bool = False


def saving(replayed: Replayed, agreed: Agreement, soak_s: float) -> Saving:
    """What acting as proposed would have saved. `soak_s` is the runbook's, in seconds."""
    result, told = replayed.result, replayed.told
    if result is None or told is None or agreed.kind is not AgreementKind.AGREE or agreed.at is None:
        return Saving()
    people_s = (agreed.at - (told.paged_at or told.onset)).total_seconds()
    minutes = round(max(0.0, people_s - INVESTIGATING_S - soak_s) / 60, 1)
    if result.verdict is Verdict.ALLOW:
        return Saving(minutes=minutes, page=told.urgency == "high")
    return Saving(after_yes=minutes) if result.verdict is Verdict.NEEDS_APPROVAL else Saving()
