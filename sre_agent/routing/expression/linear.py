"""A tree asked without going back: all states it can be in are carried from character to character.

Source: Ken Thompson, Regular Expression Search Algorithm, Communications of the ACM 11 (6), 1968; places between characters as in
Russ Cox, https://swtch.com/~rsc/regexp/regexp2.html. The time is at most that of characters times steps.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from sre_agent.routing.expression.characters import PERL, Ranges, holds
from sre_agent.routing.expression.tree import Char, Choice, Edge, Part, Place, Repeat, Row

MOST_STEPS: Final = 2_000


@dataclass
class _Step:
    """Read a character of `of`, or pass `edge`, or just go on; then to `to`."""

    of: Ranges | None = None
    edge: Edge | None = None
    to: tuple[int, ...] = ()


class Linear:
    """A tree as steps. Raises ValueError when they would be too many."""

    def __init__(self, part: Part) -> None:
        self._steps = [_Step()]  # The first one is the end.
        self._begin = self._before(part, 0)

    def fits(self, text: str) -> bool:
        """Whether the whole text fits."""
        states = self._reached({self._begin}, "", text[:1])
        for at, char in enumerate(text):
            point, onward = ord(char), set[int]()
            for state in states:
                step = self._steps[state]
                if step.of is not None and holds(step.of, point):
                    onward.update(step.to)
            if not onward:
                return False
            states = self._reached(onward, char, text[at + 1 : at + 2])
        return 0 in states

    def _reached(self, states: set[int], before: str, after: str) -> set[int]:
        """With every state that no character is needed for, between these two."""
        found, front = set(states), list(states)
        while front:
            step = self._steps[front.pop()]
            if step.of is None and (step.edge is None or _there(step.edge, before, after)):
                new = set(step.to) - found
                found |= new
                front += new
        return found

    def _before(self, part: Part, after: int) -> int:
        """The state before a part, when that leads to the state `after`."""
        match part:
            case Char():
                return self._step(_Step(of=part.of, to=(after,)))
            case Place():
                return self._step(_Step(edge=part.edge, to=(after,)))
            case Row():
                for one in reversed(part.parts):
                    after = self._before(one, after)
                return after
            case Choice():
                return self._step(_Step(to=tuple(self._before(one, after) for one in part.parts)))
            case Repeat():
                return self._repeated(part, after)
            case _:
                assert_never(part)

    def _repeated(self, repeat: Repeat, after: int) -> int:
        if repeat.most is None:
            again = self._step(_Step())
            self._steps[again].to = (self._before(repeat.part, again), after)
            state = again
        else:
            state = after
            for _ in range(repeat.most - repeat.least):
                state = self._step(_Step(to=(self._before(repeat.part, state), after)))
        for _ in range(repeat.least):
            state = self._before(repeat.part, state)
        return state

    def _step(self, step: _Step) -> int:
        if len(self._steps) >= MOST_STEPS:
            raise ValueError(f"an expression of more than {MOST_STEPS} steps")
        self._steps.append(step)
        return len(self._steps) - 1


def _there(edge: Edge, before: str, after: str) -> bool:
    match edge:
        case Edge.TEXT_BEGIN:
            return before == ""
        case Edge.TEXT_END:
            return after == ""
        case Edge.LINE_BEGIN:
            return before in ("", "\n")
        case Edge.LINE_END:
            return after in ("", "\n")
        case Edge.WORD:
            return _wordly(before) is not _wordly(after)
        case Edge.NO_WORD:
            return _wordly(before) is _wordly(after)
        case _:
            assert_never(edge)


def _wordly(char: str) -> bool:
    return char != "" and holds(PERL["w"], ord(char))
