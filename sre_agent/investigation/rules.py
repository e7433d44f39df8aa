"""The deterministic reasoner: no network, no model, the default. It must work while the model provider is the outage."""

from sre_agent.evidence.evidence import Evidence, EvidenceStatus
from sre_agent.evidence.finding import EXPLANATIONS, Finding, FindingKind, RootCause
from sre_agent.investigation.reasoner import Brief, Dialogue, LookAnswer, Opinion, Turn


class RulesReasoner:
    """Has the neutral opinion: the findings, their ranking and the summary below are the whole answer."""

    name = "rules"

    def prepare(self, brief: Brief, dialogue: Dialogue, answers: tuple[LookAnswer, ...], looked_s: float) -> Turn:  # noqa: ARG002
        """Done at once."""
        return Turn(dialogue=dialogue, opinion=Opinion())

    async def ask(self, dialogue: Dialogue) -> Turn:
        """Never needed."""
        return Turn(dialogue=dialogue, opinion=Opinion())


def summary(brief: Brief) -> str:
    """One paragraph for a human, citing evidence ids; the same for the same brief."""
    parts = [_headline(brief), _others(brief), _unasked(brief.evidence), *(f"Not judged: {note}." for note in brief.notes)]
    return " ".join(part for part in parts if part)


def _headline(brief: Brief) -> str:
    where = _place(brief)
    if purpose := next((f for f in brief.findings if f.kind is FindingKind.ALERT_ALWAYS_FIRES and brief.outcome.healthy), None):
        return (
            f"This is not an issue: {purpose.cause.rstrip('.')} ({', '.join(purpose.evidence)}). It is bad news only when it stops."
        )
    if brief.outcome.healthy:
        seen = ", ".join(e.id for e in brief.evidence if e.status is EvidenceStatus.OK)
        return f"Nothing is wrong{where} now: no detector found a fault in what was seen ({seen})."
    if not brief.root_causes:
        return f"Not enough was seen{where} to say what is wrong, or that nothing is."
    first = brief.root_causes[0]
    finding = _behind(first, brief.findings)
    since = f" since {finding.onset:%H:%M:%S} UTC" if finding and finding.onset else ""
    text = finding.cause if finding else EXPLANATIONS[first.kind][1]
    refuted = f" This would be wrong if {finding.refuted_by.rstrip('.')}." if finding and finding.refuted_by else ""
    word = "Several independent causes stand out; the first is" if brief.outcome.several_causes else "Most likely cause:"
    return f"{word} {first.object}{since}: {text.rstrip('.')} ({', '.join(first.evidence)}).{refuted}"


def _others(brief: Brief) -> str:
    others = [
        f"{c.object} {c.kind.value.replace('_', ' ')}"
        + (f" at {f.onset:%H:%M:%S}" if f and f.onset else "")
        + f" ({', '.join(c.evidence)})"
        for c in brief.root_causes[1:]
        for f in [_behind(c, brief.findings)]
    ]
    return f"Also seen: {'; '.join(others)}." if others else ""


def _unasked(evidence: tuple[Evidence, ...]) -> str:
    failed = sorted({f"{e.source} ({e.error or 'error'})" for e in evidence if e.status is EvidenceStatus.ERROR})
    return f"Could not ask: {'; '.join(failed)}." if failed else ""


def _place(brief: Brief) -> str:
    names = sorted(
        {
            f"{label} {value}"
            for label in ("redis_master", "redis_cluster", "redis_node", "pod", "deployment", "tool_name")
            for value in brief.scope.incident.label_values(label)
        }
    )
    return f" at {', '.join(names[:3])}" if names else ""


def _behind(cause: RootCause, findings: tuple[Finding, ...]) -> Finding | None:
    return next((f for f in findings if (f.kind, f.object, f.namespace) == (cause.kind, cause.object, cause.namespace)), None)
