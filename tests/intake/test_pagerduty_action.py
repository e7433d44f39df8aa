"""The button's parser: ids are taken and nothing else, and nothing that anybody writes makes it raise."""

import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.pagerduty_action import MOST_MESSAGES, parse_presses
from sre_agent.intake.untrusted import PAGERDUTY_ID

NOW = datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)
AGENT = {"id": "P00000ANA", "type": "user_reference", "summary": "Ana"}
PRESS = {
    "id": "0d1f6a4e-0000-4000-8000-000000000001",
    "event": "incident.custom",
    "created_on": "2026-11-23T03:11:00Z",
    "incident": {"id": "Q0EXAMPLE00001", "service": {"id": "PSVC001"}, "title": "ignored", "status": "resolved"},
    "webhook": {"name": "Investigate"},
    "log_entries": [{"type": "custom_log_entry", "agent": AGENT}],
}


def read(*messages: object) -> tuple[IncidentEvent, ...]:
    return parse_presses(json.dumps({"messages": messages}).encode(), NOW)


def changed(**more: object) -> dict[str, object]:
    return {**copy.deepcopy(PRESS), **more}


def test_a_press_is_an_event_with_the_ids_and_nothing_else() -> None:
    (event,) = read(PRESS)
    assert event == IncidentEvent(
        door="pagerduty-action",
        kind=EventKind.REQUESTED,
        type_name="incident.custom",
        event_id=f"Q0EXAMPLE00001:{PRESS['id']}",
        delivery_id=f"Q0EXAMPLE00001:{PRESS['id']}",
        incident_id="Q0EXAMPLE00001",
        occurred_at=datetime(2026, 11, 23, 3, 11, tzinfo=UTC),
        agent_id="P00000ANA",
        service_id="PSVC001",
        known_as=("pagerduty:Q0EXAMPLE00001",),
    )


@pytest.mark.parametrize("event", ["incident.trigger", "incident.resolve", "incident.customx", "", None, 7, ["incident.custom"]])
def test_other_events_are_no_press(event: object) -> None:
    assert read(changed(event=event)) == ()


@pytest.mark.parametrize("incident", [None, {}, [], "Q0EXAMPLE00001", {"id": "../users/PX"}, {"id": "q0example"}, {"id": 7}])
def test_without_an_incident_s_id_there_is_no_press(incident: object) -> None:
    assert read(changed(incident=incident)) == ()


OTHER = {"id": "P00000BEN", "type": "user_reference"}
UNTOLD = [
    [],
    None,
    "x",
    [{"type": "custom_log_entry"}],
    [{"type": "custom_log_entry", "agent": {"id": "PSVC001", "type": "service_reference"}}],
    [{"type": "custom_log_entry", "agent": {"id": "../x", "type": "user_reference"}}],
    [{"type": "acknowledge_log_entry", "agent": OTHER}],
    [{"type": "custom_log_entry", "agent": AGENT}, {"type": "custom_log_entry", "agent": OTHER}],
    [{"type": "custom_log_entry", "agent": AGENT}, {"type": "custom_log_entry", "agent": None}],
]


@pytest.mark.parametrize("entries", UNTOLD)
def test_who_pressed_is_nobody_when_it_is_not_told_or_told_in_two_ways(entries: object) -> None:
    assert [e.agent_id for e in read(changed(log_entries=entries))] == [None]


def test_another_person_s_entry_beside_the_press_is_not_taken_for_the_presser() -> None:
    entries = [{"type": "acknowledge_log_entry", "agent": OTHER}, *PRESS["log_entries"]]
    assert [e.agent_id for e in read(changed(log_entries=entries))] == ["P00000ANA"]


def test_one_id_claimed_for_two_incidents_is_two_presses_and_a_repeat_is_one() -> None:
    first, second, again = read(PRESS, changed(incident={"id": "Q0EXAMPLE00002"}), PRESS)
    assert first.event_id != second.event_id
    assert first.event_id == again.event_id


def test_without_an_id_of_its_own_a_press_is_known_by_its_body() -> None:
    for absent in (None, "", "x" * 101, 1.5):
        one, two = read(changed(id=absent)), read(changed(id=absent))
        assert one == two
        assert one != read(changed(id=absent, created_on="2026-11-23T03:12:00Z"))


def test_of_many_messages_only_so_many_are_read() -> None:
    many = [changed(incident={"id": f"Q0EXAMPLE{n:05d}"}) for n in range(5_000)]
    assert len(read(*many)) == MOST_MESSAGES


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b"null", b'{"messages":{}}', b'{"messages":[1,null,[]]}', b"[" * 100_000]
)
def test_what_is_no_body_of_this_format_is_no_press(body: bytes) -> None:
    assert parse_presses(body, NOW) == ()


WORDS = st.sampled_from([*PRESS, "Q0EXAMPLE00001", "custom_log_entry", "user_reference"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS
NAMES = st.sampled_from([*PRESS, "id", "type", "agent"]) | st.text()
JUNK = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=20)
MUTATED = st.dictionaries(st.sampled_from(list(PRESS)), JUNK, max_size=4).map(lambda more: changed(**more))


@given(st.lists(MUTATED | JUNK, max_size=6))
def test_whatever_is_sent_gives_safe_events_or_none(messages: list[object]) -> None:
    for event in read(*messages):
        assert PAGERDUTY_ID.fullmatch(event.incident_id or "")
        assert event.agent_id is None or PAGERDUTY_ID.fullmatch(event.agent_id)
        assert event.kind is EventKind.REQUESTED
        assert len(event.event_id) <= 200
        assert "\x00" not in event.event_id
        assert event.occurred_at.tzinfo is not None


@given(st.binary(max_size=400))
def test_bytes_never_raise(body: bytes) -> None:
    assert parse_presses(body, NOW) == ()
