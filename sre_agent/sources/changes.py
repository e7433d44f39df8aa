"""What somebody changed before the onset, from whatever change feed wiring passes in (PagerDuty's, a recorded one).

Read-only. Payload: a list of `evidence.change.Change` dumps, oldest first.
"""

from sre_agent.evidence.change import ChangeFeed
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope

MAX_CHANGES = 200


class ChangesSource:
    """EvidenceSource over one ChangeFeed. An empty answer is NO_DATA; a feed that cannot be asked raises."""

    name = "changes"
    kind = EvidenceKind.CHANGES

    def __init__(self, feed: ChangeFeed) -> None:
        self._feed = feed

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """Changes of the incident's service inside `scope.change_window`; the newest MAX_CHANGES are kept.

        Raises what the feed raises: Transient or Permanent.
        """
        window = scope.change_window
        service = scope.incident.service
        answered = await self._feed.changes(scope.incident.id, service.id, window.start, window.end)
        # A feed may be generous about its bounds; what lies outside did not happen "before the onset".
        inside = sorted((c for c in answered if window.start <= c.at <= window.end), key=lambda c: c.at)
        kept = inside[-MAX_CHANGES:]
        payload = [c.model_dump(mode="json") for c in kept]
        return (
            Evidence(
                id="",
                source=self.name,
                kind=self.kind,
                query=f"changes of service {service.id} from {window.start.isoformat()} to {window.end.isoformat()}",
                status=EvidenceStatus.OK if kept else EvidenceStatus.NO_DATA,
                observed_at=scope.now,
                window=window,
                payload=payload,
                size_bytes=sum(len(str(p)) for p in payload),
                truncated=len(kept) < len(inside),
            ),
        )
