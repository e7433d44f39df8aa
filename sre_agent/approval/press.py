"""What a press in Slack says (Slack API documentation, "Interaction payloads": block_actions and view_submission). Pure.

INVARIANT: of a message only the ids in the pressed button's value are read. What the message shows, its text and its blocks
come back in the payload and are never believed: plan, target, deadline and who may answer are in the store.
"""

import re
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from sre_agent.intake.untrusted import Unreadable, fields, items, read_json, text

APPROVE: Final = "sre_approve"
DENY: Final = "sre_deny"
DETAILS: Final = "sre_details"
"""Action ids of the buttons; their value is button_value()."""
REASON_DIALOG: Final = "sre_deny_reason"
REASON_BLOCK: Final = "reason_block"
REASON_ACTION: Final = "reason"
"""Ids of the dialog that asks why not; its private_metadata is {"value": button_value(), "channel": ...}."""
PLAN_DIGITS: Final = 8
MOST_REASON: Final = 1_000
"""Characters of a reason that are kept."""
MOST_ERROR: Final = 300
"""Characters of an error under a dialog's field."""

_VALUE: Final = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9a-f]{8,64})", re.ASCII)
_ID: Final = re.compile(r"[A-Z0-9]{1,32}", re.ASCII)
_TS: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}", re.ASCII)


class PressAction(StrEnum):
    """What was pressed. OTHER: nothing of ours."""

    APPROVE = "approve"
    DENY = "deny"
    DETAILS = "details"
    DENY_SUBMITTED = "deny_submitted"
    OTHER = "other"


_BUTTONS: Final = {APPROVE: PressAction.APPROVE, DENY: PressAction.DENY, DETAILS: PressAction.DETAILS}


class Press(BaseModel):
    """One press. Every id is "" when it is missing or has not the shape of one.

    `approval_id` and `plan` (first digits of the plan's hash) come from the button's value, "" when that is not ours.
    `team` is the workspace of the message, `user_team` the presser's own. `reason` is what was typed, unredacted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: PressAction = PressAction.OTHER
    approval_id: str = ""
    plan: str = ""
    user: str = ""
    user_team: str = ""
    team: str = ""
    app: str = ""
    trigger_id: str = ""
    channel: str = ""
    message: str = ""
    reason: str = ""


def button_value(approval_id: str, plan_hash: str) -> str:
    """The value of a question's buttons."""
    return f"{approval_id}.{plan_hash[:PLAN_DIGITS]}"


def dialog_errors(press: Press, wrong: str | None) -> dict[str, object] | None:
    """Slack's `response_action` for a submitted dialog that was refused, which then stays open; None for everything else."""
    if wrong is None or press.action is not PressAction.DENY_SUBMITTED:
        return None
    return {"response_action": "errors", "errors": {REASON_BLOCK: wrong[:MOST_ERROR]}}


def parse_press(payload: object) -> Press:
    """The press that a decoded payload tells of. Never raises: what is not understood is OTHER."""
    given = fields(payload)
    match given.get("type"):
        case "block_actions":
            return _pressed(given)
        case "view_submission":
            return _submitted(given)
        case _:
            return Press(**_who(given))


def read_press(payload: str | bytes) -> Press:
    """The same, from JSON."""
    try:
        return parse_press(read_json(payload))
    except Unreadable:
        return Press()


def _pressed(given: dict[str, object]) -> Press:
    container, actions = fields(given.get("container")), items(given.get("actions"))
    pressed = fields(actions[0]) if len(actions) == 1 else {}
    name = pressed.get("action_id")
    action = _BUTTONS.get(name, PressAction.OTHER) if isinstance(name, str) else PressAction.OTHER
    approval_id, plan = _value(pressed.get("value")) if pressed.get("type") == "button" else ("", "")
    return Press(
        action=action,
        approval_id=approval_id,
        plan=plan,
        channel=_id(fields(given.get("channel")).get("id")) or _id(container.get("channel_id")),
        message=_ts(container.get("message_ts")) or _ts(fields(given.get("message")).get("ts")),
        **_who(given),
    )


def _submitted(given: dict[str, object]) -> Press:
    view = fields(given.get("view"))
    if view.get("callback_id") != REASON_DIALOG:
        return Press(**_who(given))
    try:
        carried = fields(read_json(text(view.get("private_metadata"), 3000)))
    except Unreadable:
        carried = {}
    approval_id, plan = _value(carried.get("value"))
    typed = fields(fields(fields(fields(view.get("state")).get("values")).get(REASON_BLOCK)).get(REASON_ACTION))
    return Press(
        action=PressAction.DENY_SUBMITTED,
        approval_id=approval_id,
        plan=plan,
        channel=_id(carried.get("channel")),
        reason=text(typed.get("value"), MOST_REASON).strip(),
        **_who(given),
    )


def _who(given: dict[str, object]) -> dict[str, str]:
    """Who pressed, where, in which app: the same in every payload."""
    user = fields(given.get("user"))
    return {
        "user": _id(user.get("id")),
        "user_team": _id(user.get("team_id")),
        "team": _id(fields(given.get("team")).get("id")),
        "app": _id(given.get("api_app_id")),
        "trigger_id": text(given.get("trigger_id"), 200),
    }


def _value(value: object) -> tuple[str, str]:
    """Approval id and plan digits of a button's value; two empty ones when it is none of ours."""
    found = _VALUE.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found else ("", "")


def _id(value: object) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _ts(value: object) -> str:
    return value if isinstance(value, str) and _TS.fullmatch(value) else ""
