"""Status page updates along an incident: drafted when there is something to tell, published by a proved person, once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.statuspage import Statuspage
from sre_agent.approval.teams import Teams
from sre_agent.handback.status_page import DraftState
from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.errors import ConfigurationError, Conflict, OutcomeUnknown, Permanent, Refused
from sre_agent.policy.people import People, Person
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.response.status_publishing import STALE_AFTER, StatusPublisher
from sre_agent.response.status_updates import StatusDesk
from sre_agent.response.walk import Walk
from sre_agent.routing.file import Plan, Routing, StatusAudience
from sre_agent.testing.http_stand_in import Reply
from sre_agent.testing.memory_status_drafts import MemoryStatusDrafts
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.statuspage import StatuspageStandIn

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
TOKEN = "ana's own"
PEOPLE = People(
    people=(
        Person(id="ana", name="Ana", cli_token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest()),
        Person(id="dev", name="Dev", oidc="dev@corp.test"),
    ),
    teams={"platform": ("ana",)},
)
ROUTING = Routing(
    verticals={},
    customer_facing=(('customer_facing="true"',),),
    plans={"1499": Plan(name="enterprise", status_page=StatusAudience.PRIVATE)},
)
FIRING = [Alert(labels={"customer_facing": "true"}), Alert(labels={"customer_facing": "true", "plan": "1499"})]
RESOLVED = [a.model_copy(update={"status": AlertStatus.RESOLVED}) for a in FIRING]
FIRST = "Q1.1.public.investigating"
LAST = "Q1.1.public.resolved"


@dataclass
class Clock:
    """Time that only moves when told."""

    at: datetime = NOW

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


async def no_pause(seconds: float) -> None:
    """Statuspage's own pace is not what is tried here."""


@dataclass
class Stage:
    """One handed-back incident, its desk, its publisher, and the pages."""

    server: StatuspageStandIn
    pages: Statuspage
    store: MemoryStore = field(default_factory=MemoryStore)
    drafts: MemoryStatusDrafts = field(default_factory=MemoryStatusDrafts)
    clock: Clock = field(default_factory=Clock)
    record: IncidentRecord = field(default_factory=lambda: incident())

    def __post_init__(self) -> None:
        self.walk = Walk(self.store, self.clock)
        self.desk = StatusDesk(self.walk, self.drafts, ROUTING)
        self.publisher = StatusPublisher(self.walk, self.drafts, Teams(PEOPLE), self.pages)

    async def offer(self, alerts: list[Alert], **changes: object) -> list[str]:
        return [d.id for d in await self.desk.offer(self.record.model_copy(update=changes), alerts)]

    async def state(self, draft_id: str) -> DraftState:
        return (await self.publisher.get(draft_id)).state

    async def publish(self, draft_id: str = FIRST) -> DraftState:
        return (await self.publisher.publish(draft_id, "ana", TOKEN)).state

    async def told(self) -> list[tuple[str, str]]:
        return [(r.entry.kind, r.entry.actor) for r in await self.store.audit("Q1")]

    @property
    def shown(self) -> list[list[str]]:
        """The updates of each incident on the public page, newest first."""
        return [[u["status"] for u in i["incident_updates"]] for i in self.server.incidents["PUB1"]]


def incident(**changes: object) -> IncidentRecord:
    fields: dict[str, object] = {"id": "Q1", "received_at": NOW, "updated_at": NOW, "state": State.HANDED_BACK}
    return IncidentRecord.model_validate({**fields, **changes})


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    with StatuspageStandIn(("PUB1", "PRIV1")) as server:
        pages = Statuspage(server.key, {"public": "PUB1", "private": "PRIV1"}, server.url, 0.5, no_pause)
        made = Stage(server, pages)
        await made.store.create(made.record, ())
        yield made
        await pages.aclose()


async def test_a_draft_waits_and_nothing_but_a_persons_command_publishes_it(stage: Stage):
    assert await stage.offer(FIRING) == ["Q1.1.private.investigating", FIRST]
    assert await stage.offer(FIRING) == []
    assert await stage.offer(RESOLVED, state=State.RECOVERED) == []
    assert await stage.offer(FIRING, round=2) == ["Q1.2.private.investigating", "Q1.2.public.investigating"]
    assert stage.server.asked == []


