"""Removing, changing or reordering any record breaks the chain at that place."""

from datetime import UTC, datetime

from sre_agent.audit.record import GENESIS, AuditEntry, AuditRecord, first_break, link


def chain(n: int) -> list[AuditRecord]:
    previous, records = GENESIS, []
    for i in range(1, n + 1):
        entry = AuditEntry(at=datetime(2026, 3, 4, 3, i, tzinfo=UTC), incident_id="Q1", kind="incident_received", detail={"n": i})
        records.append(link(previous, i, entry))
        previous = records[-1].hash
    return records


def test_an_untouched_chain_has_no_break() -> None:
    assert first_break(chain(5)) is None
    assert first_break([]) is None


def test_each_kind_of_tampering_is_found_where_it_happened() -> None:
    whole = chain(5)
    changed = whole[2].model_copy(update={"entry": whole[2].entry.model_copy(update={"kind": "action_executed"})})
    assert first_break([*whole[:2], changed, *whole[3:]]) == 3
    assert first_break([*whole[:2], *whole[3:]]) == 3
    assert first_break([whole[1], whole[0], *whole[2:]]) == 1
