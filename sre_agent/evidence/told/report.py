"""What a tool reported as wrong, in one value: the readers of tool_reports.py and json_reports.py make it. Pure."""

from datetime import datetime
from typing import NamedTuple

from sre_agent.evidence.finding_kind import FindingKind
from sre_agent.evidence.finding_reason import FindingReason


class Report(NamedTuple):
    """One fault as a tool printed it. `object` is "kind/name"; `cause` is one line with the tool's own words and numbers."""

    kind: FindingKind
    object: str
    cause: str
    reason: FindingReason | None = None
    onset: datetime | None = None


class Asked(NamedTuple):
    """What the tool was asked: `subject` is "kind/name" by its arguments or the alert, `now` the clock of the investigation."""

    subject: str
    namespace: str
    now: datetime
