"""What an answer of Slack that is not ok means. Codes: Slack Web API reference, "Errors" of each method."""

from typing import Final, NamedTuple

from sre_agent.evidence.redact import redact
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, SreAgentError, Transient


class SlackSaidNo(Permanent):
    """Slack answered `ok: false`; `code` is its own word for it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class SlackNotSetUp(SlackSaidNo, ConfigurationError):
    """Slack answered `ok: false` for a reason that lies in the app, its scopes, its token or the channel we were given."""


class Answered(NamedTuple):
    """One answer that is not a success. `write`: the call changes something. `retry_after` in seconds."""

    method: str
    write: bool
    status: int
    code: str = ""
    needed: str = ""
    detail: str = ""
    retry_after: float | None = None


_SET_UP: Final = {
    "invalid_auth": "the token is not accepted; check SLACK_BOT_TOKEN (and SLACK_APP_TOKEN for Socket Mode)",
    "not_authed": "no token was sent; check SLACK_BOT_TOKEN",
    "account_inactive": "the app was uninstalled or its user removed; install it again and renew SLACK_BOT_TOKEN",
    "token_revoked": "the token was revoked; install the app again and renew SLACK_BOT_TOKEN",
    "token_expired": "the token has expired; renew SLACK_BOT_TOKEN",
    "not_allowed_token_type": "this is the wrong kind of token: SLACK_BOT_TOKEN begins with xoxb-, SLACK_APP_TOKEN with xapp-",
    "missing_scope": "the app lacks a scope; add it (docs/slack-app-manifest.yaml) and install the app again",
    "no_permission": "the app may not do this; compare its scopes with docs/slack-app-manifest.yaml",
    "access_denied": "the app may not do this; compare its scopes with docs/slack-app-manifest.yaml",
    "ekm_access_denied": "an administrator of the workspace has suspended this; ask them",
    "channel_not_found": "there is no such channel, or it is private and the app is no member; check SLACK_CHANNEL, invite the app",
    "not_in_channel": "the app is no member of the channel; write /invite @sre-agent in it",
    "is_archived": "the channel is archived; set SLACK_CHANNEL to another",
    "restricted_action": "the workspace lets not everybody post in this channel; allow the app there",
    "no_such_subteam": "there is no such user group; check SLACK_APPROVER_GROUP (S...)",
    "subteam_not_found": "there is no such user group; check SLACK_APPROVER_GROUP (S...)",
}
_ONCE: Final = {
    "msg_blocks_too_long": "the message is too long for Slack; it was not shown",
    "msg_too_long": "the message is too long for Slack; it was not shown",
    "invalid_blocks": "Slack does not accept the message's blocks; it was not shown",
    "invalid_blocks_format": "Slack does not accept the message's blocks; it was not shown",
    "invalid_arguments": "Slack does not accept what was asked",
    "expired_trigger_id": "the press is older than three seconds, so that no dialog can be opened for it; press again",
    "exchanged_trigger_id": "a dialog was opened for this press already",
    "invalid_trigger_id": "Slack does not know this press",
    "trigger_expired": "the press is older than three seconds, so that no dialog can be opened for it; press again",
    "trigger_exchanged": "a dialog was opened for this press already",
    "message_not_found": "the message was deleted",
    "cant_update_message": "the message is not the app's own",
    "edit_window_closed": "the workspace does not let messages be changed after a while",
    "user_not_in_channel": "the person is not in the channel",
    "user_not_found": "Slack does not know this person",
    "user_not_visible": "this person cannot be looked up",
}
_LATER: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_IN_TROUBLE: Final = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})


def failure(answer: Answered) -> SreAgentError:
    """The error that tells a person what happened and what to do. After trouble at Slack a write's outcome is unknown."""
    said = answer.code or f"status {answer.status}"
    where = f"Slack: {answer.method}: {redact(said)}"
    if answer.status == 429 or answer.code in _LATER:
        return Transient(f"{where}: rate limit reached", answer.retry_after)
    if answer.status >= 500 or answer.code in _IN_TROUBLE:
        kind = OutcomeUnknown if answer.write else Transient
        return kind(f"{where}: Slack is in trouble")
    if not answer.code and answer.status < 400:
        return unreadable(answer.method, write=answer.write)
    if answer.code in _SET_UP:
        needed = f" (needed: {redact(answer.needed)})" if answer.needed else ""
        return SlackNotSetUp(f"{where}: {_SET_UP[answer.code]}{needed}", answer.code)
    told = _ONCE.get(answer.code, "Slack did not accept the request")
    detail = f" ({redact(answer.detail)})" if answer.detail else ""
    return SlackSaidNo(f"{where}: {told}{detail}", answer.code)


def unreadable(method: str, *, write: bool) -> SreAgentError:
    """A success that cannot be read."""
    kind = OutcomeUnknown if write else Transient
    return kind(f"Slack: {method}: answered with something that is not JSON of the API")


def unanswered(method: str, why: str, *, write: bool, sent: bool) -> SreAgentError:
    """No answer came. `sent`: the request may have reached Slack."""
    if not sent:
        return Transient(f"Slack: {method}: no connection ({why}); nothing was sent")
    if write:
        return OutcomeUnknown(f"Slack: {method}: sent, but no answer came ({why})")
    return Transient(f"Slack: {method}: no answer came ({why})")
