"""The recorder's shelf: the one in PostgreSQL and the double, held to the same promises."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.recordings import PostgresRecordings
from sre_agent.replay.recording.store import Kept, Recordings
from sre_agent.testing.memory_recordings import MemoryRecordings

AT = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
Shelf = Callable[..., Recordings]


@pytest.fixture(params=["memory", "postgres"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    pool: Database | None = request.getfixturevalue("database") if request.param == "postgres" else None

    def made(most: int = 1000, keep: timedelta = timedelta(days=90)) -> Recordings:
        return MemoryRecordings(most, keep) if pool is None else PostgresRecordings(pool, most, keep)

    return made


def kept(incident_id: str, round_: int = 1, size: int = 10, ago: timedelta = timedelta(0), exact: bool = True) -> Kept:
    known = {"title": "t\x00", "verdict": "allow", "decision_sha256": "a" * 64, "exact": exact}
    return Kept.model_validate({**known, "incident_id": incident_id, "round": round_, "at": AT - ago, "size": size})


async def test_what_is_kept_is_found_by_incident_and_round(shelf: Shelf) -> None:
    recordings = shelf()
    await recordings.keep(kept("Q1", 1, ago=timedelta(hours=2)), b"one")
    await recordings.keep(kept("Q1", 2), b"\x00two")
    await recordings.keep(kept("Q2", ago=timedelta(hours=1)), b"three")
    assert [(k.incident_id, k.round) for k in await recordings.listing(10)] == [("Q1", 2), ("Q2", 1), ("Q1", 1)]
    assert [(k.incident_id, k.round) for k in await recordings.listing(1)] == [("Q1", 2)]
    assert [k.round for k in await recordings.rounds("Q1")] == [1, 2]
    assert (await recordings.rounds("Q9"), await recordings.content("Q1", 3)) == ((), None)
    assert (await recordings.content("Q1", 1), await recordings.content("Q1", 2)) == (b"one", b"\x00two")


async def test_recording_a_round_again_replaces_it(shelf: Shelf) -> None:
    recordings = shelf()
    for content, exact in ((b"first", False), (b"second", True)):
        await recordings.keep(kept("Q1", exact=exact), content)
    assert [k.exact for k in await recordings.listing(10)] == [True]
    assert await recordings.content("Q1", 1) == b"second"


async def test_when_they_are_too_many_the_oldest_go_and_the_total_is_bounded(shelf: Shelf) -> None:
    recordings = shelf(most=100)
    for n in range(12):
        await recordings.keep(kept(f"Q{n:02}", size=30, ago=timedelta(hours=12 - n)), b"x" * 30)
        assert sum(k.size for k in await recordings.listing(100)) <= 100
    assert [k.incident_id for k in await recordings.listing(100)] == ["Q11", "Q10", "Q09"]


async def test_one_that_is_older_than_it_is_kept_goes_with_the_next(shelf: Shelf) -> None:
    recordings = shelf(keep=timedelta(days=30))
    await recordings.keep(kept("Q1", ago=timedelta(days=31)), b"x")
    await recordings.keep(kept("Q2", ago=timedelta(days=29)), b"x")
    await recordings.keep(kept("Q3"), b"x")
    assert [k.incident_id for k in await recordings.listing(10)] == ["Q3", "Q2"]
