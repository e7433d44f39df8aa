"""Removing, changing or reordering any record breaks the chain at that place."""

from datetime import UTC, datetime

import pytest

from sre_agent.audit.record import GENESIS, AuditEntry, AuditRecord, anchor, first_break, link, unlike


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


def test_a_chain_written_anew_does_not_fit_what_was_noted() -> None:
    whole = chain(5)
    noted = anchor(whole[3])
    assert unlike(whole, [noted, anchor(whole[0])]) == ()
    previous, anew = GENESIS, []
    for old in whole:
        entry = old.entry.model_copy(update={"detail": {}})
        anew.append(link(previous, old.sequence, entry))
        previous = anew[-1].hash
    assert first_break(anew) is None
    assert unlike(anew, [noted]) == ("record 4 has another hash",)
    assert unlike(whole[:3], [noted]) == ("record 4 does not exist; the chain has 3",)


@pytest.mark.parametrize("nonsense", ["", "4", "4:", "4:abc", "0:" + "a" * 32, "x:" + "a" * 32, "-1:" + "a" * 32])
def test_an_anchor_that_says_nothing_never_fits(nonsense: str) -> None:
    assert len(unlike(chain(5), [nonsense])) == 1
