"""Whether the alert doors are open as they should be, and the desks behind them and the status pages answer. Reads only."""

from sre_agent.incident.errors import ConfigurationError
from sre_agent.settings import Settings
from sre_agent.wiring.alert_desks import alert_desks
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, listed, ok, skipped, warning
from sre_agent.wiring.status_page import statuspage

SHORTEST = 16
"""Characters below which a token can be guessed by trying."""


async def _tokens(connections: Connections) -> Seen:
    tokens = _given(connections.settings)
    if not tokens:
        return skipped("no door but PagerDuty's is open")
    short = sorted(name for name, token in tokens.items() if len(token.strip()) < SHORTEST)
    if short:
        return warning(
            f"the secret of {listed(short)} has less than {SHORTEST} characters",
            "Make a longer one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return ok(f"open: {listed(sorted(tokens))}")


def _given(settings: Settings) -> dict[str, str]:
    named = {
        "alertmanager": settings.alertmanager_door_token,
        "opsgenie": settings.opsgenie_door_token,
        "jsm": settings.jsm_door_token,
        **settings.webhook_signing_secrets,
    }
    return {name: secret.get_secret_value() for name, secret in named.items() if secret is not None}


async def _desk(connections: Connections, name: str) -> Seen:
    async with alert_desks(connections.settings) as desks:
        if name not in desks:
            return skipped("its credentials are not set")
        return ok(f"its alerts can be read ({await desks[name].look()})")


async def _opsgenie(connections: Connections) -> Seen:
    return await _desk(connections, "opsgenie")


async def _jsm(connections: Connections) -> Seen:
    return await _desk(connections, "jsm")


async def _pages(connections: Connections) -> Seen:
    pages = statuspage(connections.settings)
    if pages is None:
        raise ConfigurationError("STATUSPAGE_API_KEY and STATUSPAGE_PAGES are not set")
    try:
        return ok(f"pages: {listed(await pages.names())}")
    finally:
        await pages.aclose()


CHECKS = (
    Check(
        "doors",
        "secrets",
        "The secrets of the alert doors that are open are long enough.",
        _tokens,
        "Correct the secret, here and at the sender.",
        about=(
            "SRE_AGENT_ALERTMANAGER_TOKEN",
            "SRE_AGENT_OPSGENIE_TOKEN",
            "SRE_AGENT_JSM_TOKEN",
            "SRE_AGENT_WEBHOOK_SIGNING_SECRETS",
        ),
    ),
    Check(
        "opsgenie",
        "answers",
        "Its alerts can be read with the key.",
        _opsgenie,
        "Check OPSGENIE_API_KEY (read access to alerts) and the region of OPSGENIE_API_URL.",
        needs=("OPSGENIE_API_KEY",),
        about=("OPSGENIE_API_URL",),
    ),
    Check(
        "jsm",
        "answers",
        "Its alerts can be read with the token.",
        _jsm,
        "Check JSM_EMAIL, JSM_API_TOKEN and JSM_CLOUD_ID.",
        needs=("JSM_API_TOKEN",),
        about=("JSM_EMAIL", "JSM_CLOUD_ID", "JSM_API_URL"),
    ),
    Check(
        "statuspage",
        "pages",
        "Every status page of the settings can be read.",
        _pages,
        "Check STATUSPAGE_API_KEY and the ids in STATUSPAGE_PAGES.",
        needs=("STATUSPAGE_API_KEY",),
        about=("STATUSPAGE_PAGES", "STATUSPAGE_API_URL"),
    ),
)
