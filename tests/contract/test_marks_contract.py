"""What is set on an incident: the double and the real tracker against the stand-in keep the same promises."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from sre_agent.adapters.pagerduty.tracker import connect
from sre_agent.adapters.pagerduty.transport import Credentials
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.testing.pagerduty import AGENT_EMAIL, TOKEN, PagerDutyStandIn
from sre_agent.testing.rooms import MemoryTracker


@dataclass
class Side:
    """A tracker, one incident in it, and what became of that."""

    tracker: IncidentTracker
    incident: str
    standin: PagerDutyStandIn | None = None

    @property
    def priority(self) -> str:
        if self.standin is not None:
            return str(self.standin.incident(self.incident)["priority"]["summary"])
        return self.tracker.priorities[self.incident]

    @property
    def fields(self) -> dict[str, str]:
        return (self.standin.account.field_values if self.standin is not None else self.tracker.fields)[self.incident]

    @property
    def statuses(self) -> list[str]:
        if self.standin is not None:
            return [u["message"] for u in self.standin.account.status_updates[self.incident]]
        return self.tracker.statuses[self.incident]


@pytest.fixture
def standin() -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn() as standin:
        yield standin


@pytest.fixture(params=["memory", "pagerduty"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "memory":
        yield Side(MemoryTracker(), "Q1")
        return
    standin = request.getfixturevalue("standin")
    tracker = connect(Credentials(TOKEN, AGENT_EMAIL, standin.url))
    yield Side(tracker, standin.add_incident("x", [{"alertname": "A"}]), standin)
    await tracker.aclose()


async def test_a_priority_is_set_once(side: Side) -> None:
    assert [await side.tracker.raise_priority(side.incident, "P2") for _ in range(2)] == [True, False]
    assert side.priority == "P2"


async def test_fields_set_twice_are_set_once_and_others_stay(side: Side) -> None:
    for values in ({"sre_agent_class": "model"}, {"sre_agent_owner": "ai-eng"}, {"sre_agent_owner": "ai-eng"}):
        await side.tracker.set_fields(side.incident, values)
    assert side.fields == {"sre_agent_class": "model", "sre_agent_owner": "ai-eng"}


async def test_a_status_update_is_one_more_every_time_it_is_sent(side: Side) -> None:
    for text in ("one", "one"):
        await side.tracker.post_status(side.incident, text)
    assert side.statuses == ["one", "one"]


async def test_handed_over_once_is_there_and_handed_on_is_told_again(side: Side) -> None:
    assert [await side.tracker.assign_policy(side.incident, "PAIENG1") for _ in range(2)] == [True, False]
    if side.standin is not None:
        side.standin.acknowledge(side.incident)
    assert await side.tracker.assign_policy(side.incident, "PAIENG1", again=True)
