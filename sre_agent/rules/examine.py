"""One run of the linter: what was read, what is wrong with it, and what stays wrong after the fixes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sre_agent.routing.file import Routing
from sre_agent.rules.check import CHECKS, findings
from sre_agent.rules.document import Document
from sre_agent.rules.finding import Check, Finding, Severity
from sre_agent.rules.recognise import Recognised
from sre_agent.rules.subject import Subject, subject_of
from sre_agent.rules.suppress import IGNORE, suppressed

ALL_CHECKS: tuple[Check, ...] = tuple(sorted((*CHECKS, IGNORE), key=lambda c: c.id))


@dataclass(frozen=True)
class Examined:
    """What a run found, in the order of file and line; suppressed findings are among them."""

    subject: Subject
    findings: tuple[Finding, ...]

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that nobody suppressed."""
        return tuple(f for f in self.findings if f.suppressed is None)

    @property
    def counts(self) -> Counter[Severity]:
        """How many there are of each severity, suppressed ones left out."""
        return Counter(f.severity for f in self.open)


def documents_of(parts: Iterable[Recognised]) -> tuple[Document, ...]:
    """The files, each once."""
    return tuple({part.document.path: part.document for part in parts}.values())


def examine(parts: Iterable[Recognised], routing: Routing) -> Examined:
    """Every check over everything that was read."""
    subject = subject_of(parts, routing)
    known = frozenset(check.id for check in ALL_CHECKS)
    told = suppressed(findings(subject), documents_of(subject.parts), known)
    return Examined(subject, tuple(sorted(told, key=lambda f: (f.path, f.place.line, f.place.column, f.id, f.why))))
