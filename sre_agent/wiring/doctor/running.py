"""The agent as it runs: the kill switch, the audit chain, the jobs and who works on them."""

from sre_agent.policy.halt import HOW_TO_RESUME, words
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, ago, broken, ok, warning

LATE_S, STUCK_S = 60.0, 600.0
"""A job that is due is taken within a second or two; one that waits this long means too few workers, or none."""


async def _switch(connections: Connections) -> Seen:
    from sre_agent.adapters.postgres.halt import PostgresHalt

    state = await PostgresHalt(await connections.database()).state()
    if state.engaged:
        return warning(words(state), f"Nothing acts until a person lifts it: {HOW_TO_RESUME}")
    return ok(words(state))


async def _audit(connections: Connections) -> Seen:
    from sre_agent.adapters.postgres.store import PostgresStore

    record = await PostgresStore(await connections.database()).audit_break()
    if record is not None:
        return broken(
            f"the chain is broken at record {record}: it was changed, removed or cut off",
            "Stop the hands (`sre-agent halt`), run `sre-agent audit verify`, and find out who has access to the database.",
        )
    return ok("the chain is whole")


async def _queue(connections: Connections) -> Seen:
    from sre_agent.adapters.postgres.condition import backlog

    found = await backlog(await connections.database())
    if not found.due:
        more = f", {found.failed} failed for good and were handed to people" if found.failed else ""
        return ok(f"no job is waiting, {found.running} running{more}")
    said = f"{found.due} {'job is' if found.due == 1 else 'jobs are'} due, the oldest since {ago(found.oldest_s)}"
    todo = "Start a worker (`sre-agent serve --role worker`), or look into its log for why it takes none."
    if found.oldest_s >= STUCK_S or (found.oldest_s >= LATE_S and not found.workers):
        return broken(said, todo)
    return warning(said, todo) if found.oldest_s >= LATE_S else ok(said)


async def _workers(connections: Connections) -> Seen:
    from sre_agent.adapters.postgres.condition import backlog

    found = await backlog(await connections.database())
    if not found.workers:
        gone = f" ({found.silent} stopped beating)" if found.silent else ""
        return warning(f"no worker is alive{gone}", "Start one: `sre-agent serve`, or `--role worker` and `--role hands`.")
    return ok(f"{found.workers} {'worker is' if found.workers == 1 else 'workers are'} alive")


_MIGRATED = "database.schema"
_ASK = "Ask again; if it stays, look into the database's log."
CHECKS = (
    Check("agent", "kill_switch", "How the kill switch stands, and why.", _switch, _ASK, after=_MIGRATED),
    Check("agent", "audit", "The audit chain is unbroken.", _audit, _ASK, after=_MIGRATED),
    Check("agent", "queue", "No job has waited too long.", _queue, _ASK, after=_MIGRATED),
    Check("agent", "workers", "Somebody works on the jobs.", _workers, _ASK, after=_MIGRATED),
)
