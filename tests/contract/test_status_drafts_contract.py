"""Drafts kept in memory and in PostgreSQL: the same promises."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.status_drafts import PostgresStatusDrafts
from sre_agent.handback.status_page import DraftState, KeptDraft, StatusDraft, StatusPhase, draft_id
from sre_agent.incident.errors import Conflict
from sre_agent.routing.file import StatusAudience
from sre_agent.testing.memory_status_drafts import MemoryStatusDrafts

NOW = datetime(2026, 11, 28, 3, 0, 0, 123456, tzinfo=UTC)
ALL = frozenset(DraftState)
Drafts = PostgresStatusDrafts | MemoryStatusDrafts


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def drafts(request: pytest.FixtureRequest) -> AsyncIterator[Drafts]:
    if request.param == "memory":
        yield MemoryStatusDrafts()
        return
    async with Database(request.getfixturevalue("database_url"), max_size=10) as pool:
        await request.getfixturevalue("wipe")(pool)
        yield PostgresStatusDrafts(pool)


def made(incident: str = "Q1", audience: StatusAudience = StatusAudience.PUBLIC, body: str = "It may be slow.") -> StatusDraft:
    phase = StatusPhase.INVESTIGATING
    identity = draft_id(incident, 1, audience, phase)
    return StatusDraft(
        id=identity, incident_id=incident, round=1, audience=audience, phase=phase, name="Problems with our service", body=body
    )


async def kept(drafts: Drafts, draft: StatusDraft) -> KeptDraft:
    found = await drafts.get(draft.id)
    assert found is not None
    return found


def moved(before: KeptDraft, state: DraftState, seconds: int = 1, **changes: str) -> KeptDraft:
    return before.model_copy(update={"state": state, "changed_at": before.changed_at + timedelta(seconds=seconds), **changes})


async def test_a_draft_is_kept_once_and_its_first_words_stay(drafts: Drafts):
    assert await drafts.keep([made()], NOW) == (made(),)
    assert await drafts.keep([made(body="other words")], NOW + timedelta(minutes=1)) == ()
    assert await kept(drafts, made()) == KeptDraft(draft=made(), made_at=NOW, changed_at=NOW)


async def test_a_draft_that_nobody_kept_is_none(drafts: Drafts):
    assert await drafts.get("Q9.1.public.investigating") is None
    assert await drafts.of_incident("Q9") == ()


async def test_of_any_number_that_move_a_draft_one_does(drafts: Drafts):
    await drafts.keep([made()], NOW)
    before = await kept(drafts, made())
    claims = [drafts.move(before, moved(before, DraftState.PUBLISHING, by=f"p{n}")) for n in range(8)]
    ended = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(e is None for e in ended) == 1
    assert all(e is None or isinstance(e, Conflict) for e in ended)
    assert (await kept(drafts, made())).by == f"p{ended.index(None)}"


async def test_who_saw_an_older_state_moves_nothing(drafts: Drafts):
    await drafts.keep([made()], NOW)
    first = await kept(drafts, made())
    await drafts.move(first, moved(first, DraftState.PUBLISHING))
    second = await kept(drafts, made())
    await drafts.move(second, moved(second, DraftState.PENDING, why="not sent"))
    with pytest.raises(Conflict):
        await drafts.move(first, moved(first, DraftState.PUBLISHING))
    with pytest.raises(Conflict):
        await drafts.move(second, moved(second, DraftState.DISCARDED))


async def test_a_draft_that_is_not_kept_cannot_be_moved(drafts: Drafts):
    before = KeptDraft(draft=made(), made_at=NOW, changed_at=NOW)
    with pytest.raises(Conflict):
        await drafts.move(before, moved(before, DraftState.PUBLISHING))
    assert await drafts.get(made().id) is None


async def test_lists_are_by_state_newest_first_and_an_incidents_own_oldest_first(drafts: Drafts):
    await drafts.keep([made("Q1"), made("Q1", StatusAudience.PRIVATE)], NOW)
    await drafts.keep([made("Q2")], NOW + timedelta(seconds=5))
    first = await kept(drafts, made("Q1"))
    await drafts.move(first, moved(first, DraftState.DISCARDED))
    listed = await drafts.listed(ALL, 10)
    assert [k.draft.id for k in listed] == [
        "Q2.1.public.investigating",
        "Q1.1.private.investigating",
        "Q1.1.public.investigating",
    ]
    assert [k.draft.incident_id for k in await drafts.listed(frozenset({DraftState.PENDING}), 1)] == ["Q2"]
    assert [k.draft.audience.value for k in await drafts.of_incident("Q1")] == ["private", "public"]
