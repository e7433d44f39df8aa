"""Events v2: what is sent, what each answer means, and that nothing leaves that should not."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from sre_agent.adapters.pagerduty.events import PagerDutyEvents
from sre_agent.handback.pager import Page
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Transient
from sre_agent.intake.alert_details import alerts_from_rest
from sre_agent.testing.http_stand_in import Misbehaviour, Reply
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.pagerduty_events import EventsStandIn

KEY = "0123456789abcdef0123456789abcdef"
STRANGER = "f" * 32
NOW = datetime(2026, 11, 28, 3, 0, 0, 123456, tzinfo=UTC)
SECRET = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture
def server() -> Iterator[EventsStandIn]:
    with EventsStandIn({KEY: "PSVC001"}) as events:
        yield events


@pytest.fixture
async def pager(server: EventsStandIn) -> AsyncIterator[PagerDutyEvents]:
    events = PagerDutyEvents({"pd-platform": KEY, "pd-ai-eng": STRANGER, "short": "abc"}, server.url, "https://sre.test", 0.5)
    yield events
    await events.aclose()


def page(**changes: object) -> Page:
    fields: dict[str, object] = {
        "receiver": "pd-platform",
        "dedup_key": "sre-agent:1",
        "summary": "Redis is out of memory",
        "at": NOW,
        **changes,
    }
    return Page.model_validate(fields)


async def test_an_event_carries_everything_that_the_page_says(pager: PagerDutyEvents, server: EventsStandIn) -> None:
    links = (("https://sre.test/incidents/1", "what we know"), ("javascript:alert(1)", "no address of the web"))
    await pager.trigger(page(severity="error", component="redis", group="voice", details={"alertname": "RedisDown"}, links=links))
    assert server.events == [
        {
            "routing_key": KEY,
            "event_action": "trigger",
            "dedup_key": "sre-agent:1",
            "client": "sre-agent",
            "client_url": "https://sre.test",
            "payload": {
                "summary": "Redis is out of memory",
                "source": "sre-agent",
                "severity": "error",
                "timestamp": "2026-11-28T03:00:00.123Z",
                "custom_details": {"alertname": "RedisDown"},
                "component": "redis",
                "group": "voice",
            },
            "links": [{"href": "https://sre.test/incidents/1", "text": "what we know"}],
        }
    ]


async def test_secrets_never_leave_with_a_page(pager: PagerDutyEvents, server: EventsStandIn) -> None:
    await pager.trigger(
        page(summary=f"key {SECRET}", details={"log": SECRET, SECRET: "x"}, component=SECRET, links=(("https://a.test", SECRET),))
    )
    assert len(server.events) == 1
    assert SECRET not in server.asked[0].body


@pytest.mark.parametrize("severity", ["page", "SEV1", "", "Critical"])
async def test_a_severity_that_pagerduty_does_not_know_wakes_people_all_the_same(
    pager: PagerDutyEvents, server: EventsStandIn, severity: str
) -> None:
    await pager.trigger(page(severity=severity))
    assert server.events[0]["payload"]["severity"] == "critical"


async def test_a_page_of_any_size_and_any_characters_is_cut_to_what_pagerduty_takes(
    pager: PagerDutyEvents, server: EventsStandIn
) -> None:
    huge = {f"label_{i}": "ü\ud800\x00" * 20_000 for i in range(60)}
    await pager.trigger(page(summary="s" * 5_000, dedup_key="k" * 900, details=huge, source="", component="c" * 900))
    assert len(server.events) == 1
    assert len(server.events[0]["payload"]["custom_details"]) == 60
    await pager.resolve("pd-platform", "k" * 900)
    assert server.open == {}


async def test_more_details_than_one_event_can_hold_leave_the_page_itself(pager: PagerDutyEvents, server: EventsStandIn) -> None:
    await pager.trigger(page(details={f"{i:0150}": "x" for i in range(5_000)}))
    assert server.events[0]["payload"]["custom_details"] == {"note": "the details were too large for one event"}


async def test_long_keys_that_differ_only_at_their_end_stay_two_alerts(pager: PagerDutyEvents, server: EventsStandIn) -> None:
    await pager.trigger(page(dedup_key="k" * 400 + "1"))
    await pager.trigger(page(dedup_key="k" * 400 + "2"))
    assert len(server.open) == 2


@pytest.mark.parametrize("summary", ["", "   "])
async def test_a_page_without_a_summary_still_wakes(pager: PagerDutyEvents, server: EventsStandIn, summary: str) -> None:
    await pager.trigger(page(summary=summary))
    assert len(server.open) == 1


async def test_a_key_that_is_no_routing_key_is_told_without_being_shown(pager: PagerDutyEvents) -> None:
    with pytest.raises(ConfigurationError, match=r"'short'.*PAGERDUTY_ROUTING_KEYS") as told:
        await pager.trigger(page(receiver="short"))
    assert "abc" not in str(told.value)


async def test_a_key_that_pagerduty_does_not_know_is_the_settings_fault(pager: PagerDutyEvents) -> None:
    with pytest.raises(ConfigurationError, match=r"Invalid routing key.*PAGERDUTY_ROUTING_KEYS"):
        await pager.trigger(page(receiver="pd-ai-eng"))


async def test_what_pagerduty_finds_invalid_is_told_in_its_words_and_without_the_key(
    pager: PagerDutyEvents, server: EventsStandIn
) -> None:
    errors = {"message": "Event object is invalid", "errors": [f"'links' is wrong near {KEY} and {SECRET}"]}
    server.fail_with = [Reply(400, json.dumps(errors))]
    with pytest.raises(Permanent, match="links") as told:
        await pager.trigger(page())
    assert not isinstance(told.value, ConfigurationError)
    assert KEY not in str(told.value)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(("status", "after"), [(429, 17.0), (500, None), (503, 3.0), (408, None)])
async def test_what_passes_may_be_sent_again(
    pager: PagerDutyEvents, server: EventsStandIn, status: int, after: float | None
) -> None:
    server.fail_with = [Reply(status, "<html>busy</html>", headers={} if after is None else {"Retry-After": f"{after:g}"})]
    with pytest.raises(Transient) as told:
        await pager.trigger(page())
    assert told.value.retry_after == after
    assert not isinstance(told.value, OutcomeUnknown)
    await pager.trigger(page())
    assert len(server.open) == 1


async def test_an_answer_that_was_lost_is_made_good_by_sending_again(pager: PagerDutyEvents, server: EventsStandIn) -> None:
    server.lost = 1
    with pytest.raises(Transient):
        await pager.trigger(page())
    await pager.trigger(page())
    assert len(server.events) == 2
    assert len(server.open) == 1


@pytest.mark.parametrize("how", [Misbehaviour(delay_s=0.8), Misbehaviour(drop=True), Misbehaviour(reply=Reply(302, ""))])
async def test_silence_and_redirects_are_not_taken_for_a_page(
    pager: PagerDutyEvents, server: EventsStandIn, how: Misbehaviour
) -> None:
    server.misbehave(how)
    with pytest.raises((Transient, Permanent)):
        await pager.trigger(page())
    assert all(asked.path == "/v2/enqueue" for asked in server.asked)


async def test_nobody_there_is_transient() -> None:
    with EventsStandIn({}) as gone:
        url = gone.url
    pager = PagerDutyEvents({"pd-platform": KEY}, url)
    with pytest.raises(Transient):
        await pager.trigger(page())
    await pager.aclose()


@pytest.mark.parametrize("url", ["http://events.example.test", "https://", "ftp://127.0.0.1"])
def test_an_address_that_would_send_keys_in_clear_or_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PAGERDUTY_EVENTS_URL"):
        PagerDutyEvents({}, url)


async def test_a_trigger_makes_the_incident_of_its_service_and_a_resolve_ends_it() -> None:
    labels = {"alertname": "RedisDown", "alert_type": "infra"}
    with PagerDutyStandIn() as account, EventsStandIn({KEY: account.service}, into=account) as events:
        pager = PagerDutyEvents({"pd-platform": KEY}, events.url)
        await pager.trigger(page(details=labels))
        await pager.trigger(page(details=labels))
        (incident,) = account.account.incidents.values()
        assert (incident["incident_key"], incident["status"]) == ("sre-agent:1", "triggered")
        assert account.account.alerts[incident["id"]][0]["body"]["details"] == labels
        await pager.resolve("pd-platform", "sre-agent:1")
        assert account.incident(incident["id"])["status"] == "resolved"
        await pager.trigger(page(details=labels))
        assert len(account.account.incidents) == 2
        await pager.aclose()


async def test_after_a_person_resolved_the_incident_the_next_trigger_opens_another() -> None:
    with PagerDutyStandIn() as account, EventsStandIn({KEY: account.service}, into=account) as events:
        pager = PagerDutyEvents({"pd-platform": KEY}, events.url)
        await pager.trigger(page())
        account.resolve(next(iter(account.account.incidents)), user=account.person)
        await pager.trigger(page())
        assert len(account.account.incidents) == 2
        await pager.aclose()


class HandTicks:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FrozenTicks(HandTicks):
    """A storm within one moment: whoever waits has waited, and no time has passed."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def storm(pager: PagerDutyEvents, incidents: int) -> None:
    for number in range(incidents):
        await pager.trigger(page(dedup_key=f"sre-agent:{number}"))


