"""Many questions in one Slack message, without buttons: where each is answered, and until when. Pure."""

from typing import Final

from sre_agent.adapters.slack.mrkdwn import Json, escaped, link, linkable, moment, mrkdwn, plain
from sre_agent.handback.board import DigestView, Waiting

MOST_LINES: Final = 12
"""Questions shown; the rest are counted. Twelve lines at their longest stay under blocks.BUDGET."""


def digest_message(digest: DigestView) -> tuple[str, list[Json]]:
    """The message as it should stand now."""
    waiting = len(digest.waiting)
    headline = (
        f"{waiting} question{'s wait' if waiting != 1 else ' waits'} for people" if waiting else "No question waits here any more"
    )
    why = (
        f"More than {digest.per_hour} questions were asked within an hour, so {digest.total} stand here together, without buttons. "
        "Each is answered by itself, on its page or on the command line; silence is no."
    )
    blocks: list[Json] = [
        {"type": "header", "text": plain(headline)},
        {"type": "section", "text": plain(why)},
        *({"type": "section", "text": mrkdwn(_line(w))} for w in digest.waiting[:MOST_LINES]),
    ]
    if waiting > MOST_LINES:
        blocks.append({"type": "context", "elements": [plain(f"and {waiting - MOST_LINES} more: sre-agent approvals list")]})
    return f"{headline}: `sre-agent approvals list`", blocks


def _line(w: Waiting) -> str:
    what = f"*{escaped(w.action, 60)}* {escaped(w.target, 100)} ({escaped(w.service, 60)}, incident {escaped(w.incident, 30)})"
    command = f"`sre-agent approvals approve {escaped(w.approval_id, 60)}`"
    where = f"{link(w.link, 'answer it', 20)} or {command}" if linkable(w.link) else command
    return f"{what}\nuntil {moment(w.expires_at)}, {w.given} of {w.required} of team {escaped(w.team, 60)}\n{where}"
