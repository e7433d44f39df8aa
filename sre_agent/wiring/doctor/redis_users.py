"""What the checks of every Redis share: how a user stands at its nodes, in words."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sre_agent.adapters.redis_rights import Login, Standing, Words, standing
from sre_agent.wiring.doctor.verdict import Seen, broken, listed, ok, warning

WRITES: tuple[Words, ...] = (
    ("SET", "sre-agent:doctor", "1"),
    ("FLUSHALL",),
    ("CONFIG", "SET", "maxmemory", "0"),
    ("REPLICAOF", "NO", "ONE"),
)
"""What a user that only looks should not be able to do. Only asked about, never run."""


@dataclass(frozen=True)
class Rights:
    """Whose rights: "reading" or "writing"; the `variable` that names the user; what it needs, and what it should not have."""

    whose: str
    variable: str
    needed: tuple[Words, ...]
    feared: tuple[Words, ...] = ()


async def judged(logins: Sequence[Login], rights: Rights, call_s: float) -> Seen:
    """One user at several nodes."""
    told = await asyncio.gather(*(standing(login, rights.needed, rights.feared, call_s) for login in logins))
    return _judged(told, rights)


def _judged(told: Sequence[Standing], rights: Rights) -> Seen:
    who = f"the {rights.whose} user"
    out = [f"{s.address}: {s.error}" for s in told if s.error]
    if out:
        return broken(f"{who} does not get in: {listed(out, 3)}", f"Check {rights.variable}, its password and ACL on every node.")
    lacking = sorted({command for s in told for command in s.lacking})
    if lacking:
        where = listed([s.address for s in told if s.lacking], 3)
        return broken(f"{who} may not run {listed(lacking)} at {where}", "Add these to its ACL on every node, and save the ACL.")
    beyond = sorted({command for s in told for command in s.beyond})
    if beyond:
        return warning(f"{who} may also run {listed(beyond)}", "Give it less: docs/doctor.md has an ACL that is enough.")
    untested = sorted({s.untested for s in told if s.untested})
    if untested:
        asks = "With `+acl|dryrun` its rights could be tested here; it is harmless." if "may not ask" in untested[0] else ""
        return ok(f"{who} gets in at all of {len(told)} nodes; its rights were not tested: {untested[0]}", asks)
    return ok(f"{who} gets in at all of {len(told)} nodes, with the rights it needs")
