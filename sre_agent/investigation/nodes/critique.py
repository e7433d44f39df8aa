"""critique: what a model said is held against the evidence. What cites nothing real is dropped and counted.

SAFETY: a veto, a different class or a low confidence needs no citation: they only restrict, and dropping one
would raise permission. A nomination needs to be one of the applicable runbooks.
"""

from collections.abc import Sequence

from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.evidence.redact import redact
from sre_agent.evidence.visible import visible
from sre_agent.investigation.examine import Examined
from sre_agent.investigation.reasoner import Opinion, Statement
from sre_agent.investigation.state import Node, State, evidence_of
from sre_agent.runbook.match import applicable
from sre_agent.runbook.runbook import Runbook

MOST_STATEMENTS = 6
MOST_CHARS = 400


def critique(runbooks: Sequence[Runbook]) -> Node:
    """The node, over `runbooks`."""

    async def node(state: State) -> State:
        opinion = Opinion.model_validate(state["opinion"])
        examined = Examined.model_validate(state["examined"])
        real = frozenset(e.id for e in evidence_of(state) if e.status is EvidenceStatus.OK)
        kept = tuple(s for s in opinion.statements if _cites(s, real))[:MOST_STATEMENTS]
        allowed = [r.id for r, _ in applicable(examined.standing, runbooks)]
        nominated = opinion.runbook if opinion.runbook in allowed[1:] else None
        uncited = sum(not _cites(s, real) for s in opinion.statements)
        usage = opinion.usage.model_copy(update={"dropped": uncited})
        checked = opinion.model_copy(
            update={"statements": kept, "veto": _clean(opinion.veto), "runbook": nominated, "usage": usage}
        )
        foreign = opinion.runbook is not None and opinion.runbook not in allowed
        remarks = _remarks(kept, uncited, foreign)
        return State(opinion=checked.model_dump(mode="json"), said=opinion.model_dump(mode="json"), remarks=remarks)

    return node


def _cites(statement: Statement, real: frozenset[str]) -> bool:
    return bool(statement.evidence) and real.issuperset(statement.evidence)


def _clean(text: str | None) -> str | None:
    """Cut, redacted, visible, on one line; an empty veto says nothing and is none.

    SAFETY: a line break would let the model write lines that look like the note's own ("Approved by: ...").
    """
    return " ".join(visible(redact(text)).split())[:MOST_CHARS] or None if text else None


def _remarks(kept: tuple[Statement, ...], dropped: int, foreign: bool) -> list[str]:
    """What of the model's words goes into the summary."""
    said = [f"{(_clean(s.text) or '').rstrip('.')} ({', '.join(s.evidence)})." for s in kept]
    remarks = ["The model's reading: " + " ".join(said)] if said else []
    if dropped:
        remarks.append(f"Statements of the model that cited no real evidence, dropped: {dropped}.")
    if foreign:
        remarks.append("The model named a runbook that does not apply; that was ignored.")
    return remarks
