"""Incidents whose alerts need better labels: whose they are is read from labels alone."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from sre_agent.incident.alert import AlertClass
from sre_agent.replay.replayed import Replayed


class LabelGap(StrEnum):
    """What is wrong with the labels of an incident."""

    UNTAGGED = "untagged"
    MALFORMED = "malformed"
    MIXED = "mixed"
    LABELS_UNKNOWN = "labels_unknown"
    FOUND_OTHER = "found_other"
    WAS_OTHER = "was_other"
    NO_TEAM = "no_team"
    NO_TOOL_NAME = "no_tool_name"


EXPLAINED: Final[dict[LabelGap, str]] = {
    LabelGap.UNTAGGED: "an alert carries no alert_type: set it in its rule",
    LabelGap.MALFORMED: "alert_type is none of infra, model, tool: correct it in the rule",
    LabelGap.MIXED: "alerts of several classes in one incident: group them by alert_type",
    LabelGap.LABELS_UNKNOWN: "labels did not arrive or could not be read: send them in the details of the event",
    LabelGap.FOUND_OTHER: "the evidence says another class than the label: look at the rule",
    LabelGap.WAS_OTHER: "people say it was another class than the label: correct it in the rule",
    LabelGap.NO_TEAM: "an alert carries no team: set it in its rule",
    LabelGap.NO_TOOL_NAME: "a tool's alert carries no tool_name, so its owner is not known: set it in the rule",
}


def label_gaps(replayed: Replayed) -> tuple[LabelGap, ...]:
    """What to mend, in the order of the enum."""
    found = set(_gaps(replayed))
    return tuple(gap for gap in LabelGap if gap in found)


def _gaps(replayed: Replayed) -> Iterator[LabelGap]:
    result, told = replayed.result, replayed.told
    if result is None or told is None:
        return
    yield from (LabelGap(g) for g in told.label_gaps if g in LabelGap.__members__.values())
    label, silent = result.labelled_class, (AlertClass.UNKNOWN, AlertClass.MIXED)
    if label not in silent and result.alert_class not in (label, *silent):
        yield LabelGap.FOUND_OTHER
    true = told.outcome.true_class if told.outcome else None
    if true is not None and label not in silent and true not in (label, AlertClass.UNKNOWN):
        yield LabelGap.WAS_OTHER
