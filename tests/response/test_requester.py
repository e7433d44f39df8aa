"""Who asked: joined by PagerDuty id, marked when nobody is listed by it, anonymous when it is not told."""

from datetime import UTC, datetime

import pytest

from sre_agent.approval.teams import Teams
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.policy.people import People, Person
from sre_agent.response.record import ANONYMOUS, unidentified
from sre_agent.response.requester import nobody_known, requester_of

TEAMS = Teams(
    People(
        people=(
            Person(id="ana", name="Ana", pagerduty="P00000ANA"),
            Person(id="ben", name="Ben", slack="U00000BEN"),
            Person(id="pagerduty:PTRICKY", name="Tricky"),
        ),
        teams={},
    )
)


def press(agent: str | None) -> IncidentEvent:
    return IncidentEvent(
        door="pagerduty-action",
        kind=EventKind.REQUESTED,
        type_name="incident.custom",
        event_id="e",
        delivery_id="d",
        incident_id="Q0EXAMPLE00001",
        occurred_at=datetime(2026, 11, 23, tzinfo=UTC),
        agent_id=agent,
    )


@pytest.mark.parametrize(
    ("agent", "requester"),
    [("P00000ANA", "ana"), ("P00000BEN", "pagerduty:P00000BEN"), (None, ANONYMOUS), ("PTRICKY", ANONYMOUS)],
)
def test_a_press_is_joined_to_a_person_or_to_nobody(agent: str | None, requester: str) -> None:
    assert requester_of(TEAMS, press(agent)) == requester
    assert unidentified(requester) is (requester != "ana")


def test_without_people_everybody_is_anonymous() -> None:
    assert nobody_known(press("P00000ANA")) == ANONYMOUS


def test_an_alert_s_own_investigation_has_no_unidentified_requester() -> None:
    assert unidentified(None) is False
