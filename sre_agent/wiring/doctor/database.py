"""The agent's own PostgreSQL: reached, migrated, writable, in time, with room for more connections."""

from typing import TYPE_CHECKING

from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, broken, judged_skew, listed, ok, warning

if TYPE_CHECKING:
    from sre_agent.adapters.postgres.condition import Server

FEW = 20
"""Connections that a web, a worker and a hands process may want at once, about."""


async def _server(connections: Connections) -> "Server":
    from sre_agent.adapters.postgres.condition import server

    return await server(await connections.database())


async def _reachable(connections: Connections) -> Seen:
    found = await _server(connections)
    where = (await connections.database()).address if connections.settings.database_url else "embedded"
    return ok(f"PostgreSQL {found.version} ({where})")


async def _schema(connections: Connections) -> Seen:
    from sre_agent.adapters.postgres.migrate import missing

    names = await missing(await connections.database())
    if names:
        return broken(f"{len(names)} migrations are missing: {listed(names, 3)}", "Run `sre-agent migrate`.")
    return ok("the tables are those of this version")


async def _writable(connections: Connections) -> Seen:
    return writable(await _server(connections))


def writable(found: "Server") -> Seen:
    """Whether it takes writes."""
    if found.standby:
        return broken("this is a standby, which takes no writes", "Point DATABASE_URL at the primary, or at what follows it.")
    if found.read_only:
        return broken("the server is read-only by its settings", "Look for default_transaction_read_only and a full disk.")
    return ok("a primary that takes writes")


async def _clock(connections: Connections) -> Seen:
    await _server(connections)  # the first answer pays for the connection
    before = connections.now
    found = await _server(connections)
    after = connections.now
    skew = (found.now - (before + (after - before) / 2)).total_seconds()
    return judged_skew(skew, "the database")


async def _room(connections: Connections) -> Seen:
    return room(await _server(connections))


def room(found: "Server") -> Seen:
    """Whether more processes may connect."""
    said = f"{found.free} of {found.most} connections are free"
    if found.free < 3:
        return broken(said, "Raise max_connections, or end what holds them: the agent needs up to 20.")
    return warning(said, "Raise max_connections before starting more processes.") if found.free < FEW else ok(said)


_CONNECTED = "database.reachable"
_ASK = "Ask again; if it stays, look into the database's log."
_URL = ("DATABASE_URL",)
CHECKS = (
    Check(
        "database",
        "reachable",
        "The agent's own PostgreSQL answers and lets us in.",
        _reachable,
        "Check DATABASE_URL, its password and the network; without one, run `sre-agent migrate` to make the embedded database.",
        about=("DATABASE_URL", "SRE_AGENT_DATA_DIR"),
    ),
    Check("database", "schema", "It was migrated to this version.", _schema, _ASK, about=_URL, after=_CONNECTED),
    Check("database", "writable", "It is a primary, and not read-only.", _writable, _ASK, about=_URL, after=_CONNECTED),
    Check("database", "clock", "Its clock and this machine's agree.", _clock, _ASK, about=_URL, after=_CONNECTED),
    Check("database", "connections", "There is room for more connections.", _room, _ASK, about=_URL, after=_CONNECTED),
)
