"""What the pages need, put together: lists, the ledger, the answer desk behind a plain callable, and the books in force."""

from sre_agent.adapters.postgres.headlines import PostgresHeadlines
from sre_agent.asking.desk import AnswerDesk, Given
from sre_agent.response.record import IncidentRecord
from sre_agent.web.ports import PagePorts, Said
from sre_agent.wiring.approvals import answer_desk
from sre_agent.wiring.brain import Books
from sre_agent.wiring.state import State


def page_ports(state: State, books: Books) -> PagePorts:
    """The ports over the open database and the books of this process."""
    desk = answer_desk(state.store, books.bundle)
    return PagePorts(
        headlines=PostgresHeadlines(state.database),
        intents=state.ledger.of,
        answer=Answering(desk),
        eligible=desk.approvers.eligible,
        rules=books.bundle.rules,
        bundle_hash=books.bundle.hash,
        runbooks=books.runbooks,
    )


class Answering:
    """Hands what a page says in at the desk, as every other door does."""

    def __init__(self, desk: AnswerDesk) -> None:
        self._desk = desk

    async def __call__(self, said: Said) -> IncidentRecord:
        """The incident as it then stands. Raises what AnswerDesk.take does."""
        return await self._desk.take(Given(said.approval_id, said.person, said.approve, said.via, said.reason, said.plan))
