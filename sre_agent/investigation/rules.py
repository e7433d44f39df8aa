"""The deterministic reasoner: no network, no model, the default. It must work while the model provider is the outage."""

import re

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import EXPLANATIONS, Finding, FindingKind, RootCause
from sre_agent.investigation.reasoner import Brief, Dialogue, LookAnswer, Opinion, Turn

LONGEST = 1_200
"""Characters of a summary: what a person reads in 20 seconds."""
FIRST, LEAST, AROUND = 700, 300, 340
"""Most characters of the first cause, those it keeps whatever else there is, and those of its object, ids and refutation."""
REFUTED, ERROR, SHORTEST = 160, 120, 30
"""Most characters of what would refute the first, of one error; fewest that are worth quoting of another cause."""
MOST_ERRORS, MOST_IDS = 4, 8
_ALSO = "Also seen: "
_MORE = f"{_ALSO}; and 9 more. "


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
    """One paragraph for a human, citing evidence ids; the same for the same brief. At most LONGEST characters and the notes."""
    tail = [_unasked(brief.evidence), *(f"Not judged: {note}." for note in brief.notes)]
    head = _headline(brief, max(LEAST, min(FIRST, LONGEST - AROUND - sum(len(t) + 1 for t in tail))))
    room = LONGEST - len(head) - sum(len(t) + 1 for t in tail)
    return " ".join(part for part in (head, _others(brief, room), *tail) if part)


def _headline(brief: Brief, longest: int) -> str:
    where = _place(brief)
    if purpose := next((f for f in brief.findings if f.kind is FindingKind.ALERT_ALWAYS_FIRES and brief.outcome.healthy), None):
        return (
            f"This is not an issue: {purpose.cause.rstrip('.')} ({', '.join(purpose.evidence)}). It serves as a health check of "
            "the alerting pipeline and should always be active; if it stops, that indicates a problem with the alerting system."
        )
    if brief.outcome.healthy:
        seen = ", ".join(e.id for e in brief.evidence if e.status is EvidenceStatus.OK)
        return f"Nothing is wrong{where} now: no detector found a fault in what was seen ({seen})."
    if not brief.root_causes:
        told = ", ".join(e.id for e in brief.evidence if e.status is EvidenceStatus.OK and e.kind is EvidenceKind.TEXT)
        read = f" No fault was recognised in what was handed over as text ({told})." if told else ""
        return f"Not enough was seen{where} to say what is wrong, or that nothing is.{read}"
    first = brief.root_causes[0]
    finding = _behind(first, brief.findings)
    since = f" since {finding.onset:%H:%M:%S} UTC" if finding and finding.onset else ""
    text = _bare(finding.cause) if finding else EXPLANATIONS[first.kind][1]
    refuted = f" This would be wrong if {_cut(finding.refuted_by.rstrip('.'), REFUTED)}." if finding and finding.refuted_by else ""
    word = "Several independent causes stand out; the first is" if brief.outcome.several_causes else "Most likely cause:"
    return f"{word} {first.object}{_within(first, text)}{since}: {_cut(text, longest)} ({_ids(first.evidence)}).{refuted}"


def _within(cause: RootCause, text: str) -> str:
    """The namespace, where neither the object nor the cause's own words name it."""
    known = cause.namespace is None or re.search(rf"\b{re.escape(cause.namespace)}\b", f"{cause.object} {text}") is not None
    return "" if known else f" in namespace {cause.namespace}"


def _others(brief: Brief, room: int) -> str:
    """The other ranked causes with their words, as far as there is room. What differs only in the object's name is said once."""
    alike: dict[tuple[FindingKind, str], list[tuple[RootCause, Finding | None]]] = {}
    for cause in brief.root_causes[1:]:
        finding = _behind(cause, brief.findings)
        name = cause.object.partition("/")[2]
        said = _bare(finding.cause).replace(name, "#") if finding else ""
        alike.setdefault((cause.kind, said), []).append((cause, finding))
    if not alike:
        return ""
    heads: list[str] = []
    for each in alike.values():
        if sum(len(h) + 4 for h in (*heads, _also(each))) <= room - len(_MORE):
            heads.append(_also(each))
    if not heads:
        return ""
    each_room = (room - len(_MORE) - sum(len(h) + 4 for h in heads)) // len(heads)
    told = [
        h if f is None or each_room < SHORTEST else f"{h}: {_cut(_bare(f.cause), each_room)}"
        for h, f in zip(heads, (g[0][1] for g in alike.values() if _also(g) in heads), strict=True)
    ]
    left = f"; and {len(alike) - len(heads)} more" if len(heads) < len(alike) else ""
    return f"{_ALSO}{'; '.join(told)}{left}."


def _also(group: list[tuple[RootCause, Finding | None]]) -> str:
    first, finding = group[0]
    names = ", ".join(c.object for c, _ in group)
    at = f" at {finding.onset:%H:%M:%S}" if finding and finding.onset and len(group) == 1 else ""
    cited = tuple(dict.fromkeys(i for c, _ in group for i in c.evidence))
    return f"{names} {first.kind.value.replace('_', ' ')}{at} ({_ids(cited)})"


def _ids(cited: tuple[str, ...]) -> str:
    return ", ".join(cited[:MOST_IDS]) + (f" and {len(cited) - MOST_IDS} more" if len(cited) > MOST_IDS else "")


def _bare(cause: str) -> str:
    return cause.rstrip(" .:;")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 4].rstrip()} ..."


def _unasked(evidence: tuple[Evidence, ...]) -> str:
    failed = sorted(
        {f"{e.source} ({_cut(e.error.strip() or 'error', ERROR)})" for e in evidence if e.status is EvidenceStatus.ERROR}
    )
    more = f" and {len(failed) - MOST_ERRORS} more" if len(failed) > MOST_ERRORS else ""
    return f"Could not ask: {'; '.join(failed[:MOST_ERRORS])}{more}." if failed else ""


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
