"""Slack from the settings: the Web API, and the desk that takes presses, whichever way they come in."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.oncalls import OnCalls
from sre_agent.adapters.pagerduty.transport import DEFAULT_URL as PAGERDUTY_URL
from sre_agent.adapters.pagerduty.transport import Credentials, PdpyrasTransport
from sre_agent.adapters.slack.client import DEFAULT_URL, SlackApi
from sre_agent.adapters.slack.dialogs import Dialogs
from sre_agent.adapters.slack.socket import SocketMode
from sre_agent.approval.press import dialog_errors, parse_press
from sre_agent.asking.press_line import PressLine
from sre_agent.asking.pressers import Narrowing, Pressers
from sre_agent.asking.presses import Counted, PressDesk
from sre_agent.incident.errors import ConfigurationError, SreAgentError
from sre_agent.policy.bundle import Bundle
from sre_agent.response.store import Store
from sre_agent.settings import Settings
from sre_agent.wiring.approvals import answer_desk
from sre_agent.wiring.clock import SystemClock

DRAIN_S = 5.0
"""Seconds that presses under way get to end when the process stops."""
_QUICK = Patience(deadline_s=2.0, attempts=2)
"""Who is on call is asked while somebody waits."""
_log = logging.getLogger(__name__)


def slack_api(settings: Settings) -> SlackApi | None:
    """The Web API under the bot token; None where there is none: plans are then asked about without Slack."""
    if settings.slack_bot_token is None:
        return None
    return SlackApi(settings.slack_bot_token.get_secret_value(), settings.slack_api_url or DEFAULT_URL)


@dataclass(frozen=True)
class Presses:
    """How this process takes presses: `line` for every door, and Socket Mode where it is switched on."""

    line: PressLine
    api: SlackApi
    socket: SocketMode | None = None


@asynccontextmanager
async def open_presses(settings: Settings, bundle: Bundle, store: Store, counted: Counted) -> AsyncIterator[Presses | None]:
    """The desk for presses, for as long as this is open; None without a bot token. Raises ConfigurationError."""
    api = slack_api(settings)
    if api is None:
        yield None
        return
    on_calls = _on_calls(settings)
    narrowing = Narrowing(settings.slack_app_id, settings.slack_approver_group, on_calls.on_call if on_calls else None)
    desk, declared = answer_desk(store, bundle), bundle.declared
    pressers = Pressers(api, desk.teams, declared.ownership, SystemClock(), narrowing)
    line = PressLine(PressDesk(desk, pressers, Dialogs(api), counted, settings.public_url or ""))
    try:
        await _warm(api)
        yield Presses(line, api, _socket(settings, line))
    finally:
        await line.drain(DRAIN_S)
        await api.aclose()
        if on_calls is not None:
            await on_calls.aclose()


def _socket(settings: Settings, line: PressLine) -> SocketMode | None:
    if settings.slack_app_token is None:
        return None

    async def heard(payload: object) -> dict[str, object] | None:
        press = parse_press(payload)
        return dialog_errors(press, await line.take(press))

    return SocketMode(SlackApi(settings.slack_app_token.get_secret_value(), settings.slack_api_url or DEFAULT_URL), heard)


def _on_calls(settings: Settings) -> OnCalls | None:
    """Who is on call, where the settings ask for that."""
    if not settings.approvers_on_call:
        return None
    if settings.pagerduty_api_token is None:
        raise ConfigurationError("SRE_AGENT_APPROVERS_ON_CALL needs PAGERDUTY_API_TOKEN, also where the web role runs")
    token, url = settings.pagerduty_api_token.get_secret_value(), settings.pagerduty_api_url or PAGERDUTY_URL
    return OnCalls(Gateway(PdpyrasTransport(Credentials(token=token, from_email="", api_url=url)), patience=_QUICK))


async def _warm(api: SlackApi) -> None:
    """Ask now what the first press would have to wait for. Slack being away stops no start."""
    try:
        await api.identity()
    except SreAgentError as failed:
        _log.warning("slack_unreachable", extra={"error": str(failed)})
