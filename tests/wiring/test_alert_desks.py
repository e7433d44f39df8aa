"""Which alert desks are opened: those whose credentials are set, each by its door's name."""

import pytest

from sre_agent.incident.errors import ConfigurationError
from sre_agent.settings import fixed
from sre_agent.testing.opsgenie import CLOUD, EMAIL, KEY, TOKEN, AlertDeskStandIn
from sre_agent.wiring.alert_desks import alert_desks

OPSGENIE = {"OPSGENIE_API_KEY": KEY}
JSM = {"JSM_CLOUD_ID": CLOUD, "JSM_EMAIL": EMAIL, "JSM_API_TOKEN": TOKEN}


@pytest.mark.parametrize(
    ("given", "names"), [({}, set()), (OPSGENIE, {"opsgenie"}), (JSM, {"jsm"}), (OPSGENIE | JSM, {"opsgenie", "jsm"})]
)
async def test_a_desk_is_there_where_its_credentials_are(given: dict[str, str], names: set[str]) -> None:
    with AlertDeskStandIn() as server:
        urls = {"OPSGENIE_API_URL": server.url, "JSM_API_URL": server.url}
        alert = server.fire("redis is full", {"alert_type": "infra"})
        async with alert_desks(fixed(given | urls)) as desks:
            assert set(desks) == names
            for desk in desks.values():
                assert (await desk.alert(alert)).alerts[0].labels == {"alert_type": "infra"}


async def test_an_address_that_would_send_the_key_in_clear_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="in clear"):
        async with alert_desks(fixed(OPSGENIE | {"OPSGENIE_API_URL": "http://api.opsgenie.com"})):
            pass
