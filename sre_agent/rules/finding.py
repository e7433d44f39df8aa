"""What a check says: where, which check, how bad, why, what to do, and an edit where one is safe."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from sre_agent.rules.document import Place


class Severity(StrEnum):
    """ERROR: pages the wrong people, nobody, or never. WARNING: will be regretted. NOTE: worth a look."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, order=True)
class Edit:
    """Put `text` in place of the characters from `start` to `end` of one file."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Fix:
    """Edits of one file that belong together, and what they do, in a few words."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Check:
    """One check. `id` is what suppressions and reports name, `name` the same for people, `title` what it is about.

    `severity` is the usual one; a finding may be milder or worse.
    """

    id: str
    name: str
    severity: Severity
    title: str

    def at(self, path: str, place: Place, why: str, todo: str, fix: Fix | None = None) -> "Finding":
        """A finding of this check. `why` and `todo`: one sentence each, without a full stop."""
        return Finding(path, place, self, self.severity, why, todo, fix)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `suppressed` is the reason that a comment in the file gives; None where nobody suppressed it."""

    path: str
    place: Place
    check: Check
    severity: Severity
    why: str
    todo: str
    fix: Fix | None = field(default=None, compare=False)
    suppressed: str | None = None

    @property
    def id(self) -> str:
        """The id of its check."""
        return self.check.id

    def as_(self, severity: Severity) -> "Finding":
        """The same, milder or worse than its check usually is."""
        return replace(self, severity=severity)
