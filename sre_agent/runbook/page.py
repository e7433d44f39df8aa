"""A runbook as the page a person reads at 3 am. Pure."""

import textwrap
from collections.abc import Iterator

from sre_agent.runbook.runbook import Runbook

WIDTH = 96


def page(runbook: Runbook) -> str:
    """The runbook in the order in which it is needed: what it is about, what to look at, what the agent would do."""
    return "\n".join(_lines(runbook)) + "\n"


def _lines(r: Runbook) -> Iterator[str]:
    yield r.title
    yield "=" * len(r.title)
    yield from _paragraph("", r.summary)
    yield ""
    yield from _paragraph("When: ", ", ".join(kind.value for kind in r.findings))
    if r.checklist:
        yield ""
        yield "Check:"
        for number, item in enumerate(r.checklist, 1):
            yield from _paragraph(f" {number}. ", item)
    yield ""
    yield from _paragraph("Worst case: ", r.worst_case)
    yield from _paragraph("Undo: ", r.undo)
    yield ""
    if r.action is None:
        yield "The agent does nothing here; it hands the incident back with this page."
        return
    given = ", ".join(f"{name}={value}" for name, value in r.parameters.items())
    yield from _paragraph(
        "The agent would: ", f"{r.action} on one {r.target}{f' ({given})' if given else ''}, if the policies allow it"
    )
    if r.objective is not None:
        yield from _paragraph("It helped if: ", f"{r.objective.query} is below {r.objective.below:g} {r.objective.unit}")
    yield f"Recovery may take {_time(r.within_s)} and must hold for {_time(r.soak_s)}."


def _paragraph(head: str, text: str) -> list[str]:
    """Folded text that hangs under its head."""
    words, hang = " ".join(text.split()), " " * len(head)
    return textwrap.wrap(words, WIDTH, initial_indent=head, subsequent_indent=hang, break_long_words=False)


def _time(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
