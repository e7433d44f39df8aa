"""People and teams as declared: one person, all the identities by which the doors know them."""

from collections import Counter
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.policy.declarations import Problem

NO_TOKEN = "0" * 64
"""The placeholder in the shipped file: no token has this digest that anybody could know."""

IDENTITIES = ("slack", "pagerduty", "oidc", "cli_token_sha256")


class Person(BaseModel):
    """One person. Two approvals under two identities of one person are one approval.

    `cli_token_sha256` is the sha256 (hex) of the person's own random token for the command line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=64)
    name: str
    slack: str | None = None
    pagerduty: str | None = None
    oidc: str | None = None
    cli_token_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class People(BaseModel):
    """data/teams.yaml. `admins` may also move the kill switch on the pages; what they may approve is their teams' as ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: tuple[Person, ...]
    teams: dict[str, tuple[str, ...]]
    admins: tuple[str, ...] = ()

    def teams_of(self, person: str) -> tuple[str, ...]:
        """The teams a person is in, sorted."""
        return tuple(sorted(t for t, members in self.teams.items() if person in members))

    def problems(self) -> Iterator[Problem]:
        """What the schema cannot say: unique ids and identities, members that exist."""
        ids = tuple(p.id for p in self.people)
        for i, person in enumerate(self.people):
            if ids.index(person.id) != i:
                yield Problem(("people", i, "id"), f"person {person.id!r} is listed twice")
        for identity in IDENTITIES:
            held = Counter(v for p in self.people if (v := getattr(p, identity)) not in (None, NO_TOKEN))
            for i, person in enumerate(self.people):
                if held[getattr(person, identity)] > 1:
                    # SAFETY: one identity for two people would let one of them answer as the other.
                    yield Problem(("people", i, identity), f"{identity} of {person.id!r} belongs to somebody else as well")
        for team, members in self.teams.items():
            for i, member in enumerate(members):
                if member not in ids:
                    yield Problem(("teams", team, i), f"team {team!r}: nobody among the people is {member!r}", ids)
        for i, admin in enumerate(self.admins):
            if admin not in ids:
                yield Problem(("admins", i), f"admins: nobody among the people is {admin!r}", ids)
