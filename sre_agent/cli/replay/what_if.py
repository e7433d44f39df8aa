"""`sre-agent replay` under a candidate: only what would be different, dangerous ones first."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sre_agent.cli.context import MORE_PERMISSIVE
from sre_agent.cli.replay.output import Wanted, destination

if TYPE_CHECKING:
    from sre_agent.replay.replayed import Replayed
    from sre_agent.settings import Settings
    from sre_agent.wiring.compared import Spool
    from sre_agent.wiring.replaying import Setup


@dataclass
class Differing:
    """Takes the cases one by one, each under both setups, and keeps what differs."""

    spool: "Spool"
    cases: int = 0
    failed: int = 0

    def add(self, before: "Replayed", after: "Replayed") -> None:
        """One more case. What fails under one of the setups or both counts as failed."""
        from sre_agent.replay.compare import compared

        self.cases += 1
        self.failed += bool(before.error or after.error)
        if before.error and after.error:
            typer.echo(f"failed: {before.error}", err=True)
        elif (found := compared(before, after)) is not None:
            self.spool.add(found)

    @property
    def status(self) -> int:
        """3 when anything becomes more permissive, else 1 when a case failed, else 0."""
        return MORE_PERMISSIVE if self.spool.wider else 1 if self.failed else 0

    @property
    def sum(self) -> str:
        """One line for people."""
        kinds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in self.spool.kinds.items())
        failed = f"; {self.failed} failed" if self.failed else ""
        differ = f"{self.spool.kinds.total()} of {self.cases} cases would be judged differently"
        return f"{differ}{f': {kinds}' if kinds else ''}{failed}"


@contextmanager
def differing(wanted: Wanted) -> Iterator[Differing]:
    """Prints the differences when every case is in. Exit status 2 when the file cannot be written to."""
    from sre_agent.cli import render
    from sre_agent.replay.compare_telling import blocks
    from sre_agent.wiring.compared import Spool

    with ExitStack() as held:
        out = None if wanted.json is None else held.enter_context(destination(wanted.json))
        found = Differing(Spool(held))
        yield found
        if out is not None:
            out.writelines(f"{line}\n" for line in found.spool.lines())
        else:
            render.differing(blocks(found.spool.each()))
        typer.echo(found.sum, err=wanted.json == "-")


def rivals(settings: "Settings", policies: Path | None, runbooks: Path | None, model: str | None) -> "tuple[Setup, ...]":
    """The setup in force, and the candidate if one is named. Exit status 2 for a candidate that does not load: why, and where."""
    from sre_agent.wiring.replaying import setup_of

    in_force = setup_of(settings)
    if policies is None and runbooks is None and model is None:
        return (in_force,)
    # Imported here: a replay without a candidate starts sooner.
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.wiring.candidate import Candidate, drafted

    try:
        draft = drafted(settings, Candidate(policies, runbooks, model))
    except ConfigurationError as broken:
        typer.echo(f"the candidate does not load: {broken}", err=True)
        raise typer.Exit(2) from None
    for remark in draft.remarks:
        typer.echo(remark, err=True)
    return in_force, draft.setup
