"""Slack's Web API, each call sent once, with a deadline. The only file that knows slack_sdk.

Left to itself the SDK repeats a request whose connection broke, which can post a message twice: its retries are off, and
whoever calls decides. Links are never unfurled: an unfurl makes Slack fetch an address that came from telemetry.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sre_agent.adapters.slack.failure import Answered, SlackSaidNo, failure, unanswered, unreadable
from sre_agent.incident.errors import ConfigurationError
from sre_agent.intake.untrusted import fields, items, text

DEFAULT_URL: Final = "https://slack.com/api"
INTERACTIVE_S: Final = 2.5
"""Seconds for a call somebody who pressed a button waits for: Slack gives up after three."""
POSTING_S: Final = 10.0
"""Seconds for a message to the channel."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PAGES: Final = 3
_PAGE: Final = 200
_log = logging.getLogger("slack_sdk")

Call = Callable[[AsyncWebClient], Awaitable[Any]]


@dataclass(frozen=True)
class SlackUser:
    """What users.info says of somebody. `restricted`: a guest, or somebody of another organisation."""

    id: str
    team_id: str
    is_bot: bool
    deleted: bool
    restricted: bool


@dataclass(frozen=True)
class SlackIdentity:
    """Who the bot token belongs to. `app_id` None: Slack would not say (users:read is missing)."""

    team_id: str
    app_id: str | None
    bot_user_id: str


@dataclass(frozen=True)
class SlackChannel:
    """A channel, and whether the app is in it."""

    id: str
    name: str
    member: bool
    archived: bool


