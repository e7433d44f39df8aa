"""A case a line, for a spreadsheet."""

from typing import Final

from sre_agent.replay.report.row import Row

COLUMNS: Final = (
    "case",
    "place",
    "service",
    "labelled_class",
    "class",
    "true_class",
    "verdict",
    "approvals_required",
    "policy_ids",
    "cause",
    "runbook",
    "proposal",
    "agreement",
    "people",
    "severity",
    "mistakes",
    "labels",
    "empty_sources",
    "failing_sources",
    "minutes_saved",
    "minutes_after_yes",
    "page_avoided",
    "usd",
    "error",
)


def cells(row: Row) -> tuple[str, ...]:
    """The cells under COLUMNS; several values in one are parted by blanks."""
    worst = max((m.kind.severity for m in row.mistakes), default=None)
    plain = (
        row.case,
        row.place,
        row.service,
        row.labelled,
        row.found,
        row.true,
        row.verdict,
        str(row.approvals),
        " ".join(row.policy_ids),
        row.cause,
        row.runbook,
        row.proposal,
        row.agreement,
        row.people,
        worst.name.lower() if worst else "",
        " ".join(m.kind.value for m in row.mistakes),
        " ".join(gap.value for gap in row.labels),
        " ".join(row.empty),
        " ".join(row.failing),
        f"{row.saved.minutes:g}",
        f"{row.saved.after_yes:g}",
        "yes" if row.saved.page else "no",
        f"{row.usd:g}",
        row.error,
    )
    return tuple(_harmless(cell) for cell in plain)


def _harmless(cell: str) -> str:
    """SAFETY: what a spreadsheet would take for a formula (OWASP, CSV injection) is text: a stranger may have written it."""
    return f"'{cell}" if cell.lstrip().startswith(("=", "+", "-", "@")) or cell.startswith(("\t", "\r")) else cell
