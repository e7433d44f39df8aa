"""What many dry runs say together, on a terminal: would-be mistakes first."""

from typing import TYPE_CHECKING

import typer

from sre_agent.cli.render import printable, table

if TYPE_CHECKING:
    from sre_agent.replay.report.row import Row
    from sre_agent.replay.report.tally import Tally

MOST_CASES = 40
"""Up to here every case has a line."""
LONGEST = 44


def summary(tally: "Tally") -> None:
    """Print it. Of a single case: what was wrong with it, and how it stands to what people did."""
    _mistakes(tally)
    if len(tally.rows) == 1:
        _alone(tally.rows[0])
        return
    _cases(tally)
    _counts(tally)
    _gaps(tally)
    _saved(tally)


def _mistakes(tally: "Tally") -> None:
    if not tally.mistake_kinds:
        typer.echo("Would-be mistakes: none that what people wrote down could show")
        return
    typer.echo("Would-be mistakes")
    rows = [(k.severity.name, k.explanation, str(e.count), _short(e.named)) for k, e in tally.mistake_kinds]
    table(("how bad", "what", "cases", "which"), rows)


def _alone(row: "Row") -> None:
    if not row.error:
        typer.echo(f"People did: {printable(row.people)}; proposal and people: {row.agreement.replace('_', ' ')}")


def _cases(tally: "Tally") -> None:
    told = [r for r in tally.rows if r.error] + tally.mistaken if len(tally.rows) > MOST_CASES else tally.rows
    shown = told[:MOST_CASES]
    typer.echo(f"\n{len(tally.rows)} cases" + (f", {len(shown)} of them here" if len(shown) < len(tally.rows) else ""))
    if shown:
        table(("case", "labelled", "found", "verdict", "the agent would", "people did", "together"), [_line(r) for r in shown])


def _line(row: "Row") -> tuple[str, ...]:
    if row.error:
        return (_short(row.case), "", "", "FAILED", _short(row.error), "", "")
    verdict = row.verdict + (f" ({row.approvals})" if row.approvals else "")
    together = ", ".join(m.kind.value for m in row.mistakes) or row.agreement
    cells = (row.case, row.labelled, row.found, verdict, row.proposal or "-", row.people, together)
    return tuple(_short(cell) for cell in cells)


def _counts(tally: "Tally") -> None:
    from sre_agent.replay.report.tally import by_pair, most_first

    for side, word in ((1, "found"), (2, "was")):
        if pairs := sorted(by_pair(tally.classes, side).items()):
            typer.echo(f"\nLabelled -> {word}: " + ", ".join(f"{a} -> {b} {count}" for (a, b), count in pairs))
    typer.echo("Verdicts: " + _listed(tally.verdicts))
    typer.echo("Proposal and people: " + _listed(tally.agreements))
    if tally.refusals:
        typer.echo("\nRefused or handed back")
        table(("rule", "cases", "reason"), [(name, str(e.count), _short(e.told, 90)) for name, e in most_first(tally.refusals)])


def _gaps(tally: "Tally") -> None:
    from sre_agent.replay.report.labels import EXPLAINED, LabelGap
    from sre_agent.replay.report.tally import most_first

    if tally.labels:
        typer.echo("\nLabels to mend")
        rows = [(n, str(e.count), EXPLAINED[LabelGap(n)], _short(e.named)) for n, e in most_first(tally.labels)]
        table(("what", "cases", "what to do", "which"), rows)
    if tally.sources:
        typer.echo("\nMissing evidence")
        lacking = [
            (name, str(lack.empty), str(lack.failing), str(lack.handed_back)) for name, lack in sorted(tally.sources.items())
        ]
        table(("source", "had nothing", "could not answer", "of these handed back for want of data"), lacking)


def _saved(tally: "Tally") -> None:
    from sre_agent.replay.report.saving import METHOD

    typer.echo(
        f"\nSaved: {tally.minutes:.1f} minutes, {_pages(tally.pages)}; {tally.after_yes:.1f} minutes more after a yes. {METHOD}"
    )
    if tally.calls or tally.fallbacks:
        typer.echo(f"Model: {tally.calls} calls, {tally.usd:.4f} USD; {tally.fallbacks} cases fell back to rules")
    if tally.failed:
        typer.echo(f"Failed: {len(tally.failed)}")


def _listed(counts: "dict[str, int]") -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(counts.items())) or "-"


def _short(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _pages(count: int) -> str:
    return f"{count} page" if count == 1 else f"{count} pages"
