"""The kill switch over an install, restarts and upgrades, on the real database (guardrail G58)."""

from datetime import UTC, datetime

import pytest

from sre_agent import __version__
from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.halt import PostgresHalt
from sre_agent.adapters.postgres.ledger import PostgresLedger
from sre_agent.adapters.postgres.migrate import migrate
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.execution.budget import Limits
from sre_agent.execution.ledger import Intent
from sre_agent.incident.errors import ConfigurationError, Refused
from sre_agent.policy.halt import HaltCause

NOW = datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)
NEWER = "99.0.0"


def intent(n: int = 1) -> Intent:
    return Intent(
        key=f"k{n}",
        incident_id=f"P{n}",
        action="restart_pod",
        target_key=f"Pod/a/{n}",
        service=f"s{n}",
        plan_hash="f",
        permit_id=f"permit-{n}",
        created_at=NOW,
    )


async def kinds(database: Database) -> list[tuple[str, str]]:
    return [(r.entry.kind, r.entry.detail.get("cause", "")) for r in await PostgresStore(database).audit(None)]


async def test_a_fresh_install_is_halted_says_what_to_do_and_is_on_record(postgres: EmbeddedPostgres) -> None:
    url = postgres.database_url("installed")
    await migrate(url)
    async with Database(url) as pool:
        state = await PostgresHalt(pool).state()
        assert (state.engaged, state.cause, state.by) == (True, HaltCause.INSTALL, "sre-agent")
        assert __version__ in state.reason
        assert "sre-agent resume --as" in state.reason
        with pytest.raises(Refused, match="halted"):
            await PostgresLedger(pool, Limits()).open(intent())
        assert await kinds(pool) == [("halt_engaged", "install")]
        assert await PostgresStore(pool).audit_break() is None


async def test_a_plain_restart_and_another_migrate_keep_the_switch_as_it_was(database: Database, database_url: str) -> None:
    for move in ("lift", "engage"):
        halt = PostgresHalt(database)
        moved = await getattr(halt, move)("ana", "as I say", NOW)
        assert await halt.entered() == moved
        await migrate(database_url)
        assert await PostgresHalt(database).entered() == moved


async def test_a_start_of_another_version_engages_for_everybody_and_once(database: Database) -> None:
    await PostgresHalt(database).lift("ana", "looked at", NOW)
    newer = PostgresHalt(database, NEWER)
    state = await newer.entered()
    assert (state.engaged, state.cause) == (True, HaltCause.UPGRADE)
    assert f"from {__version__} to {NEWER}" in state.reason
    assert await newer.entered() == state
    assert await newer.halted()
    assert await PostgresHalt(database).halted()
    assert await kinds(database) == [("halt_lifted", "person"), ("halt_engaged", "upgrade")]
    await newer.lift("ana", "changelog read", NOW)
    assert not await newer.halted()
    with pytest.raises(Refused, match="halted"):  # the old one, still running, was not what ana looked at
        await PostgresLedger(database, Limits()).open(intent())


async def test_another_version_is_halted_before_it_could_write_that_down(database: Database) -> None:
    await PostgresHalt(database).lift("ana", "looked at", NOW)
    newer = PostgresHalt(database, NEWER)
    assert await newer.halted()
    with pytest.raises(Refused, match="halted"):
        await PostgresLedger(database, Limits(), NEWER).open(intent())
    assert not await PostgresHalt(database).halted()
    assert (await PostgresLedger(database, Limits()).open(intent())).key == "k1"


async def test_migrating_to_a_new_version_engages_too(database: Database, database_url: str) -> None:
    await PostgresHalt(database).lift("ana", "looked at", NOW)
    await migrate(database_url, version=NEWER)
    assert (await PostgresHalt(database, NEWER).state()).cause is HaltCause.UPGRADE
    await PostgresHalt(database).lift("ana", "back to the old one", NOW)


async def test_an_upgrade_does_not_forget_who_had_halted_and_why(database: Database) -> None:
    await PostgresHalt(database).engage("ben", "restarts look wrong", NOW)
    state = await PostgresHalt(database, NEWER).entered()
    assert "halted before that by ben: restarts look wrong" in state.reason


async def test_a_start_without_a_switch_stops_and_counts_as_halted(database: Database, database_url: str) -> None:
    async with database.connection() as connection:
        await connection.execute("DELETE FROM halt")
    halt = PostgresHalt(database)
    with pytest.raises(ConfigurationError, match="sre-agent migrate"):
        await halt.entered()
    assert await halt.halted()
    await migrate(database_url)
    assert (await halt.state()).cause is HaltCause.INSTALL
