"""What an engine may answer. Anything else is not believed.

An evaluation error inside a forbid makes Cedar skip that forbid, and a malformed request gets an answer that is
neither allow nor deny: so an answer counts only if it is complete, free of errors and explained by known policies.
"""

from collections.abc import Mapping

from sre_agent.incident.errors import SreAgentError
from sre_agent.policy.bundle import Rule
from sre_agent.policy.request import Probe, Question

ENGINE_FAULTS: tuple[type[Exception], ...] = (
    SreAgentError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What an engine, or the marshalling for it, may raise. Whatever is not in here leaves the guard as an exception,
and an exception mints no permit either."""


class Unbelievable(ValueError):
    """The engine's answer is incomplete, erroneous or unexplained."""


def check_probes(question: Question, probes: tuple[Probe, ...], rules: Mapping[str, Rule]) -> None:
    """Raise Unbelievable unless there is exactly one sound answer for each context, in order."""
    expected, got = tuple(question.contexts), tuple(p.correlation_id for p in probes)
    if got != expected:
        raise Unbelievable(f"asked {list(expected)}, was answered {list(got)}: {_errors(probes)}")
    for probe in probes:
        if probe.errors:
            raise Unbelievable(f"the engine reported errors: {_errors(probes)}")
        if probe.decision not in ("Allow", "Deny"):
            raise Unbelievable(f"the engine answered {probe.decision!r}")
        _check_explained(probe, rules)


def _check_explained(probe: Probe, rules: Mapping[str, Rule]) -> None:
    unknown = [i for i in probe.policy_ids if i not in rules]
    if unknown:
        raise Unbelievable(f"the engine named policies that are not in the bundle: {unknown}")
    wanted = "permit" if probe.decision == "Allow" else "forbid"
    if any(rules[i].effect != wanted for i in probe.policy_ids):
        raise Unbelievable(f"the engine explained {probe.decision} by {list(probe.policy_ids)}")
    if probe.decision == "Allow" and not probe.policy_ids:
        raise Unbelievable("the engine allowed without naming a grant")


def _errors(probes: tuple[Probe, ...]) -> str:
    return "; ".join(e for p in probes for e in p.errors) or "no errors given"
