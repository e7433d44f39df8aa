"""Two bundles over the same recorded incidents: what would have been judged differently."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from sre_agent.policy.bundle import Bundle
from sre_agent.policy.difference import Judged, VerdictChange, changed_verdict
from sre_agent.replay.case import case_folders
from sre_agent.runbook.load import load_runbooks
from sre_agent.settings import Settings
from sre_agent.wiring import discovery
from sre_agent.wiring.brain import Books
from sre_agent.wiring.recorded import dry_run


def replayed(settings: Settings, old: Bundle, new: Bundle, folder: Path) -> Iterator[VerdictChange]:
    """Every case of a folder whose verdict differs. Raises MalformedCase and ConfigurationError."""
    runbooks = {r.id: r for r in load_runbooks(settings.runbooks_dir, discovery.parameters())}
    for case in case_folders((folder,)):
        before, after = (_judged(settings, Books(bundle, runbooks), case) for bundle in (old, new))
        if (change := changed_verdict(case.name, before, after)) is not None:
            yield change


def _judged(settings: Settings, books: Books, case: Path) -> Judged:
    result = asyncio.run(dry_run(settings, books, case).result())
    return Judged(verdict=result.verdict, approvals_required=result.approvals_required, policy_ids=result.policy_ids)
