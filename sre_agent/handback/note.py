"""The living note: what was seen, decided, done and measured, for somebody woken at 3 am. Pure text."""

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.evidence.visible import one_line
from sre_agent.handback.changed import change_behind, change_lines
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.runbook.proposal import Proposal
from sre_agent.triage.triage import Triage
from sre_agent.verification.verify import Recovery, Sample, VerificationPlan, shortfall

LIMIT = 8_000
"""Characters; PagerDuty takes more, a reader at night does not."""
MOST_ERROR = 160
"""Characters of what a source failed with: what to do about it stands at its end."""


def marker(incident_id: str) -> str:
    """The line by which the agent finds its own note again."""
    return f"[sre-agent {incident_id}]"


class NoteContent(BaseModel):
    """Everything the note is made of. What has not happened yet is None or empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident_id: str
    status: str
    triage: Triage | None = None
    diagnosis: Diagnosis | None = None
    decision: Decision | None = None
    proposal: Proposal | None = None
    worst_case: str = ""
    undo: str = ""
    runbook: str = ""
    """The runbook of the plan, or else of the checklist."""
    checklist: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    asking: str = ""
    outcome: str | None = None
    measured: dict[str, float | int | str] = {}
    level_before: float | None = None
    verification: VerificationPlan | None = None
    samples: tuple[Sample, ...] = ()
    recovery: Recovery | None = None
    reason: str = ""
    handed_to: str | None = None
    handed_on: str = ""
    """Why it went to its owner once more although somebody had acknowledged it, and how that ended."""
    marks: tuple[str, ...] = ()
    """What else was set on the incident, or could not be."""
    link: str = ""
    model_total: Spend = Spend()
    names: dict[str, str] = {}
    """Placeholder of a redacted address -> the person whose address it seems to be."""
    audit: str = ""
    """The newest audit record about the incident, "number:first half of its hash": an anchor outside the database."""


def render(note: NoteContent) -> str:
    """The note's text, marker first, at most LIMIT characters."""
    lines = [marker(note.incident_id), f"Status: {note.status}"]
    lines += _class_lines(note)
    lines += _seen_lines(note)
    lines += _decided_lines(note)
    lines += _done_lines(note)
    lines += _measured_lines(note)
    lines += _owner_lines(note)
    lines += ["", f"Audit record {note.audit}"] if note.audit else []
    text = "\n".join(f"{line[: len(line) - len(line.lstrip(' '))]}{one_line(line)}" for line in lines)
    return text if len(text) <= LIMIT else text[: LIMIT - 20] + "\n[note shortened]"


def _class_lines(note: NoteContent) -> list[str]:
    t = note.triage
    if t is None:
        return []
    shown = t.alert_class.value if t.alert_class == t.labelled else f"{t.alert_class.value} (labelled {t.labelled.value})"
    flags = f" [{', '.join(t.flags)}]" if t.flags else ""
    return [f"Class: {shown}; owner: {t.owner}{flags}"]


def _seen_lines(note: NoteContent) -> list[str]:
    d = note.diagnosis
    if d is None:
        return []
    lines = ["", "Seen", d.summary or "no summary"]
    by_key = {(f.kind, f.object, f.namespace): f for f in d.findings}
    for cause in d.root_causes:
        finding = by_key.get((cause.kind, cause.object, cause.namespace))
        told = f"{cause.kind.value}, {cause.score:.2f}, evidence {', '.join(cause.evidence)}"
        # What the summary says already is not said again: nobody reads the same lines twice at night.
        new = finding is not None and one_line(finding.cause).rstrip(".") not in one_line(d.summary)
        lines.append(f"- {cause.object}: {finding.cause} ({told})" if finding is not None and new else f"- {cause.object} ({told})")
    cited = {e for c in d.root_causes for e in c.evidence}
    lines += [f"  {e.id} {e.source}: {e.query[:160]} {e.link}".rstrip() for e in d.evidence if e.id in cited]
    blind = dict.fromkeys(f"{e.source} ({e.error[:MOST_ERROR]})" for e in d.evidence if e.status is EvidenceStatus.ERROR)
    if blind:
        lines.append(f"Could not be asked: {'; '.join(blind)}")
    changed = change_behind(d)
    return [*lines, *_model_lines(d, note.model_total), *(change_lines(changed, note.link, note.names) if changed else ())]