class SlackApi:
    """One token's Web API.

    Every call raises Transient (rate limit, network or 5xx; `retry_after` in seconds where Slack said it), for a write
    OutcomeUnknown when no answer came, SlackNotSetUp (a ConfigurationError) or another SlackSaidNo (a Permanent).
    """

    def __init__(self, token: str, api_url: str = DEFAULT_URL, interactive_s: float = INTERACTIVE_S) -> None:
        address = urlsplit(api_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ConfigurationError(f"SLACK_API_URL is not an http(s) address: {api_url!r}")
        if address.scheme == "http" and address.hostname not in _LOOPBACK:
            raise ConfigurationError(f"SLACK_API_URL would send the token in clear: {api_url!r}; use https")
        if not token.strip():
            raise ConfigurationError("the Slack token is empty; check SLACK_BOT_TOKEN and SLACK_APP_TOKEN")
        self._client = AsyncWebClient(token=token, base_url=api_url, retry_handlers=[], logger=_log)
        if address.hostname in _LOOPBACK:
            self._client.proxy = None  # the SDK takes it from the environment
        self._interactive_s = interactive_s
        self._session: aiohttp.ClientSession | None = None
        self._identity: SlackIdentity | None = None
        self._learning = asyncio.Lock()

    async def post(self, channel: str, text: str, blocks: Sequence[Mapping[str, object]], metadata: Mapping[str, object]) -> str:
        """Post a message; its ts. `metadata` is {"event_type": ..., "event_payload": {...}}, by which `find` finds it again."""
        answer = await self._write(
            "chat.postMessage",
            lambda c: c.chat_postMessage(
                channel=channel,
                text=text,
                blocks=[dict(b) for b in blocks],
                metadata=dict(metadata),
                unfurl_links=False,
                unfurl_media=False,
            ),
            POSTING_S,
        )
        ts = answer.get("ts")
        if not isinstance(ts, str) or not ts:
            raise unreadable("chat.postMessage", write=True)
        return ts

    async def update(self, channel: str, ts: str, text: str, blocks: Sequence[Mapping[str, object]]) -> None:
        """Replace a message of ours. `channel` is an id: names are not accepted here."""
        await self._write(
            "chat.update",
            lambda c: c.chat_update(
                channel=channel, ts=ts, text=text, blocks=[dict(b) for b in blocks], unfurl_links=False, unfurl_media=False
            ),
            POSTING_S,
        )

    async def whisper(self, channel: str, user: str, text: str) -> None:
        """Tell one person something in the channel; nobody else sees it. `text` must be escaped."""
        await self._write(
            "chat.postEphemeral",
            lambda c: c.chat_postEphemeral(channel=channel, user=user, text=text, unfurl_links=False, unfurl_media=False),
            self._interactive_s,
        )

    async def open_view(self, trigger_id: str, view: Mapping[str, object]) -> None:
        """Open a dialog for who pressed; within three seconds of the press, once."""
        await self._write("views.open", lambda c: c.views_open(trigger_id=trigger_id, view=dict(view)), self._interactive_s)

    async def user(self, user_id: str) -> SlackUser:
        """Who somebody is. What Slack does not say counts against them."""
        answer = await self._read("users.info", lambda c: c.users_info(user=user_id))
        found = fields(answer.get("user"))
        # SAFETY: a flag that is missing is not a flag that is false.
        return SlackUser(
            id=text(found.get("id")),
            team_id=text(found.get("team_id")),
            is_bot=found.get("is_bot") is not False,
            deleted=found.get("deleted") is not False,
            restricted=any(found.get(flag, otherwise) is not False for flag, otherwise in _GUEST.items()),
        )

    async def group_members(self, group_id: str) -> frozenset[str]:
        """The user ids of a user group (S...)."""
        answer = await self._read("usergroups.users.list", lambda c: c.usergroups_users_list(usergroup=group_id))
        return frozenset(u for u in items(answer.get("users")) if isinstance(u, str) and u)

    async def identity(self) -> SlackIdentity:
        """Whose token this is; asked once."""
        async with self._learning:
            if self._identity is None:
                self._identity = await self._learn()
            return self._identity

    async def scopes(self) -> frozenset[str]:
        """The scopes that the token has, by the header X-OAuth-Scopes; empty where Slack does not say."""
        answer = await self._answer("auth.test", lambda c: c.auth_test(), self._interactive_s, write=False)
        headers = {str(name).lower(): str(value) for name, value in answer.headers.items()}
        return frozenset(filter(None, (s.strip() for s in headers.get("x-oauth-scopes", "").split(","))))

    async def channel(self, channel_id: str) -> SlackChannel:
        """One channel, by its id. Needs channels:read (groups:read for a private one)."""
        answer = await self._read("conversations.info", lambda c: c.conversations_info(channel=channel_id))
        found = fields(answer.get("channel"))
        return SlackChannel(
            id=text(found.get("id")),
            name=text(found.get("name"), 100),
            member=found.get("is_member") is True,
            archived=found.get("is_archived") is True,
        )

    async def find(self, channel: str, event_type: str, key: str, value: str) -> str | None:
        """The ts of our own newest message whose metadata says so; None when the channel's last few hundred have none.

        Settles the unknown outcome of a post. Needs channels:history (groups:history in a private channel).
        """
        own = (await self.identity()).bot_user_id
        cursor = ""
        for _ in range(_PAGES):
            answer = await self._page(channel, cursor)
            for message in map(fields, items(answer.get("messages"))):
                told = fields(message.get("metadata"))
                same = told.get("event_type") == event_type and fields(told.get("event_payload")).get(key) == value
                if same and message.get("user") == own:
                    return text(message.get("ts")) or None
            cursor = text(fields(answer.get("response_metadata")).get("next_cursor"))
            if not cursor:
                break
        return None

    async def socket_url(self) -> str:
        """Where Socket Mode connects next; the token must be an app-level one (xapp-)."""
        answer = await self._read("apps.connections.open", lambda c: c.apps_connections_open(app_token=c.token or ""))
        return text(answer.get("url"), 4096)

    async def aclose(self) -> None:
        """Give the connections back."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _learn(self) -> SlackIdentity:
        me = await self._read("auth.test", lambda c: c.auth_test())
        app_id = None
        try:
            bot = await self._read("bots.info", lambda c: c.bots_info(bot=text(me.get("bot_id"))))
            app_id = text(fields(bot.get("bot")).get("app_id")) or None
        except SlackSaidNo:
            app_id = None
        return SlackIdentity(text(me.get("team_id")), app_id, text(me.get("user_id")))

    async def _page(self, channel: str, cursor: str) -> dict[str, object]:
        asked: dict[str, Any] = {"channel": channel, "limit": _PAGE, "include_all_metadata": True}
        if cursor:
            asked["cursor"] = cursor
        return await self._read("conversations.history", lambda c: c.conversations_history(**asked), POSTING_S)

    async def _read(self, method: str, call: Call, seconds: float | None = None) -> dict[str, object]:
        return await self._ask(method, call, seconds or self._interactive_s, write=False)

    async def _write(self, method: str, call: Call, seconds: float) -> dict[str, object]:
        return await self._ask(method, call, seconds, write=True)

    async def _ask(self, method: str, call: Call, seconds: float, *, write: bool) -> dict[str, object]:
        """The content of a success."""
        return fields((await self._answer(method, call, seconds, write=write)).data)

    async def _answer(self, method: str, call: Call, seconds: float, *, write: bool) -> Any:
        """A success; every exception of the SDK and of aiohttp ends here."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POSTING_S))
        self._client.session = self._session
        try:
            async with asyncio.timeout(seconds):
                return await call(self._client)
        except SlackApiError as said:
            raise failure(_answered(method, said.response, write=write)) from None  # the SDK's message may hold the whole request
        except aiohttp.ClientConnectorError as error:
            raise unanswered(method, type(error).__name__, write=write, sent=False) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unanswered(method, type(error).__name__, write=write, sent=True) from error
        except (
            AttributeError,
            TypeError,
            ValueError,
            RecursionError,
        ) as error:  # what the SDK makes of an answer that is no object
            raise unreadable(method, write=write) from error


_GUEST: Final = {"is_restricted": True, "is_ultra_restricted": True, "is_stranger": False}
"""Flags of people who are not full members, and what one that is missing means: is_stranger is only sent where it is true."""


def _answered(method: str, response: Any, *, write: bool) -> Answered:
    """The facts of a refusal, whichever of its two shapes the SDK kept: its own response, or aiohttp's."""
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    content = fields(getattr(response, "data", None))
    detail = "; ".join(text(m, 200) for m in items(fields(content.get("response_metadata")).get("messages"))[:3])
    return Answered(
        method=method,
        write=write,
        status=status if isinstance(status, int) else 0,
        code=text(content.get("error"), 100),
        needed=text(content.get("needed"), 200),
        detail=detail,
        retry_after=_seconds(getattr(response, "headers", {}).get("Retry-After")),
    )


def _seconds(value: object) -> float | None:
    """Retry-After in seconds; None when it is missing or nonsense."""
    said = value.strip() if isinstance(value, str) else ""
    return float(said) if said.isascii() and said.isdigit() and len(said) < 6 else None
