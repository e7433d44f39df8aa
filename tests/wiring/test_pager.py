"""The pager as the settings make it."""

from datetime import UTC, datetime

import pytest

from sre_agent.handback.pager import Mail, Page
from sre_agent.incident.errors import ConfigurationError
from sre_agent.routing.file import Routing
from sre_agent.settings import fixed
from sre_agent.testing.pagerduty_events import EventsStandIn
from sre_agent.testing.smtp import SmtpStandIn
from sre_agent.wiring.pager import open_pager

KEY = "a" * 32
ROUTING = Routing(receivers={"pd-ai-eng": ""}, verticals={}, emails={"pd-ai-eng": "ai@corp.test"})
PAGE = Page(receiver="pd-ai-eng", dedup_key="g1", summary="Intent accuracy fell", at=datetime(2026, 11, 28, tzinfo=UTC))
MAIL = Mail(receiver="pd-ai-eng", subject="Intent accuracy fell", text="by 4 %", message_id="g1@sre.test")


async def test_settings_and_routing_lead_to_pagerduty_and_to_the_mail_server():
    with EventsStandIn({KEY: "PSVC001"}) as events, SmtpStandIn() as post:
        settings = {
            "PAGERDUTY_ROUTING_KEYS": {"pd-ai-eng": KEY},
            "PAGERDUTY_EVENTS_URL": events.url,
            "SRE_AGENT_SMTP_URL": post.url,
            "SRE_AGENT_MAIL_FROM": "sre@corp.test",
            "SRE_AGENT_PUBLIC_URL": "https://sre.corp.test",
        }
        async with open_pager(fixed(settings), ROUTING) as pager:
            await pager.trigger(PAGE)
            await pager.mail(MAIL)
            assert set(events.open) == {(KEY, "g1")}
            await pager.resolve("pd-ai-eng", "g1")
        assert events.open == {}
        assert events.events[0]["client_url"] == "https://sre.corp.test"
        assert [letter.to for letter in post.letters] == ["ai@corp.test"]


async def test_without_keys_or_a_mail_server_it_opens_and_says_what_is_missing_when_it_is_needed():
    async with open_pager(fixed({}), ROUTING) as pager:
        with pytest.raises(ConfigurationError, match="PAGERDUTY_ROUTING_KEYS"):
            await pager.trigger(PAGE)
        with pytest.raises(ConfigurationError, match="SRE_AGENT_SMTP_URL"):
            await pager.mail(MAIL)


@pytest.mark.parametrize("half", [{"SRE_AGENT_SMTP_URL": "smtp://mail.test"}, {"SRE_AGENT_MAIL_FROM": "sre@corp.test"}])
async def test_half_a_mail_server_is_refused_before_anybody_waits_for_it(half: dict[str, object]):
    with pytest.raises(ConfigurationError, match="go together"):
        async with open_pager(fixed(half), ROUTING):
            pass
