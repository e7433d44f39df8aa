"""The routing file (policies/data/routing.yaml): who owns what, who may be woken when, and what is held or batched.

Loaded and checked with the policy bundle (policy/load.py); `problems` says what the schema alone cannot.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import time
from enum import StrEnum
from typing import Annotated, Final
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.incident.alert import AlertClass
from sre_agent.routing.matcher import matchers
from sre_agent.triage.ownership import DEFAULT, Ownership

MOST_VERTICALS: Final = 6
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SEVERITIES: Final = ("sev1", "sev2", "sev3", "sev4", "sev5")
"""SEV1 is the worst."""

GROUP_BY: Final = {
    AlertClass.INFRA: ("alertname", "namespace", "deployment", "pod", "redis_master", "vertical"),
    AlertClass.MODEL: ("alertname", "vertical", "prompt"),
    AlertClass.TOOL: ("tool_name",),
    AlertClass.UNKNOWN: ("alertname", "namespace", "vertical"),
}
"""What makes alerts one incident where the file does not say: a file of before must not make one incident of everything."""

Matchers = tuple[str, ...]
"""Matchers in Alertmanager's syntax (`name="value"`, `=~`, `!=`, `!~`); all must hold."""

Fault = tuple[tuple[str | int, ...], str, tuple[str, ...]]
"""Where in the file, what is wrong, which names would be right."""


class Part(BaseModel):
    """What all parts of the file share: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rotation(StrEnum):
    """When a plan's customers let the AI-engineering rotation be woken."""

    ALWAYS = "always"
    BUSINESS_HOURS = "business_hours"
    EMAIL = "email"


class StatusAudience(StrEnum):
    """Which status page tells a plan's customers."""

    PRIVATE = "private"
    PUBLIC = "public"
    AGGREGATE = "aggregate"


class BusinessHours(Part):
    """Opening hours: `start` inclusive, `end` exclusive, wall clock in `tz`. An `end` at or before `start` is on the next day."""

    days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri")
    start: time = time(9)
    end: time = time(18)
    tz: str = "UTC"


class Plan(Part):
    """A plan of customers, by its price (USD per month) as the alert's label `plan` or the event gives it."""

    name: str
    ai_engineering: Rotation = Rotation.ALWAYS
    status_page: StatusAudience = StatusAudience.PUBLIC


class Objective(Part):
    """A vertical's own rule: which alerts it is about, and when they page whatever tier and noise rules say.

    `above_ms`: the value in milliseconds that must be exceeded, strictly; `for_s`: for how many seconds. Where an alert brings no
    value the rule at its source is taken at its word.
    """

    id: str = Field(min_length=1, max_length=64)
    matchers: Matchers
    above_ms: float | None = Field(default=None, gt=0)
    for_s: float = Field(default=0.0, ge=0)


class Vertical(Part):
    """One vertical. `hours` in place of the file's business hours where its customers live by other ones."""

    runtime: str = ""
    objectives: tuple[Objective, ...] = ()
    hours: BusinessHours | None = None


class Route(Part):
    """One route: the first whose matchers all hold gives receiver and, where it says one, owner. There is no `continue`."""

    id: str = Field(min_length=1, max_length=64)
    matchers: Matchers
    receiver: str
    owner: str = ""


class Escalation(Part):
    """Who is told besides the receiver. Names are receivers or other escalations' ids (which are followed)."""

    id: str = Field(min_length=1, max_length=64)
    matchers: Matchers = ()
    severities: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


class Flapping(Part):
    """So many firings that began within so many seconds are flapping."""

    starts: int = Field(default=3, ge=2, le=100)
    within_s: float = Field(default=900.0, gt=0)


class Cost(Part):
    """Cost alerts (any of the matcher lists holds, or a ratio is told) go into one digest, unless their ratio to the baseline
    exceeds `page_above`."""

    matchers: tuple[Matchers, ...] = ()
    page_above: float = Field(default=5.0, gt=0)
    digest_every_s: float = Field(default=3600.0, ge=60)


