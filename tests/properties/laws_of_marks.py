"""The laws about what is set on an incident that is handed back."""

from collections.abc import Iterator

from sre_agent.response.marks import SENDING
from sre_agent.response.record import State
from tests.properties.stage import Stage


def announced_once(stage: Stage) -> Iterator[str]:
    """W4: subscribers get one status update a round at most, whatever crashes, stalls or is retried."""
    for record in stage.store.all_records():
        sent = len(stage.tracker.statuses.get(record.id, []))
        if sent > record.round:
            yield f"{record.id}: {sent} status updates in {record.round} round(s)"


def marked_in_the_end(stage: Stage) -> Iterator[str]:
    """L4: whatever was handed back has everything declared for it, or says what is missing."""
    for record in stage.store.all_records():
        whole = set(record.marks) == {"priority", "custom fields", "status update"} and SENDING not in record.marks.values()
        if record.state is State.HANDED_BACK and record.triage is not None and not whole:
            yield f"{record.id} ended with {record.marks}"