def _model_lines(d: Diagnosis, total: Spend) -> list[str]:
    u = d.usage
    lines = []
    if u.fallback:
        lines.append(f"The model did not help ({u.fallback}); the rules reasoner took over.")
    if u.calls:
        lost = f" ({u.lost} lost in a crash)" if u.lost else ""
        lines.append(f"Model: {u.calls} request(s){lost}, {u.input_tokens} in, {u.output_tokens} out, {u.usd:.4f} USD")
    if total.calls > u.calls:
        lines.append(f"Model, all rounds of this incident: {total.calls} request(s), {total.usd:.4f} USD")
    if d.veto is not None:
        lines.append(f"The model vetoed: {d.veto.value[:300]}")
    return lines


def _decided_lines(note: NoteContent) -> list[str]:
    d = note.decision
    if d is None:
        return []
    ids = ", ".join(d.policy_ids) or "-"
    lines = ["", "Decided", f"{_verdict_words(d)} (policies: {ids})", *(f"- {r}" for r in d.reasons)]
    if note.proposal is not None:
        p = note.proposal
        where = f"{p.target.namespace}/" if p.target.namespace else ""
        lines.append(f"Plan: {p.action} on {p.target.kind} {where}{p.target.name} (uid {p.target.uid}), runbook {p.runbook}")
        lines += [f"Worst case: {note.worst_case.strip()}"] if note.worst_case else []
        lines += [f"Undo: {note.undo.strip()}"] if note.undo else []
    if note.approvers:
        lines.append(f"Approved by: {', '.join(note.approvers)}")
    lines += [note.asking] if note.asking else []
    return lines


def _verdict_words(d: Decision) -> str:
    match d.verdict:
        case Verdict.ALLOW:
            return "allowed"
        case Verdict.NEEDS_APPROVAL:
            return f"needs {d.approvals_required} approval(s)"
        case Verdict.DENY:
            return "denied"
        case Verdict.HAND_BACK:
            return "refused and handed back"
        case Verdict.NO_ACTION:
            return "nothing to do"


def _done_lines(note: NoteContent) -> list[str]:
    if note.outcome is None:
        return []
    return ["", "Action", note.outcome]


def _measured_lines(note: NoteContent) -> list[str]:
    lines: list[str] = []
    if note.measured:
        lines += ["- " + ", ".join(f"{k} {v}" for k, v in sorted(note.measured.items()))]
    v = note.verification
    if v is not None:
        seen = [s.level for s in note.samples if s.level is not None]
        before = "unknown" if note.level_before is None else f"{note.level_before:.3f} {v.unit}"
        after = "unknown" if not seen else f"{seen[-1]:.3f} {v.unit}"
        verdict = note.recovery.value.replace("_", " ") if note.recovery else "being verified"
        lines += ["", "Verified", f"{verdict}: service level {before} before, {after} after; soak {v.soak_s:.0f} s"]
        if note.samples:
            missed = ", ".join(shortfall(note.samples[-1], v))
            lines.append(f"Last look: {note.samples[-1].detail}" + (f"; but {missed}" if missed else ""))
    return lines


def _told_by_the_decision(note: NoteContent) -> bool:
    """A refusal's reasons stand under "Decided" already; nobody reads the same lines twice at night."""
    return note.decision is not None and note.reason == "; ".join(note.decision.reasons)


def _owner_lines(note: NoteContent) -> list[str]:
    lines: list[str] = []
    if note.reason and not _told_by_the_decision(note):
        lines += ["", f"{'Why it stopped' if note.status == 'cancelled' else 'Why it is yours'}: {note.reason}"]
    if note.handed_to:
        lines.append(f"Handed to: {note.handed_to}")
    if note.handed_on:
        lines.append(f"Wrong team: {note.handed_on}")
    lines += [f"Also: {mark}" for mark in note.marks]
    if note.checklist:
        lines += ["Next steps:", *(f"- {c}" for c in note.checklist)]
    if note.link:
        lines.append(note.link)
    return lines
