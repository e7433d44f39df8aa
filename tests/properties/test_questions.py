"""L3 at every stop of putting a question to people: whoever dies there, each question stands once and says what is true."""

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from sre_agent.asking.announce import Announcer
from sre_agent.asking.digest import DigestDesk
from sre_agent.handback.board import Question, QuestionBoard
from sre_agent.incident.event import EventKind
from sre_agent.response.fatigue import Digest
from sre_agent.response.record import Announced, IncidentRecord
from tests.properties.drawn import GROUPS
from tests.properties.history import play
from tests.properties.laws import Broken
from tests.properties.moves import Arrive as Arrives
from tests.properties.moves import Change, Hear, Live, Move, Say, Settle, Until
from tests.properties.stage import Parts, Stage

ASKED = "QA"
STOPS = (
    *("board.show", "board.show done", "board.show_digest", "board.show_digest done", "tracker.ask_in", "tracker.ask_in done"),
    *("store.put_digest", "store.put_digest done", "store.approvals_since", "store.digest done", "store.advance done"),
)
DEATHS = GROUPS["crashes"]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of lines about jobs given up help nobody."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def histories() -> Iterator[tuple[str, tuple[Move, ...]]]:
    """(stop, history): a question by itself, a no, the incident reopened and its second question in a digest, and an end."""
    for stop in STOPS:
        for crossing in DEATHS:
            trouble = (Until(stop), *crossing(ASKED), Settle(), Live(20.0))
            first = (Arrives(ASKED), *trouble, Say("cleo", approve=False), *trouble)
            second = (Hear(ASKED, EventKind.REOPENED), *trouble, Say("ana"), Settle(), Say("ben"), *trouble)
            yield stop, (*first, *second, Change(ASKED, "cleared"), Live(30.0))


def played(parts: Parts | None = None) -> Iterator[tuple[str, Stage]]:
    for stop, history in histories():
        yield stop, play(history, parts)


def test_a_question_stands_once_and_true_whoever_dies_while_it_is_put() -> None:
    seen: Counter[str] = Counter()
    for _, stage in played():
        seen["questions"] += len(stage.board.questions)
        seen["digests"] += len(stage.board.digests)
        seen["superseded"] += sum(q.superseded for q in stage.board.questions)
        seen["asked in"] += len(stage.tracker.asked_in)
    assert min(seen.values()) > 30, seen


class PostsWithoutLooking(Announcer):
    """After a crash it posts again, whatever stands there already."""

    async def _show(self, board: QuestionBoard, incident_id: str, question: Question, known: Announced | None) -> None:
        again = known if known is not None and known.message else None
        await super()._show(board, incident_id, question, again)


class AsksInAgain(DigestDesk):
    """Remembers no intent, so that a question that comes after a crash asks in on its own incident."""

    async def _page(self, digest: Digest, record: IncidentRecord) -> Digest:
        message = f"[sre-agent {digest.id}] {self._asking(digest)} ({self.walk.clock.now()})"
        await self.tracker.ask_in(record.id, "PPLAT01", message)
        return digest


@pytest.mark.parametrize("parts", [Parts(announcer=PostsWithoutLooking), Parts(digests=AsksInAgain)], ids=["posts", "pages"])
def test_a_planted_bug_in_asking_is_noticed(parts: Parts) -> None:
    with pytest.raises(Broken, match=r"^L3"):
        for _ in played(parts):
            pass