async def test_people_are_told_of_a_waiting_draft_once(stage: Stage):
    await stage.offer(FIRING)
    await stage.offer(FIRING)
    assert [kind for kind, _ in await stage.told()] == ["status_drafted"]
    assert FIRST in (await stage.walk.load("Q1")).timeline[-1].text


async def test_of_an_incident_that_customers_do_not_notice_nothing_is_drafted(stage: Stage):
    assert await stage.offer([Alert(labels={"alertname": "PodDown"})]) == []
    assert await stage.offer([]) == []
    assert await stage.told() == []


async def test_a_proved_person_publishes_and_later_ends_it_on_the_same_incident_of_the_page(stage: Stage):
    await stage.offer(FIRING)
    assert await stage.publish() is DraftState.PUBLISHED
    assert await stage.offer(RESOLVED) == [LAST]
    assert stage.shown == [["investigating"]]
    assert await stage.publish(LAST) is DraftState.PUBLISHED
    assert stage.shown == [["resolved", "investigating"]]
    assert stage.server.incidents["PRIV1"] == []
    assert ("status_published", "ana") in await stage.told()
    (entry,) = [r.entry for r in await stage.store.audit("Q1") if r.entry.kind == "status_published"][:1]
    assert entry.detail["draft"]["body"] == stage.server.incidents["PUB1"][0]["incident_updates"][-1]["body"]


async def test_what_was_never_published_is_not_ended_and_does_not_wait_on(stage: Stage):
    await stage.offer(FIRING)
    assert await stage.offer(RESOLVED) == []
    assert await stage.state(FIRST) is DraftState.DISCARDED
    with pytest.raises(Conflict, match="was discarded"):
        await stage.publish()
    assert stage.server.asked == []


async def test_a_relapse_takes_back_the_end_and_the_next_end_is_offered_anew(stage: Stage):
    await stage.offer(FIRING)
    await stage.publish()
    await stage.offer(RESOLVED)
    assert await stage.offer(FIRING) == ["Q1.1.private.investigating"]
    assert await stage.state(LAST) is DraftState.DISCARDED
    assert await stage.offer(RESOLVED) == [LAST]
    await stage.publish(LAST)
    assert stage.shown == [["resolved", "investigating"]]


async def test_a_reopened_incident_goes_on_where_its_page_tells_of_it_already(stage: Stage):
    await stage.offer(FIRING)
    await stage.publish()
    assert await stage.offer(FIRING, round=2) == ["Q1.2.private.investigating"]
    assert await stage.offer(RESOLVED, round=2) == ["Q1.2.public.resolved"]
    await stage.publish("Q1.2.public.resolved")
    assert await stage.offer(FIRING, round=3) == ["Q1.3.private.investigating", "Q1.3.public.investigating"]
    await stage.publish("Q1.3.public.investigating")
    assert stage.shown == [["resolved", "investigating"], ["investigating"]]


async def test_what_a_person_discarded_does_not_come_back(stage: Stage):
    await stage.offer(FIRING)
    await stage.publisher.discard(FIRST, "ana", TOKEN, "they know")
    await stage.offer(RESOLVED)
    assert await stage.offer(FIRING) == ["Q1.1.private.investigating"]
    assert await stage.state(FIRST) is DraftState.DISCARDED
    assert ("status_discarded", "ana") in await stage.told()


@pytest.mark.parametrize(("person", "token"), [("ana", "guessed"), ("ana", ""), ("dev", TOKEN), ("nobody", TOKEN), ("", "")])
async def test_who_cannot_prove_who_they_are_publishes_and_discards_nothing(stage: Stage, person: str, token: str):
    await stage.offer(FIRING)
    with pytest.raises(Refused, match="status-unproved"):
        await stage.publisher.publish(FIRST, person, token)
    with pytest.raises(Refused, match="status-unproved"):
        await stage.publisher.discard(FIRST, person, token)
    assert (await stage.state(FIRST), stage.server.asked) == (DraftState.PENDING, [])


