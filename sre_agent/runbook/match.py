"""Which runbooks apply to a diagnosis. Pure: a lookup from finding kinds, never a generation."""

from collections.abc import Iterator, Sequence

from sre_agent.evidence.finding import Finding, RootCause
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.runbook.runbook import Runbook

CANNOT_HELP: dict[str, frozenset[R]] = {
    action: frozenset(
        {
            R.CONFIG_MAP_MISSING, R.SECRET_MISSING, R.KEY_MISSING, R.COMMAND_NOT_FOUND, R.ENV_MISSING, R.SETTINGS_REJECTED,
            R.RUNS_AS_ROOT, R.NO_PERMISSION, R.PROBE_PORT_WRONG, R.PROBE_PATH_WRONG, R.PROBE_TOO_STRICT,
            R.DEPENDENCY_UNREACHABLE, R.NODE_OUT_OF_MEMORY,
        }
    )
    for action in ("restart_pod", "rollout_restart")
}  # fmt: skip
"""Why a fault is there, so that the action would meet it again: a new pod has the same settings, probes, node and dependencies."""


def checklist_for(cause: RootCause, runbooks: Sequence[Runbook]) -> Runbook | None:
    """The runbook a person should open for a cause, action or not: the first by id that names its kind."""
    return next((r for r in sorted(runbooks, key=lambda r: r.id) if cause.kind in r.findings), None)


def applicable(causes: Sequence[Finding], runbooks: Sequence[Runbook]) -> tuple[tuple[Runbook, Finding], ...]:
    """(runbook with an action, the finding it is for), the one to propose first.

    `causes` are ranked, best first. Empty when the first of them has no runbook with an action: acting on a
    lesser cause while the greater one is untouched helps nobody, so that goes to a person. So does a cause whose reason the
    action cannot mend.
    """
    matches = list(_matches(causes, runbooks))
    if not matches or matches[0][1] is not causes[0]:
        return ()
    first_of: dict[str, tuple[Runbook, Finding]] = {}
    for runbook, finding in matches:
        first_of.setdefault(runbook.id, (runbook, finding))
    return tuple(first_of.values())


def _matches(causes: Sequence[Finding], runbooks: Sequence[Runbook]) -> Iterator[tuple[Runbook, Finding]]:
    for cause in causes:
        for runbook in sorted(runbooks, key=lambda r: r.id):
            # SAFETY: a reason only takes a proposal away.
            hopeless = cause.reason in CANNOT_HELP.get(runbook.action or "", ())
            if runbook.action is not None and cause.kind in runbook.findings and not hopeless:
                yield runbook, cause
