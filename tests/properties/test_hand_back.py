"""A worker dies, sleeps or loses an answer between any two steps of a hand-back: everything declared is done, and nothing twice."""

from collections.abc import Iterator

import pytest

from sre_agent.incident.event import EventKind
from sre_agent.response.marks import UNKNOWN
from sre_agent.response.record import State
from sre_agent.testing.turns import at_once
from tests.properties.history import play
from tests.properties.moves import Break, Change, Crash, Hear, Live, Move, Run, Settle, Stall
from tests.properties.stage import Stage

BEGIN: tuple[Move, ...] = (Change("QA", "tool"), Hear("QA", EventKind.TRIGGERED, None))
MOST = 90
"""More turns than a hand-back with everything declared takes."""


def ended(accident: Move) -> Stage:
    stage = play((*BEGIN, accident, Settle(), Live(60.0)))
    record = at_once(stage.store.load("QA"))
    assert record.state is State.HANDED_BACK
    assert stage.tracker.policies == {"QA": "PINTEG1"}
    assert (stage.tracker.priorities, stage.tracker.fields) == ({"QA": "P2"}, {"QA": {"verdict": "hand_back"}})
    sent = stage.tracker.statuses.get("QA", [])
    # Told as sent: it was, once. Not known: at most once.
    assert len(sent) == 1 or (sent == [] and record.marks["status update"] == UNKNOWN)
    (note,) = stage.tracker.notes["QA"]
    for mark in record.marks.values():
        assert f"Also: {mark}" in note
    return stage


def turns_of_all() -> int:
    """How many turns the first worker has work for."""
    stage = Stage()
    try:
        for move in BEGIN:
            move.on(stage)
        return sum(stage.people().turn("w1") for _ in range(MOST))
    finally:
        stage.close()


def accidents() -> Iterator[tuple[str, Move]]:
    for turns in range(1, turns_of_all()):
        yield f"crash-{turns}", Crash(0, turns)
        yield f"stall-{turns}", _Late(turns)
        yield f"break-{turns}", Break(0, turns)


class _Late:
    """Some turns, and then a sleep past every lease."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    def on(self, stage: Stage) -> None:
        Run(((0, self._turns),)).on(stage)
        Stall(0).on(stage)


def test_the_accidents_reach_past_the_last_step() -> None:
    assert 30 < turns_of_all() < MOST


@pytest.mark.parametrize("accident", [pytest.param(move, id=name) for name, move in accidents()])
def test_whatever_happens_to_a_worker_everything_is_set_and_nobody_is_told_twice(accident: Move) -> None:
    ended(accident)


def test_some_accident_leaves_it_unknown_and_then_that_is_what_people_read() -> None:
    stages = [ended(move) for name, move in accidents() if name.startswith("crash")]
    unknown = [s for s in stages if at_once(s.store.load("QA")).marks["status update"] == UNKNOWN]
    assert {len(s.tracker.statuses.get("QA", [])) for s in unknown} == {0, 1}