async def test_of_many_who_publish_at_once_one_does(stage: Stage):
    await stage.offer(FIRING)
    ended = await asyncio.gather(*(stage.publish() for _ in range(5)), return_exceptions=True)
    assert [e for e in ended if isinstance(e, DraftState)] == [DraftState.PUBLISHED]
    assert sum(isinstance(e, Conflict) for e in ended) == 4
    assert stage.shown == [["investigating"]]
    with pytest.raises(Conflict, match="was published by Ana"):
        await stage.publish()


async def test_what_was_certainly_not_published_waits_again(stage: Stage):
    await stage.offer(FIRING)
    stage.server.fail_with = [Reply(422, '{"error": "no"}')]
    with pytest.raises(Permanent, match="422"):
        await stage.publish()
    assert await stage.state(FIRST) is DraftState.PENDING
    assert await stage.publish() is DraftState.PUBLISHED


async def test_an_unknown_outcome_is_told_looked_for_and_never_sent_again(stage: Stage):
    await stage.offer(FIRING)
    stage.server.fail_with = [Reply(502, "")]
    with pytest.raises(OutcomeUnknown):
        await stage.publish()
    assert await stage.state(FIRST) is DraftState.UNKNOWN
    assert ("status_unknown", "ana") in await stage.told()
    with pytest.raises(Conflict, match="never sent again"):
        await stage.publish()
    assert [a.method for a in stage.server.asked] == ["POST", "GET", "GET"]
    assert (await stage.publisher.discard(FIRST, "ana", TOKEN)).state is DraftState.DISCARDED


async def test_an_unknown_outcome_that_the_page_shows_was_published(stage: Stage):
    await stage.offer(FIRING)
    stage.server.lost, stage.server.blind = 1, 1
    with pytest.raises(OutcomeUnknown):
        await stage.publish()
    assert await stage.publish() is DraftState.PUBLISHED
    assert stage.shown == [["investigating"]]
    assert await stage.offer(RESOLVED) == [LAST]


async def test_a_publisher_that_died_leaves_it_in_doubt_and_not_sent_again(stage: Stage):
    await stage.offer(FIRING)
    kept = await stage.publisher.get(FIRST)
    changes = {"state": DraftState.PUBLISHING, "by": "ana", "changed_at": stage.clock.now()}
    await stage.drafts.move(kept, kept.model_copy(update=changes))
    with pytest.raises(Conflict, match="is being published by Ana"):
        await stage.publish()
    stage.clock.at += STALE_AFTER
    with pytest.raises(Conflict, match="never sent again"):
        await stage.publish()
    assert [a.method for a in stage.server.asked] == ["GET"]


async def test_an_incident_that_ended_while_its_draft_was_published_can_be_ended_at_the_page(stage: Stage):
    await stage.offer(FIRING)
    record = await stage.walk.load("Q1")
    await stage.store.advance(record, Step(to=State.RECOVERED))
    await stage.publish()
    assert await stage.state(LAST) is DraftState.PENDING


async def test_an_end_whose_page_tells_of_nothing_is_refused(stage: Stage):
    await stage.offer(FIRING)
    await stage.publish()
    await stage.offer(RESOLVED)
    first = await stage.publisher.get(FIRST)
    undone = {"state": DraftState.DISCARDED, "changed_at": stage.clock.now()}
    await stage.drafts.move(first, first.model_copy(update=undone))
    with pytest.raises(Conflict, match="no open incident"):
        await stage.publish(LAST)
    assert stage.shown == [["investigating"]]


async def test_without_a_status_page_drafts_can_be_read_and_discarded_only(stage: Stage):
    await stage.offer(FIRING)
    bare = StatusPublisher(stage.walk, stage.drafts, Teams(PEOPLE))
    with pytest.raises(ConfigurationError, match="STATUSPAGE_API_KEY"):
        await bare.publish(FIRST, "ana", TOKEN)
    assert (await bare.discard(FIRST, "ana", TOKEN)).state is DraftState.DISCARDED


async def test_a_draft_that_does_not_exist_is_said_to(stage: Stage):
    with pytest.raises(Permanent, match="status-page list"):
        await stage.publish("Q9.1.public.investigating")
