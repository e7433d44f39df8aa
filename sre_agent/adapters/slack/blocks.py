"""A question as a Slack message: (text, blocks). Pure.

Read from the top by somebody woken at night: what is asked, what happened, until when, why, what it does, what can go wrong.
Limits are kept by construction: every part has its own most, and the mosts add up to less than BUDGET. Source of the limits:
Slack's Block Kit reference; the sum is in none of its pages, messages above 13 200 characters were refused.
"""

from datetime import UTC, datetime
from typing import Final

from sre_agent.adapters.slack.mrkdwn import Json, address, escaped, link, linkable, moment, mrkdwn, plain, said
from sre_agent.approval.press import APPROVE, DENY, DETAILS, PLAN_DIGITS, button_value
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.handback.board import Question, Standing
from sre_agent.handback.note import NoteContent

BUDGET: Final = 10_000
"""UTF-16 units of text in all blocks together."""
MOST_CAUSES, MOST_LINKS, MOST_PEOPLE, MOST_EFFECTS, MOST_ANSWERS = 3, 6, 8, 3, 4

BLOCK: Final = "sre_ask:"
"""The buttons' block_id begins so; the approval id follows."""

_WORDS: Final[dict[Standing, str]] = {
    Standing.WAITING: "Approve",
    Standing.APPROVED: "Approved",
    Standing.EXECUTING: "Being done",
    Standing.VERIFYING: "Done, being verified",
    Standing.RECOVERED: "Recovered",
    Standing.NOT_RECOVERED: "Done, but not recovered",
    Standing.FAILED: "Failed",
    Standing.NOT_DONE: "Not done",
    Standing.UNKNOWN: "Unknown outcome",
    Standing.DENIED: "Denied",
    Standing.EXPIRED: "Expired",
    Standing.WITHDRAWN: "Withdrawn",
    Standing.HANDED_BACK: "Handed back",
}
_AT_WORK: Final = frozenset({Standing.APPROVED, Standing.EXECUTING, Standing.VERIFYING})


def question_message(question: Question) -> tuple[str, list[Json]]:
    """The message as it should stand now. Buttons only while the question is open."""
    headline = _headline(question)
    blocks: list[Json] = [{"type": "header", "text": plain(said(headline, 150))}]
    if question.open:
        blocks += [
            _section(_happened(question)),
            _facts(question),
            *_causes(question),
            _section(_plan(question)),
            *_risks(question),
        ]
        blocks += [_buttons(question), _small(_who(question))]
    else:
        blocks += [_section(_ending(question)), _section(_happened(question)), _facts(question)]
        blocks += [_section(_plan(question))] if question.content.proposal is not None else []
        blocks += _risks(question) if question.standing in _AT_WORK else []
        blocks += [_small(_who(question))]
    return _fallback(question, headline), blocks


def act(question: Question) -> str:
    """What is to be done to what, short: "redis failover: cache"."""
    plan = question.content.proposal
    if plan is None:
        return question.request.question.partition("? ")[0]
    where = f"{plan.target.namespace}/" if plan.target.namespace else ""
    return f"{plan.action.replace('_', ' ')}: {where}{plan.target.name}"


def _headline(q: Question) -> str:
    if q.open:
        given = len(q.request.approvers)
        return f"Approve {act(q)}?" if not given else f"{given} of {q.request.required} approved: {act(q)}?"
    if q.superseded:
        return f"Superseded by a newer question: {act(q)}"
    # A question that was answered a moment ago stands as WAITING until the walk has taken the answer up.
    return f"{'Closed' if q.standing is Standing.WAITING else _WORDS[q.standing]}: {act(q)}"


def _happened(q: Question) -> list[str]:
    summary = q.content.diagnosis.summary if q.content.diagnosis else ""
    lines = [said(q.title, 200)] if q.title else []
    return [*lines, said(summary, 400)] if summary else lines or [said(q.request.question, 400)]


def _facts(q: Question) -> Json:
    t = q.content.triage
    incident = f"#{q.number}" if q.number is not None else q.content.incident_id
    named = f"*Incident*\n{link(q.url, incident)}" + (f" of {escaped(q.service, 80)}" if q.service else "")
    fields = [named, f"*Class and owner*\n{escaped(t.alert_class.value, 20) if t else '-'}, {escaped(t.owner, 80) if t else '-'}"]
    if q.open:
        fields.append(f"*Answer until*\n{moment(q.request.expires_at)}; silence is no")
        fields.append(f"*Needed*\n{q.request.required} of team {escaped(q.request.team, 80)}, {len(q.request.approvers)} so far")
    return {"type": "section", "fields": [mrkdwn(f) for f in fields]}


def _causes(q: Question) -> list[Json]:
    d = q.content.diagnosis
    if d is None or not d.root_causes:
        return []
    by_key = {(f.kind, f.object, f.namespace): f for f in d.findings}
    lines = ["Cause"]
    for cause in d.root_causes[:MOST_CAUSES]:
        finding = by_key.get((cause.kind, cause.object, cause.namespace))
        why = finding.cause if finding is not None else cause.kind.value
        strength = finding.strength if finding is not None else cause.score
        lines.append(f"{said(f'{cause.object}: {why}', 250)} (strength {strength:.0%})")
    found = _evidence(d)
    return [_section(lines), *([{"type": "context", "elements": [mrkdwn(f"Evidence: {found}")]}] if found else [])]


