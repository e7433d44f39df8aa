from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.change import Change, ChangeKind
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.errors import Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.changes import MAX_CHANGES, ChangesSource

ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
SCOPE = Scope(
    incident=Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="PSVC001")),
    now=ONSET + timedelta(minutes=5),
    onset=ONSET,
    window=Window.before(ONSET, timedelta(minutes=30)),
    change_window=Window.before(ONSET, timedelta(hours=24)),
)


class Feed:
    """A change feed that answers what it was given and remembers what it was asked."""

    def __init__(self, *changes: Change, error: Exception | None = None) -> None:
        self._changes = changes
        self._error = error
        self.asked: list[tuple[str, str, datetime, datetime]] = []

    async def changes(self, incident_id: str, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:
        self.asked.append((incident_id, service_id, since, until))
        if self._error is not None:
            raise self._error
        return self._changes


def deploy(before: timedelta) -> Change:
    return Change(at=ONSET - before, kind=ChangeKind.DEPLOY, target="deployment/api", from_version="1", to_version="2")


async def test_the_feed_is_asked_for_the_change_window_of_the_incidents_service():
    feed = Feed(deploy(timedelta(hours=1)))
    (evidence,) = await ChangesSource(feed).gather(SCOPE)
    assert feed.asked == [("Q1", "PSVC001", ONSET - timedelta(hours=24), ONSET)]
    assert evidence.kind is EvidenceKind.CHANGES
    assert evidence.status is EvidenceStatus.OK
    assert [c for _, c in EvidenceView(scope=SCOPE, evidence=(evidence,)).changes()] == [deploy(timedelta(hours=1))]


async def test_nothing_changed_is_no_data_with_an_empty_payload():
    (evidence,) = await ChangesSource(Feed()).gather(SCOPE)
    assert evidence.status is EvidenceStatus.NO_DATA
    assert evidence.payload == []


async def test_a_feed_that_cannot_be_asked_raises_instead_of_looking_quiet():
    with pytest.raises(Transient, match="down"):
        await ChangesSource(Feed(error=Transient("PagerDuty is down"))).gather(SCOPE)


async def test_changes_outside_the_window_are_dropped_and_the_rest_comes_oldest_first():
    feed = Feed(
        deploy(timedelta(minutes=1)), deploy(timedelta(minutes=-1)), deploy(timedelta(hours=25)), deploy(timedelta(hours=3))
    )
    (evidence,) = await ChangesSource(feed).gather(SCOPE)
    assert [c["at"] for c in evidence.payload] == ["2026-03-04T00:10:00Z", "2026-03-04T03:09:00Z"]


async def test_a_flood_of_changes_keeps_the_newest_and_says_so():
    feed = Feed(*(deploy(timedelta(minutes=i)) for i in range(MAX_CHANGES + 5)))
    (evidence,) = await ChangesSource(feed).gather(SCOPE)
    assert evidence.truncated
    assert len(evidence.payload) == MAX_CHANGES
    assert evidence.payload[-1]["at"] == "2026-03-04T03:10:00Z"
