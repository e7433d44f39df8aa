"""Who looks at a page: the one thing that sign-in tells the pages, and that pages ask before they show or do anything."""

from dataclasses import dataclass
from enum import IntEnum

from fastapi import HTTPException
from starlette.requests import HTTPConnection


class Role(IntEnum):
    """What somebody may do here; each includes the ones before.

    VIEWER looks. APPROVER is a person of teams.yaml: whether their yes counts is the policies' question, not this role's.
    ADMIN also moves the kill switch.
    """

    VIEWER = 1
    APPROVER = 2
    ADMIN = 3


@dataclass(frozen=True)
class Visitor:
    """Somebody signed in. `person` is their id in teams.yaml (None: nobody listed there), `name` is for reading,
    `via` the door ("oidc", "proxy", "token"), `csrf` what their forms must bring back.
    """

    role: Role
    person: str | None
    name: str
    via: str
    csrf: str


SCOPE_KEY = "sre_agent.visitor"


def visitor_of(connection: HTTPConnection) -> Visitor | None:
    """Whoever the sign-in in front found; None: nobody."""
    found = connection.scope.get(SCOPE_KEY)
    return found if isinstance(found, Visitor) else None


def needing(role: Role, connection: HTTPConnection) -> Visitor:
    """The visitor, when they have this role. Raises HTTPException 401 or 403."""
    visitor = visitor_of(connection)
    if visitor is None:
        raise HTTPException(401, "sign in first")
    if visitor.role < role:
        raise HTTPException(403, f"this needs the role {role.name.lower()}; you have {visitor.role.name.lower()}")
    return visitor
