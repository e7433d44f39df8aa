"""PostgreSQL servers that are watched: each lets us in, as a user that sees everything and changes nothing."""

import asyncio

from sre_agent.incident.errors import SreAgentError
from sre_agent.sources.postgres import Limits, PostgresSource
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, broken, ok, together, warning


async def _watched(connections: Connections) -> Seen:
    urls = {name.lower(): url.get_secret_value() for name, url in connections.settings.postgres_urls.items()}
    source = PostgresSource(urls, Limits(whole_s=connections.request_s))

    async def one(name: str) -> Seen:
        try:
            role = await source.role(name)
        except SreAgentError as error:
            return broken(f"{name}: {error}", "Check its entry in POSTGRES_URLS, the password, pg_hba.conf and the network.")
        if role.superuser:
            return warning(f"{name}: {role.name} is a superuser", "CREATE ROLE sre_read LOGIN PASSWORD '...' IN ROLE pg_monitor;")
        if role.writable:
            return warning(
                f"{name}: {role.name} may change {role.writable} tables",
                "Use a role that only has pg_monitor.",
            )
        if not role.monitor:
            return warning(f"{name}: {role.name} sees only its own sessions", f"GRANT pg_monitor TO {role.name};")
        return ok(f"{name}: PostgreSQL {role.version}, seen whole")

    return together(await asyncio.gather(*map(one, urls)))


CHECKS = (
    Check(
        "postgres",
        "watched",
        "Every watched server lets us in, as a role with pg_monitor that is no superuser and may change nothing.",
        _watched,
        "Check that the servers can be reached from here.",
        needs=("POSTGRES_URLS",),
    ),
)
