"""What custom fields and status updates may say of an incident: a closed list of facts. Pure.

Nothing an alert, a log or a model wrote is among them word for word: where a fact comes from a label (a tool's name), it is
short, on one line, and without anything that could be a link or a mention.
"""

from sre_agent.evidence.redact import redact
from sre_agent.evidence.visible import unmarked
from sre_agent.handback.note import NoteContent
from sre_agent.incident.alert import AlertClass
from sre_agent.policy.handover import HandoverFact
from sre_agent.triage.ownership import INTEGRATIONS, Ownership

MOST = 200
"""Characters of a field's value."""

_BELONGS = {
    AlertClass.INFRA: "an infrastructure incident",
    AlertClass.MODEL: "an incident of a model or prompt",
    AlertClass.TOOL: "an incident of an integrated tool",
    AlertClass.MIXED: "an incident with several causes",
    AlertClass.UNKNOWN: "an incident of unknown class",
}


def facts_of(note: NoteContent) -> dict[HandoverFact, str]:
    """Every fact that is known. One that is not is left out, so that what stands in its field stays."""
    t, d, top = note.triage, note.decision, note.diagnosis.top if note.diagnosis else None
    known = {
        HandoverFact.CLASS: t.alert_class.value if t else "",
        HandoverFact.VERDICT: d.verdict.value if d else "",
        HandoverFact.OWNER: unmarked(redact(t.owner), MOST) if t else "",
        HandoverFact.CAUSE: top.kind.value if top else "",
        HandoverFact.RUNBOOK: note.runbook,
        HandoverFact.APPROVED_BY: ", ".join(note.approvers)[:MOST],
        HandoverFact.PAGE: note.link,
    }
    return {fact: value for fact, value in known.items() if value}


def status_text(note: NoteContent, ownership: Ownership) -> str:
    """One or two sentences for people who may not know the system: whose it is and whether anything was done."""
    t = note.triage
    what = _BELONGS[t.alert_class] if t else "an incident"
    owner = _declared_owner(note, ownership)
    done = "An action was tried." if note.outcome is not None else "No action was taken."
    return f"sre-agent looked at this: {what}; it belongs to {owner}. {done}" + (f" {note.link}" if note.link else "")


def _declared_owner(note: NoteContent, ownership: Ownership) -> str:
    """The owner in declared words only: a tool's name is a label's text, so it is looked up and never repeated."""
    t = note.triage
    if t is None:
        return "its owner"
    if t.receiver == INTEGRATIONS:
        return ownership.tool_owners.get(t.owner, "the owner of the integration")
    return t.owner if t.owner != "default" else "its owner"
