"""A stand-in for Slack's Web API, over real HTTP on 127.0.0.1: one workspace, one installed app.

    with SlackStandIn() as slack:
        api = SlackApi(slack.bot_token, slack.api_url)

It refuses what Slack refuses (limits of Block Kit, unknown channels, missing scopes, spent triggers), and misbehaves when
told: `faults` answer instead of it, once each.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply
from sre_agent.testing.pagerduty_faults import Drop, Fault, Faults
from sre_agent.testing.slack_limits import wrong_message, wrong_view

SCOPES = frozenset({"chat:write", "users:read", "usergroups:read", "channels:history", "channels:read"})
TRIGGER_LIVES_S = 3.0

Json = dict[str, Any]


@dataclass
class Member:
    """Somebody in the workspace, or (`team_id`) seen in it through Slack Connect."""

    id: str
    team_id: str = "T0001"
    is_bot: bool = False
    deleted: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False


@dataclass
class Channel:
    """A channel: whether the app is a member, and its messages, oldest first."""

    id: str
    name: str
    member: bool = True
    archived: bool = False
    messages: list[Json] = field(default_factory=list)


class SlackStandIn(HttpStandIn):
    """Starts with the channel C0INC and no people. Thread-safe."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.team_id, self.app_id, self.bot_id, self.bot_user_id = "T0001", "A0001", "B0001", "U0BOT"
        self.bot_token, self.app_token = "xoxb-stand-in", "xapp-stand-in"
        self.signing_secret = "-".join(("5laCk", "5igning", "5ecret", "f00dface"))
        self.scopes = set(SCOPES)
        self.members = {self.bot_user_id: Member(self.bot_user_id, is_bot=True)}
        self.groups: dict[str, list[str]] = {}
        self.channels = {"C0INC": Channel("C0INC", "incidents")}
        self.whispers: list[Json] = []
        self.views: list[Json] = []
        self.socket_url = ""
        self.faults = Faults()
        self._triggers: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def api_url(self) -> str:
        """What SLACK_API_URL would be."""
        return f"{self.url}/api"

    def join(self, *members: Member) -> None:
        """People who are there from now on."""
        self.members.update({m.id: m for m in members})

    def trigger(self, age_s: float = 0.0) -> str:
        """A new trigger id, as if issued so long ago."""
        with self._lock:
            name = f"{next(self._numbers)}.stand-in"
            self._triggers[name] = time.monotonic() - age_s
            return name

    def calls(self, method: str) -> int:
        """How often a method was asked."""
        return sum(a.path == f"/api/{method}" for a in self.asked)

    def whispered(self, user: str) -> list[str]:
        """What one person was told, oldest first."""
        return [w["text"] for w in self.whispers if w["user"] == user]

    def answer(self, asked: Asked) -> Reply:
        """One call of the Web API."""
        method = asked.path.removeprefix("/api/")
        fault = self.faults.take("POST", method)
        if fault is not None:
            time.sleep(fault.delay_s)
            if fault.status is not None or fault.drop is Drop.BEFORE:
                return _scripted(fault)
        with self._lock:
            body = self._call(method, asked)
        dropped = fault is not None and fault.drop is Drop.AFTER
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))} if method == "auth.test" and body["ok"] else {}
        return Reply(0, "") if dropped else Reply(200, json.dumps(body), headers=headers)

    def _call(self, method: str, asked: Asked) -> Json:
        token = self.app_token if method == "apps.connections.open" else self.bot_token
        sent = asked.headers.get("authorization", "")
        if sent != f"Bearer {token}":
            return _no("not_allowed_token_type" if sent in self._known_tokens() else "invalid_auth" if sent else "not_authed")
        routes: dict[str, tuple[str, Callable[[Json], Json]]] = {
            "auth.test": ("", self._auth_test),
            "bots.info": ("users:read", self._bots_info),
            "users.info": ("users:read", self._users_info),
            "usergroups.users.list": ("usergroups:read", self._group),
            "conversations.info": ("channels:read", self._channel_info),
            "conversations.history": ("channels:history", self._history),
            "chat.postMessage": ("chat:write", self._post),
            "chat.update": ("chat:write", self._update),
            "chat.postEphemeral": ("chat:write", self._whisper),
            "views.open": ("", self._open),
            "apps.connections.open": ("", self._connect),
        }
        if method not in routes:
            return _no("unknown_method")
        scope, route = routes[method]
        if scope and scope not in self.scopes:
            return _no("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))
        return route(_arguments(asked))

    def _known_tokens(self) -> set[str]:
        return {f"Bearer {self.bot_token}", f"Bearer {self.app_token}"}

    def _auth_test(self, _: Json) -> Json:
        return {"ok": True, "team_id": self.team_id, "user_id": self.bot_user_id, "bot_id": self.bot_id, "user": "sre-agent"}

    def _bots_info(self, given: Json) -> Json:
        if given.get("bot") != self.bot_id:
            return _no("bot_not_found")
        return {"ok": True, "bot": {"id": self.bot_id, "app_id": self.app_id, "user_id": self.bot_user_id, "deleted": False}}

    def _users_info(self, given: Json) -> Json:
        member = self.members.get(str(given.get("user")))
        if member is None:
            return _no("user_not_found")
        shown = {k: v for k, v in vars(member).items() if k != "is_stranger" or v}
        if member.deleted:  # Slack leaves the membership flags out then
            shown = {k: v for k, v in shown.items() if not k.endswith("restricted")}
        return {"ok": True, "user": {**shown, "name": member.id.lower(), "is_app_user": False}}

    def _group(self, given: Json) -> Json:
        group = self.groups.get(str(given.get("usergroup")))
        return _no("no_such_subteam") if group is None else {"ok": True, "users": list(group)}

    def _channel_info(self, given: Json) -> Json:
        channel = self._channel(given)
        if channel is None:
            return _no("channel_not_found")
        shown = {"id": channel.id, "name": channel.name, "is_member": channel.member, "is_archived": channel.archived}
        return {"ok": True, "channel": shown}

    def _history(self, given: Json) -> Json:
        channel = self._channel(given)
        if channel is None or not channel.member:
            return _no("channel_not_found" if channel is None else "not_in_channel")
        newest, start, size = channel.messages[::-1], int(given.get("cursor") or 0), int(given.get("limit") or 100)
        told = str(given.get("include_all_metadata", "")).lower() in ("1", "true")
        page = [m if told else {k: v for k, v in m.items() if k != "metadata"} for m in newest[start : start + size]]
        more = str(start + size) if start + size < len(newest) else ""
        return {"ok": True, "messages": page, "has_more": bool(more), "response_metadata": {"next_cursor": more}}

    def _post(self, given: Json) -> Json:
        channel = self._channel(given)
        wrong = _unpostable(channel) or wrong_message(given)
        if wrong or channel is None:
            return _no(wrong or "channel_not_found")
        ts = f"{1795420000 + len(channel.messages)}.{next(self._numbers):06d}"
        message = {**given, "ts": ts, "user": self.bot_user_id, "bot_id": self.bot_id, "channel": channel.id}
        channel.messages.append(message)
        return {"ok": True, "channel": channel.id, "ts": ts, "message": message}

    def _update(self, given: Json) -> Json:
        channel = self.channels.get(str(given.get("channel")))  # by id only, as Slack does
        wrong = _unpostable(channel) or wrong_message(given)
        if wrong or channel is None:
            return _no(wrong or "channel_not_found")
        for message in channel.messages:
            if message["ts"] == given.get("ts"):
                message.update({k: v for k, v in given.items() if k in ("text", "blocks", "metadata")})
                message["edited"] = {"user": self.bot_user_id}
                return {"ok": True, "channel": channel.id, "ts": message["ts"], "text": message.get("text", "")}
        return _no("message_not_found")

    def _whisper(self, given: Json) -> Json:
        channel = self._channel(given)
        wrong = _unpostable(channel) or wrong_message(given)
        if wrong:
            return _no(wrong)
        if given.get("user") not in self.members:
            return _no("user_not_in_channel")
        self.whispers.append(given)
        return {"ok": True, "message_ts": f"1795420000.{next(self._numbers):06d}"}

    def _open(self, given: Json) -> Json:
        issued = self._triggers.get(str(given.get("trigger_id")))
        if issued is None:
            return _no("invalid_trigger_id")
        if issued == 0.0:
            return _no("exchanged_trigger_id")
        if time.monotonic() - issued > TRIGGER_LIVES_S:
            return _no("expired_trigger_id")
        wrong = wrong_view(given.get("view"))
        if wrong:
            return _no(wrong)
        self._triggers[str(given["trigger_id"])] = 0.0
        view = {**given["view"], "id": f"V{next(self._numbers)}", "hash": "1.stand-in"}
        self.views.append(view)
        return {"ok": True, "view": view}

    def _connect(self, _: Json) -> Json:
        return {"ok": True, "url": self.socket_url} if self.socket_url else _no("internal_error")

    def _channel(self, given: Json) -> Channel | None:
        wanted = str(given.get("channel", "")).removeprefix("#")
        return next((c for c in self.channels.values() if wanted in (c.id, c.name)), None)


def rate_limited(method: str, retry_after: int | None = 1, times: int = 1) -> Fault:
    """429 with or without Retry-After (seconds)."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Fault(path=method, status=429, body={"ok": False, "error": "ratelimited"}, headers=headers, times=times)


def refuses(method: str, error: str, times: int = 1) -> Fault:
    """`ok: false` with any of Slack's words."""
    return Fault(path=method, status=200, body=_no(error), times=times)


def _unpostable(channel: Channel | None) -> str | None:
    if channel is None:
        return "channel_not_found"
    return "is_archived" if channel.archived else None if channel.member else "not_in_channel"


def _arguments(asked: Asked) -> Json:
    """The arguments of a call, however they were sent."""
    if asked.headers.get("content-type", "").startswith("application/json"):
        body = json.loads(asked.body or "{}")
        return body if isinstance(body, dict) else {}
    return {name: values[0] for name, values in asked.query.items()}


def _no(error: str, **more: str) -> Json:
    return {"ok": False, "error": error, **more}


def _scripted(fault: Fault) -> Reply:
    if fault.status is None:
        return Reply(0, "")
    body = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    return Reply(fault.status, body, headers=fault.headers)
