"""What a check says, and what all of them together come to. Pure.

Exit status: 0 when all is well, or only skipped or warned of; 1 when something is broken; 2 when the settings themselves are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

SCHEMA = "sre-agent.doctor/1"
"""Names the shape of `document`; a field may be added under the same name, none is taken away or means something else."""
SETTINGS = "settings"
"""The connection whose broken checks mean that the agent cannot even start."""


SKEW_S, WRONG_S = 3.0, 30.0
"""Clocks that far apart are worth a look; that far, approvals and freezes end at other times than people think."""


class Status(StrEnum):
    """How a check ended. SKIPPED: not configured, or not asked because what it needs is broken."""

    BROKEN = "broken"
    WARNING = "warning"
    OK = "ok"
    SKIPPED = "skipped"


WORST_FIRST = tuple(Status)


@dataclass(frozen=True)
class Seen:
    """What one look found, and what a person should do about it ("" when nothing)."""

    status: Status
    found: str
    todo: str = ""


@dataclass(frozen=True)
class Result:
    """One line of the report. `where` are the settings it is about; `seconds` is how long it took."""

    connection: str
    check: str
    status: Status
    found: str
    todo: str
    where: tuple[str, ...]
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """As --only takes it."""
        return f"{self.connection}.{self.check}"


@dataclass(frozen=True)
class Report:
    """All results, in the order of the registry. `at` is when they were asked for (UTC)."""

    version: str
    at: datetime
    results: tuple[Result, ...]

    @property
    def status(self) -> Status:
        """The worst of all; SKIPPED only when everything was."""
        return min((r.status for r in self.results), key=WORST_FIRST.index, default=Status.SKIPPED)

    @property
    def exit_status(self) -> int:
        """For scripts."""
        broken = {r.connection for r in self.results if r.status is Status.BROKEN}
        return 2 if SETTINGS in broken else 1 if broken else 0

    @property
    def groups(self) -> tuple[tuple[str, tuple[Result, ...]], ...]:
        """(connection, its results), worst first in both; equals stay in the registry's order."""
        by: dict[str, list[Result]] = {}
        for result in self.results:
            by.setdefault(result.connection, []).append(result)
        ordered = {c: tuple(sorted(rs, key=lambda r: WORST_FIRST.index(r.status))) for c, rs in by.items()}
        return tuple(sorted(ordered.items(), key=lambda item: WORST_FIRST.index(item[1][0].status)))

    @property
    def next_step(self) -> str:
        """What to do first, in one line."""
        for status in (Status.BROKEN, Status.WARNING):
            ranked = sorted((r for r in self.results if r.status is status), key=lambda r: r.connection != SETTINGS)
            if ranked:
                worst = ranked[0]
                start = "Mend first" if status is Status.BROKEN else "Nothing is broken. Look first at"
                return f"{start} {worst.name}: {worst.found}. {worst.todo}".strip()
        if all(r.status is Status.SKIPPED for r in self.results):
            return "Nothing was looked at: set what docs/settings.md lists, then ask again."
        return "All that is configured works."

    def document(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "at": self.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "status": self.status.value,
            "exit_status": self.exit_status,
            "counts": {s.value: sum(r.status is s for r in self.results) for s in Status},
            "next": self.next_step,
            "checks": [
                {
                    "connection": r.connection,
                    "check": r.check,
                    "status": r.status.value,
                    "found": r.found,
                    "todo": r.todo,
                    "where": list(r.where),
                    "seconds": round(r.seconds, 3),
                }
                for r in self.results
            ],
        }


def ok(found: str, todo: str = "") -> Seen:
    """It works."""
    return Seen(Status.OK, found, todo)


def warning(found: str, todo: str) -> Seen:
    """It works, but somebody should look."""
    return Seen(Status.WARNING, found, todo)


def broken(found: str, todo: str) -> Seen:
    """It does not work."""
    return Seen(Status.BROKEN, found, todo)


def skipped(found: str, todo: str = "") -> Seen:
    """It was not looked at."""
    return Seen(Status.SKIPPED, found, todo)


def together(seen: Iterable[Seen]) -> Seen:
    """Several looks as one: the worst status, and what the looks of that status found; without any, skipped."""
    all_of = tuple(seen)
    worst = min((s.status for s in all_of), key=WORST_FIRST.index, default=Status.SKIPPED)
    said = [s for s in all_of if s.status is worst]
    todo = list(dict.fromkeys(s.todo for s in said if s.todo))
    return Seen(worst, "; ".join(dict.fromkeys(s.found for s in said)), " ".join(todo))


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a row, cut after `most` with the number of the rest."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def ago(seconds: float) -> str:
    """A length of time as people say it."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def judged_skew(skew_s: float, whose: str) -> Seen:
    """Two clocks, `skew_s` seconds apart; positive: the other one is ahead."""
    said = f"{whose} is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} this machine"
    todo = "Let this machine keep time by NTP (timedatectl, chronyc tracking)."
    if abs(skew_s) >= WRONG_S:
        return broken(said, todo)
    return warning(said, todo) if abs(skew_s) >= SKEW_S else ok(f"{whose} and this machine agree on the time")