class Routing(Ownership):
    """The whole file.

    `services` maps a receiver to the id of its PagerDuty service (one service per team), `emails` to the address for what wakes
    nobody. `group_by` names, for each class, the labels that make alerts one incident. `holds` maps a class to the seconds that
    it must fire before it pages. `verticals` holds up to six; None is an empty slot. `affiliates` are plans whose customers see
    aggregates only. `customer_facing` are matchers of alerts that a status page may tell of.
    """

    services: dict[str, str] = Field(default_factory=dict)
    emails: dict[str, str] = Field(default_factory=dict)
    default_receiver: str = DEFAULT
    group_by: dict[AlertClass, tuple[str, ...]] = Field(default_factory=lambda: dict(GROUP_BY))
    routes: tuple[Route, ...] = ()
    verticals: Annotated[dict[str, Vertical | None], Field(default_factory=dict, max_length=MOST_VERTICALS)]
    plans: dict[str, Plan] = Field(default_factory=dict)
    business_hours: BusinessHours = BusinessHours()
    holds: dict[AlertClass, Annotated[float, Field(ge=0, le=86_400)]] = Field(default_factory=lambda: {AlertClass.MODEL: 180.0})
    flapping: Flapping = Flapping()
    cost: Cost = Cost()
    escalations: tuple[Escalation, ...] = ()
    customer_facing: tuple[Matchers, ...] = ()

    def problems(self, teams: tuple[str, ...] | None) -> Iterator[Fault]:
        """What the schema cannot say. `teams`: the teams of teams.yaml; None when that file could not be read."""
        yield from self._strangers(teams)
        yield from self._services()
        yield from _hours(self.business_hours, ("business_hours",))
        for name, vertical in self.verticals.items():
            if vertical is not None and vertical.hours is not None:
                yield from _hours(vertical.hours, ("verticals", name, "hours"))
        if self.holds.get(AlertClass.INFRA):
            yield ("holds", "infra"), "infra alerts are not held: a page that waits is an outage that lasts", ()
        known = {*self.receivers, self.default_receiver}
        for i, route in enumerate(self.routes):
            if route.receiver not in known:
                yield ("routes", i, "receiver"), f"unknown receiver {route.receiver!r}", tuple(sorted(known))
        ids = Counter([*(r.id for r in self.routes), *(e.id for e in self.escalations)])
        for name in sorted(n for n, count in ids.items() if count > 1):
            yield ("routes",), f"the id {name!r} is given twice", ()
        yield from self._cycles()
        yield from self._unreadable()

    def _strangers(self, teams: tuple[str, ...] | None) -> Iterator[Fault]:
        """Teams of receivers that teams.yaml does not know, and receivers that do not exist."""
        for receiver, named in self.teams.items():
            if receiver not in self.receivers:
                yield ("teams", receiver), f"unknown receiver {receiver!r}", tuple(self.receivers)
            for i, team in enumerate(named):
                # The shipped file names example teams; until its receiver leads somewhere that relation is not in force.
                if teams is not None and team not in teams and self.receivers.get(receiver):
                    yield ("teams", receiver, i), f"unknown team {team!r}", teams

    def _services(self) -> Iterator[Fault]:
        """One service per team: two receivers of one service could not be told apart where the page arrives."""
        given = Counter(s for s in self.services.values() if s)
        for receiver, service in self.services.items():
            if receiver not in self.receivers:
                yield ("services", receiver), f"unknown receiver {receiver!r}", tuple(self.receivers)
            if service and given[service] > 1:
                yield ("services", receiver), f"the service {service!r} belongs to two receivers; one service per team", ()

    def _unreadable(self) -> Iterator[Fault]:
        """Matchers that cannot be read: they are found here, not when an alert is there."""
        for place, texts in self._matchers():
            for i, text in enumerate(texts):
                try:
                    matchers(text)
                except ValueError as wrong:
                    yield (*place, i), str(wrong), ()

    def _matchers(self) -> Iterator[tuple[tuple[str | int, ...], Matchers]]:
        for name, vertical in self.verticals.items():
            for i, objective in enumerate(vertical.objectives if vertical is not None else ()):
                yield ("verticals", name, "objectives", i, "matchers"), objective.matchers
        yield from ((("routes", i, "matchers"), route.matchers) for i, route in enumerate(self.routes))
        yield from ((("escalations", i, "matchers"), one.matchers) for i, one in enumerate(self.escalations))
        yield from ((("cost", "matchers", i), texts) for i, texts in enumerate(self.cost.matchers))
        yield from ((("customer_facing", i), texts) for i, texts in enumerate(self.customer_facing))

    def _cycles(self) -> Iterator[Fault]:
        """Escalations that lead back to themselves."""
        follow = {e.id: [t for t in e.to if t in {x.id for x in self.escalations}] for e in self.escalations}
        for i, escalation in enumerate(self.escalations):
            seen, front = set[str](), list(follow[escalation.id])
            while front:
                step = front.pop()
                if step == escalation.id:
                    yield ("escalations", i, "to"), f"the escalation {escalation.id!r} leads back to itself", ()
                    break
                front += [] if step in seen else follow[step]
                seen.add(step)


def _hours(hours: BusinessHours, place: tuple[str | int, ...]) -> Iterator[Fault]:
    for i, day in enumerate(hours.days):
        if day not in DAYS:
            yield (*place, "days", i), f"unknown day {day!r}", DAYS
    if hours.tz not in available_timezones():
        yield (*place, "tz"), f"unknown time zone {hours.tz!r}", ()