async def test_no_more_events_leave_in_a_minute_than_a_routing_key_takes(server: EventsStandIn) -> None:
    ticks = HandTicks()
    pager = PagerDutyEvents({"pd-platform": KEY}, server.url, ticks=ticks)
    sent = 0
    while ticks.now < 60.0:
        await pager.trigger(page(dedup_key=f"sre-agent:{sent}"))
        sent += 1
    await pager.aclose()
    assert len(server.events) == sent
    assert 115 <= sent <= 121


async def test_in_a_storm_an_event_goes_back_to_its_queue_and_another_teams_page_goes_out() -> None:
    other = "e" * 32
    with EventsStandIn({KEY: "PSVC001", other: "PSVC002"}) as events:
        pager = PagerDutyEvents({"pd-platform": KEY, "pd-ai-eng": other}, events.url, ticks=FrozenTicks())
        with pytest.raises(Transient, match="not sent yet") as told:
            await storm(pager, 200)
        assert told.value.retry_after is not None
        assert 5.0 < told.value.retry_after < 7.0
        before = len(events.events)
        assert 20 <= before < 40
        await pager.trigger(page(receiver="pd-ai-eng"))
        assert len(events.events) == before + 1
        await pager.aclose()


async def test_the_incident_that_a_page_makes_is_read_back_with_the_labels_of_its_alert() -> None:
    labels = {"alertname": "CrmErrors", "alert_type": "tool", "tool_name": "crm", "severity": "page", "vertical": "real_estate"}
    with PagerDutyStandIn() as account, EventsStandIn({KEY: account.service}, into=account) as events:
        pager = PagerDutyEvents({"pd-platform": KEY}, events.url)
        await pager.trigger(page(details=labels))
        await pager.aclose()
        (made,) = account.account.incidents
        (alert,) = alerts_from_rest(account.account.alerts[made][0])
    assert alert.labels == labels
    assert alert.labels_known