def _evidence(d: Diagnosis) -> str:
    cited = list(dict.fromkeys(e for c in d.root_causes[:MOST_CAUSES] for e in c.evidence))
    known = {e.id: e for e in d.evidence}
    shown = [link(known[i].link, f"{i} {known[i].source}", 60) for i in cited[:MOST_LINKS] if i in known]
    more = len([i for i in cited if i in known]) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _plan(q: Question) -> list[str]:
    plan = q.content.proposal
    if plan is None:
        return ["Plan", said(q.request.question, 300)]
    where = f"{plan.target.namespace}/" if plan.target.namespace else ""
    lines = [
        "Plan",
        said(f"{plan.action} on {plan.target.kind} {where}{plan.target.name}", 300),
        said(f"uid {plan.target.uid or 'unknown'}", 100),
    ]
    if plan.parameters:
        lines.append(said("with " + ", ".join(f"{k}={v}" for k, v in sorted(plan.parameters.items())), 300))
    return [*lines, *(said(e, 250) for e in q.effects[:MOST_EFFECTS])] if q.open or q.standing in _AT_WORK else lines


def _risks(q: Question) -> list[Json]:
    told = (("Worst case", q.content.worst_case, 500), ("Undo", q.content.undo, 300))
    lines = [f"{name}: {said(text, most)}" for name, text, most in told if text.strip()]
    return [_section(lines)] if lines else []


def _buttons(q: Question) -> Json:
    value = button_value(q.request.id, q.request.plan_hash)
    sure = {
        "title": plain(said(f"{act(q)}?", 100)),
        "text": plain(said(f"Worst case: {q.content.worst_case or 'not known'}", 220) + f" Until {_utc(q.request.expires_at)}."),
        "confirm": plain("Approve"),
        "deny": plain("Back"),
    }
    yes = {"type": "button", "style": "primary", "action_id": APPROVE, "value": value, "text": plain("Approve"), "confirm": sure}
    no = {"type": "button", "style": "danger", "action_id": DENY, "value": value, "text": plain("Deny")}
    more = {"type": "button", "action_id": DETAILS, "value": value, "text": plain("Details")}
    return {"type": "actions", "block_id": f"{BLOCK}{q.request.id}", "elements": [yes, no, more]}


def _ending(q: Question) -> list[str]:
    lines = ["A newer question of this incident stands below; this one takes no answers."] if q.superseded else []
    lines += [said(q.became, 600)] if q.became else []
    return [*lines, *(said(m, 300) for m in measured(q.content))] or [_WORDS[q.standing]]


def measured(content: NoteContent) -> list[str]:
    """What was measured: by the action, and of the service level before and after. Empty before anything was."""
    lines = []
    if content.measured:
        lines.append("Measured: " + ", ".join(f"{k} {v}" for k, v in sorted(content.measured.items())))
    v = content.verification
    levels = [s.level for s in content.samples if s.level is not None]
    if v is not None and levels:
        before = "unknown" if content.level_before is None else f"{content.level_before:.3g}"
        lines.append(f"Service level: {before} before, {levels[-1]:.3g} at the last look ({v.unit}); soak {v.soak_s:.0f} s")
    return lines


def _who(q: Question) -> str:
    lines = []
    if q.open:
        given = {a.person for a in q.request.answers}
        names = [q.names.get(p, p) for p in q.may_approve if p not in given]
        more = f" and {len(names) - MOST_PEOPLE} more" if len(names) > MOST_PEOPLE else ""
        shown = ", ".join(said(n, 60) for n in names[:MOST_PEOPLE]) + more
        lines.append(f"May approve: {shown}" if names else "Nobody else who is known may approve: see teams.yaml")
    answers = q.request.answers[:MOST_ANSWERS]
    lines += [f"{'Yes' if a.approve else 'No'} from {said(q.names.get(a.person, a.person), 60)} ({_utc(a.at)})" for a in answers]
    return "; ".join([*lines, f"Plan {q.request.plan_hash[:PLAN_DIGITS]}, question {said(q.request.id, 80)}"])


def _fallback(q: Question, headline: str) -> str:
    """For screen readers and notifications: the whole question in one breath."""
    incident = f"incident #{q.number}" if q.number is not None else f"incident {escaped(q.content.incident_id, 40)}"
    if not q.open:
        return f"{escaped(headline, 300)} ({incident}). {escaped(q.became, 500) if q.became else ''}".strip()
    page = f", at {address(q.content.link)}" if linkable(q.content.link) else ""
    needed = f"{q.request.required} of team {escaped(q.request.team, 80)} until {_utc(q.request.expires_at)}"
    command = f"`sre-agent approvals approve {escaped(q.request.id, 80)}`"
    return f"{escaped(headline, 300)} ({incident}). {needed}. Answer here{page}, or with {command}."


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M} UTC"


def _section(lines: list[str]) -> Json:
    return {"type": "section", "text": plain("\n".join(lines))}


def _small(text: str) -> Json:
    return {"type": "context", "elements": [plain(text)]}
