"""The freeze calendar: when the agent keeps its hands off what. Pure: `now` is a parameter."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

from sre_agent.policy.declarations import ENVIRONMENTS, Problem, environment_of
from sre_agent.policy.facts import TargetDeclaration


class FreezeScope(BaseModel):
    """What a freeze covers; a field left out covers everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str | None = None
    team: str | None = None
    service: str | None = None
    namespace: str | None = None

    def covers(self, declaration: TargetDeclaration, namespace: str | None) -> bool:
        """True when the target is inside. What is not known about the target counts as inside."""
        wanted = (self.environment, self.team, self.service, self.namespace)
        actual = (environment_of(declaration), declaration.team, declaration.service, namespace or "")
        return all(w is None or not a or w == a for w, a in zip(wanted, actual, strict=True))


class FreezeWindow(BaseModel):
    """One freeze. `starts` (inclusive) and `ends` (exclusive) are wall-clock times in the zone `tz`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=64)
    starts: NaiveDatetime = Field(alias="from")
    ends: NaiveDatetime = Field(alias="to")
    tz: str
    scope: FreezeScope = FreezeScope()

    def active(self, now: datetime) -> bool:
        """True when `now` (aware) lies in the window."""
        zone = ZoneInfo(self.tz)
        return self.starts.replace(tzinfo=zone) <= now < self.ends.replace(tzinfo=zone)


class Freezes(BaseModel):
    """data/freezes.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: tuple[FreezeWindow, ...] = ()

    def active(self, now: datetime, declaration: TargetDeclaration, namespace: str | None) -> tuple[str, ...]:
        """The ids of the freezes in force for a target at `now`, sorted."""
        return tuple(sorted(w.id for w in self.windows if w.active(now) and w.scope.covers(declaration, namespace)))

    def problems(self) -> Iterator[Problem]:
        """What the schema cannot say: unique ids, real zones, from before to, known environments."""
        seen: set[str] = set()
        for i, w in enumerate(self.windows):
            if w.id in seen:
                yield Problem(("windows", i, "id"), f"freeze id {w.id!r} is used twice")
            seen.add(w.id)
            if not _zone_exists(w.tz):
                where = ("windows", i, "tz")
                zones = tuple(sorted(available_timezones()))
                yield Problem(where, f"use an IANA name such as Europe/Vienna; there is no time zone {w.tz!r}", zones)
            if w.starts >= w.ends:
                yield Problem(("windows", i, "to"), f"freeze {w.id!r} ends before it begins")
            if w.scope.environment is not None and w.scope.environment not in ENVIRONMENTS:
                yield Problem(("windows", i, "scope", "environment"), f"unknown environment {w.scope.environment!r}", ENVIRONMENTS)


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
