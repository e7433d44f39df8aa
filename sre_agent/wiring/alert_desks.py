"""Opens the alert desks whose credentials are set: Opsgenie's, JSM's, or both while somebody migrates."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from sre_agent.adapters.opsgenie.desk import Desk, jsm_desk, opsgenie_desk
from sre_agent.intake.opsgenie import JSM, OPSGENIE
from sre_agent.settings import Settings


@asynccontextmanager
async def alert_desks(settings: Settings) -> AsyncIterator[Mapping[str, Desk]]:
    """The desks by their door's name, until the end of the block. Raises ConfigurationError for what cannot work."""
    desks: dict[str, Desk] = {}
    async with AsyncExitStack() as stack:
        if settings.opsgenie_api_key is not None:
            key = settings.opsgenie_api_key.get_secret_value()
            opened = opsgenie_desk(settings.opsgenie_api_url or "", key, settings.opsgenie_teams)
            stack.push_async_callback(opened.aclose)
            desks[OPSGENIE] = opened
        if settings.jsm_api_token is not None:
            credentials = (settings.jsm_email or "", settings.jsm_api_token.get_secret_value())
            opened = jsm_desk(settings.jsm_api_url or "", settings.jsm_cloud_id or "", credentials, settings.jsm_teams)
            stack.push_async_callback(opened.aclose)
            desks[JSM] = opened
        yield desks
