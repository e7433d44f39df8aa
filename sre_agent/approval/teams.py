"""Who is answering: one person behind all the identities by which the doors know them."""

import hashlib
import hmac
from typing import Literal

from sre_agent.policy.people import NO_TOKEN, People, Person

__all__ = ["Identity", "Person", "Teams"]

Identity = Literal["id", "slack", "pagerduty", "oidc"]
"""How a door names a person. A CLI token is proof, not a name: see Teams.proves."""


class Teams:
    """The declared people, looked up by identity. Pure over data/teams.yaml."""

    def __init__(self, people: People) -> None:
        self._people = people

    def find(self, kind: Identity, identity: str) -> Person | None:
        """The one person with this identity; None when nobody (or, against the load checks, more than one) has it."""
        if not identity:
            return None
        found = [p for p in self._people.people if getattr(p, kind) == identity]
        return found[0] if len(found) == 1 else None

    def of(self, person: str) -> tuple[str, ...]:
        """The teams a person is in, sorted."""
        return self._people.teams_of(person)

    def is_admin(self, person: str) -> bool:
        """True when the file lists this person among the admins."""
        return person in self._people.admins

    def members(self, team: str) -> tuple[Person, ...]:
        """The people of a team, in the file's order; none for an unknown team."""
        ids = self._people.teams.get(team, ())
        return tuple(p for p in self._people.people if p.id in ids)

    def name_of(self, person: str) -> str:
        """How a person is written; the id itself for who is not (or no longer) known."""
        found = self.find("id", person)
        return found.name if found is not None else person

    def proves(self, person: str, token: str) -> bool:
        """True when `token` is the person's own. Compared in constant time, also for people who do not exist."""
        found = self.find("id", person)
        expected = (found.cli_token_sha256 if found else None) or NO_TOKEN
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        same = hmac.compare_digest(given, expected)
        # SAFETY: the placeholder of the shipped file, and an empty token, prove nothing.
        return same and expected != NO_TOKEN and bool(token)
