"""Slack: the token and its scopes, the channel, who may press, and that presses reach us."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sre_agent.incident.errors import Permanent
from sre_agent.policy.people import People
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections, plain
from sre_agent.wiring.doctor.verdict import Seen, broken, listed, ok, skipped, together, warning

if TYPE_CHECKING:
    from sre_agent.adapters.slack.client import SlackApi

MUST = {"chat:write": "nothing can be posted", "users:read": "guests cannot be told from members, so every press is refused"}
SHOULD = {
    "channels:read": "the channel cannot be looked at",
    "channels:history": "a message whose posting was not answered cannot be found again",
}
"""Scopes, and what is missing without them. A private channel takes groups:... instead of channels:..."""
CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{4,}")
SAMPLE = 10


@asynccontextmanager
async def _api(connections: Connections, *, app: bool = False) -> "AsyncIterator[SlackApi]":
    from sre_agent.adapters.slack.client import SlackApi

    s = connections.settings
    token = plain(s.slack_app_token if app else s.slack_bot_token)
    api = SlackApi(token, s.slack_api_url or "", connections.request_s)
    try:
        yield api
    finally:
        await api.aclose()


async def _token(connections: Connections) -> Seen:
    wanted = connections.settings.slack_app_id
    async with _api(connections) as api:
        me = await api.identity()
    if wanted and me.app_id and wanted != me.app_id:
        return broken(f"the token belongs to app {me.app_id}, not {wanted}", "Correct SLACK_APP_ID, or leave it out.")
    if not (wanted or me.app_id):
        return warning(
            f"accepted in workspace {me.team_id}, but the app's id cannot be learned",
            "Set SLACK_APP_ID, or add the scope users:read.",
        )
    return ok(f"accepted: app {me.app_id or wanted} in workspace {me.team_id}")


async def _scopes(connections: Connections) -> Seen:
    async with _api(connections) as api:
        has = await api.scopes()
    if not has:
        return warning("Slack did not say which scopes the token has", "Compare them with docs/slack-app-manifest.yaml.")
    must = MUST | ({"usergroups:read": "nobody may approve"} if connections.settings.slack_approver_group else {})
    todo = "Add the scope to the app (docs/slack-app-manifest.yaml lists all) and install it again."
    seen = [broken(f"no {scope}: {without}", todo) for scope, without in must.items() if scope not in has]
    seen += [
        warning(f"no {scope}: {without}", todo)
        for scope, without in SHOULD.items()
        if not {scope, scope.replace("channels:", "groups:")} & has
    ]
    return together([*seen, ok(f"has {listed(sorted(has), 12)}")])


async def _channel(connections: Connections) -> Seen:
    wanted = connections.settings.slack_channel
    if not wanted:
        return broken("a bot token is set, but no channel to ask in", "Set SLACK_CHANNEL to the channel's id (C...).")
    if not CHANNEL_ID.fullmatch(wanted):
        return warning(
            f"{wanted} is a name, which Slack does not look up",
            "Use the channel's id (C...), at the end of its details.",
        )
    async with _api(connections) as api:
        found = await api.channel(wanted)
    if found.archived:
        return broken(f"#{found.name} is archived", "Choose another channel.")
    if not found.member:
        return broken(f"the app is no member of #{found.name}", "Write /invite @sre-agent in the channel.")
    return ok(f"the app is a member of #{found.name}")


async def _group(connections: Connections) -> Seen:
    async with _api(connections) as api:
        members = await api.group_members(connections.settings.slack_approver_group or "")
    people = [p.id for p in (await _people_of(connections)).people if p.slack in members]
    if not people:
        return broken(
            f"none of its {len(members)} members is in teams.yaml: nobody may approve by Slack",
            "Put approvers into the group, and their Slack ids into teams.yaml.",
        )
    return ok(f"{listed(people)} may approve")


async def _people(connections: Connections) -> Seen:
    ids = {p.slack: p.id for p in (await _people_of(connections)).people if p.slack}
    if not ids:
        return skipped("nobody in teams.yaml has a Slack id")
    async with _api(connections) as api:
        team = (await api.identity()).team_id
        sample = list(ids)[:SAMPLE]
        wrong = [f"{ids[i]} ({i}): {why}" for i, why in await asyncio.gather(*(_wrong(api, i, team) for i in sample)) if why]
    if wrong:
        return warning(f"their presses would be refused: {listed(wrong, 4)}", "Correct `slack` of these people in teams.yaml.")
    return ok(f"{len(sample)} of {len(ids)} people of teams.yaml were looked up, all full members")


async def _wrong(api: "SlackApi", user: str, team: str) -> tuple[str, str]:
    """(the id, why this person's press would be refused, or "")."""
    try:
        found = await api.user(user)
    except Permanent as no:
        return user, str(no)
    for bad, why in ((found.deleted, "deactivated"), (found.is_bot, "a bot"), (found.restricted, "a guest")):
        if bad:
            return user, why
    return user, "" if found.team_id == team else f"of another workspace ({found.team_id})"


async def _people_of(connections: Connections) -> People:
    return (await connections.books()).bundle.declared.people


async def _presses(connections: Connections) -> Seen:
    s = connections.settings
    if not connections.terms.hears:
        return skipped("presses come to processes of role web")
    if not (s.slack_signing_secret or s.slack_app_token):
        return broken("neither a signing secret nor an app token is set: every press is refused", "Set SLACK_SIGNING_SECRET.")
    if s.slack_app_token:
        return ok("presses come by Socket Mode")
    if not s.public_url:
        return warning(
            "presses come over HTTP, and SRE_AGENT_PUBLIC_URL is not set",
            "Set it, and give the app PUBLIC_URL/slack/interactions as its interactivity address.",
        )
    return ok("presses come over HTTP and can be verified")


async def _socket(connections: Connections) -> Seen:
    async with _api(connections, app=True) as api:
        url = await api.socket_url()
    if not url.startswith(("wss://", "ws://127.0.0.1", "ws://localhost")):
        return broken("Slack gave no address for Socket Mode", "Switch Socket Mode on for the app (connections:write).")
    return ok("Socket Mode is on, and the app token is accepted")


_BOT = ("SLACK_BOT_TOKEN",)
_ASK = "Look at slack-status.com and the network from here to SLACK_API_URL, then ask again."
_IN = "slack.token"
_APP = ("SLACK_APP_ID", "SLACK_API_URL")
_GROUP = (*_BOT, "SLACK_APPROVER_GROUP")
_DOORS = ("SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", "SRE_AGENT_PUBLIC_URL")
CHECKS = (
    Check("slack", "token", "The bot token is accepted, and which app it is.", _token, _ASK, _BOT, _APP),
    Check("slack", "scopes", "The app has the scopes it needs.", _scopes, _ASK, _BOT, after=_IN),
    Check("slack", "channel", "The channel exists, and the app is a member.", _channel, _ASK, _BOT, ("SLACK_CHANNEL",), _IN),
    Check("slack", "group", "Somebody of the approvers' group is in teams.yaml.", _group, _ASK, _GROUP, after=_IN, books=True),
    Check("slack", "people", "People of teams.yaml are full members (the first ten).", _people, _ASK, _BOT, after=_IN, books=True),
    Check("slack", "presses", "Presses can be verified.", _presses, _ASK, _BOT, _DOORS),
    Check("slack", "socket", "Socket Mode takes the app token.", _socket, _ASK, ("SLACK_APP_TOKEN",)),
)
