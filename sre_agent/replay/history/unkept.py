"""Systems that only know their present, in a replay of the past: one answer each, that nothing is known. No I/O."""

from dataclasses import dataclass

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window


@dataclass
class Unkept:
    """EvidenceSource that says why it was not asked, where it is configured or the alerts name something in it.

    INVARIANT: what it is like today is never shown as what it was like then. The window covers no time at all, so that nobody
    takes silence for "nothing happened".
    """

    name: str
    kind: EvidenceKind
    why: str
    configured: bool = True
    labels: frozenset[str] = frozenset()

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One NO_DATA evidence; () when there was no reason to ask."""
        if not self.configured and not any(scope.incident.label_values(label) for label in self.labels):
            return ()
        return (
            Evidence(
                id="",
                source=self.name,
                kind=self.kind,
                query="its state then",
                status=EvidenceStatus.NO_DATA,
                observed_at=scope.now,
                window=Window(start=scope.now, end=scope.now),
                error=self.why,
            ),
        )
