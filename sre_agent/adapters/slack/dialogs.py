"""What is said to one person who pressed: a whisper, the question why not, and the details behind a plan.

Everything shown comes from the store or from the judge of the press, never from the payload. Limits: Slack's Block Kit
reference; every part has its own most, and together they stay under BUDGET.
"""

import json
from collections.abc import Iterable
from typing import Final

from sre_agent.adapters.slack.client import SlackApi
from sre_agent.adapters.slack.mrkdwn import Json, escaped, plain, said
from sre_agent.approval.press import MOST_REASON, REASON_ACTION, REASON_BLOCK, REASON_DIALOG, Press
from sre_agent.approval.request import ApprovalRequest
from sre_agent.response.record import IncidentRecord

BUDGET: Final = 12_000
"""UTF-16 units of text in a dialog; the sum at which Slack refuses is in none of its pages."""
MOST_CAUSES, MOST_EVIDENCE, MOST_ENTRIES, MOST_REASONS, MOST_ANSWERS = 5, 15, 15, 12, 6


class Dialogs:
    """Implements response.presses.Talk; raises what the Web API raises."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def whisper(self, press: Press, text: str) -> None:
        """An ephemeral message in the channel of the press."""
        if press.channel and press.user:
            await self._api.whisper(press.channel, press.user, escaped(text, 1500))

    async def ask_reason(self, press: Press) -> None:
        """Why not? The answer must be given; what question it belongs to rides along."""
        await self._api.open_view(press.trigger_id, reason_view(press))

    async def show_details(self, press: Press, record: IncidentRecord, question: ApprovalRequest) -> None:
        """What the question rests on."""
        await self._api.open_view(press.trigger_id, details_view(record, question))


def reason_view(press: Press) -> Json:
    """The dialog behind Deny."""
    carried = {"value": f"{press.approval_id}.{press.plan}", "channel": press.channel}
    field = {"type": "plain_text_input", "action_id": REASON_ACTION, "multiline": True, "min_length": 2, "max_length": MOST_REASON}
    asked = {
        "type": "input",
        "block_id": REASON_BLOCK,
        "label": plain("Why not?"),
        "hint": plain("It is written into the incident's note. A no is final for this plan."),
        "element": field,
    }
    return {
        "type": "modal",
        "callback_id": REASON_DIALOG,
        "private_metadata": json.dumps(carried),
        "title": plain("Deny this plan"),
        "submit": plain("Deny"),
        "close": plain("Back"),
        "blocks": [asked],
    }


def details_view(record: IncidentRecord, question: ApprovalRequest) -> Json:
    """The dialog behind Details: plan, decision with policies and reasons, causes, evidence, what happened."""
    parts = (("Plan", _plan(record, question)), ("Decision", _decision(record)), ("Causes", _causes(record)),
             ("Evidence", _evidence(record)), ("What happened", _timeline(record)))  # fmt: skip
    blocks = [b for title, lines in parts if lines for b in _part(title, lines)]
    return {"type": "modal", "title": plain("Details of the plan"), "close": plain("Close"), "blocks": blocks}


def _part(title: str, lines: Iterable[str]) -> list[Json]:
    header = {"type": "header", "text": plain(title)}
    return [header, {"type": "section", "text": plain("\n".join(lines))}]


def _plan(record: IncidentRecord, q: ApprovalRequest) -> list[str]:
    lines = [said(q.question, 500), f"Plan {said(q.plan_hash, 70)}", f"Question {said(q.id, 80)}, {q.state.value}"]
    lines.append(f"{q.required} of team {said(q.team, 80)} until {q.expires_at:%H:%M:%S} UTC")
    lines += [f"{'Yes' if a.approve else 'No'} from {said(a.person, 64)} at {a.at:%H:%M:%S} UTC" for a in q.answers[:MOST_ANSWERS]]
    if record.approval_id != q.id:
        lines.append("A newer question of this incident has taken its place; what follows is as it stands now.")
    return lines


def _decision(record: IncidentRecord) -> list[str]:
    d = record.decision
    if d is None:
        return []
    lines = [f"{d.verdict.value.replace('_', ' ')} under {said(', '.join(d.policy_ids), 400)}"]
    return [*lines, *(said(f"- {r}", 160) for r in d.reasons[:MOST_REASONS])]


def _causes(record: IncidentRecord) -> list[str]:
    d = record.diagnosis
    if d is None:
        return []
    lines = [said(d.summary, 500)] if d.summary else []
    by_key = {(f.kind, f.object, f.namespace): f for f in d.findings}
    for cause in d.root_causes[:MOST_CAUSES]:
        finding = by_key.get((cause.kind, cause.object, cause.namespace))
        why = finding.cause if finding is not None else cause.kind.value
        lines.append(said(f"- {cause.object}: {why} ({cause.score:.2f}; evidence {', '.join(cause.evidence)})", 240))
    return lines


def _evidence(record: IncidentRecord) -> list[str]:
    found = record.diagnosis.evidence if record.diagnosis else ()
    cited = {e for c in record.diagnosis.root_causes for e in c.evidence} if record.diagnosis else set()
    ordered = sorted(found, key=lambda e: e.id not in cited)
    lines = [said(f"- {e.id} {e.source} ({e.status.value}): {e.query}", 170) for e in ordered[:MOST_EVIDENCE]]
    more = len(ordered) - MOST_EVIDENCE
    return [*lines, f"and {more} more"] if more > 0 else lines


def _timeline(record: IncidentRecord) -> list[str]:
    return [f"{e.at:%H:%M:%S} {said(e.text, 170)}" for e in record.timeline[-MOST_ENTRIES:]]
