"""Statuspage: what is created and updated, what each answer means, and that nothing is ever published twice."""

from collections.abc import AsyncIterator, Iterator

import pytest

from sre_agent.adapters.statuspage import Statuspage
from sre_agent.handback.status_page import StatusDraft, StatusPhase, draft_id
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Transient
from sre_agent.routing.file import StatusAudience
from sre_agent.testing.http_stand_in import Misbehaviour, Reply
from sre_agent.testing.statuspage import StatuspageStandIn

PAGES = {"public": "PUB1", "private": "PRIV1"}


class Sleeps(list[float]):
    """A pause that only remembers."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def server() -> Iterator[StatuspageStandIn]:
    with StatuspageStandIn(tuple(PAGES.values())) as standing:
        yield standing


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
async def pages(server: StatuspageStandIn, sleeps: Sleeps) -> AsyncIterator[Statuspage]:
    adapter = Statuspage(server.key, PAGES, server.url, 0.5, sleeps)
    yield adapter
    await adapter.aclose()


def drafted(
    phase: StatusPhase = StatusPhase.INVESTIGATING, audience: StatusAudience = StatusAudience.PUBLIC, incident: str = "Q1"
) -> StatusDraft:
    identity = draft_id(incident, 1, audience, phase)
    return StatusDraft(
        id=identity,
        incident_id=incident,
        round=1,
        audience=audience,
        phase=phase,
        name="Problems with healthcare",
        body=f"It is {phase.value}.",
    )


async def test_an_incident_is_opened_and_ended_on_the_audiences_page_and_nobody_is_notified(
    pages: Statuspage, server: StatuspageStandIn
):
    identity = await pages.publish(drafted(audience=StatusAudience.PRIVATE), "")
    assert await pages.publish(drafted(StatusPhase.RESOLVED, StatusAudience.PRIVATE), identity) == identity
    assert server.incidents["PUB1"] == []
    (one,) = server.incidents["PRIV1"]
    assert (one["id"], one["name"], one["status"]) == (identity, "Problems with healthcare", "resolved")
    assert one["incident_updates"] == [
        {"status": "resolved", "body": "It is resolved.", "deliver_notifications": False},
        {"status": "investigating", "body": "It is investigating.", "deliver_notifications": False},
    ]


async def test_nothing_of_ours_that_goes_to_the_page_names_the_incident(pages: Statuspage, server: StatuspageStandIn):
    await pages.publish(drafted(incident="QSECRETNUMBER"), "")
    assert "QSECRETNUMBER" not in server.asked[0].body


async def test_an_audience_without_a_page_is_told_with_where_to_write_it(pages: Statuspage, server: StatuspageStandIn):
    with pytest.raises(ConfigurationError, match=r"'aggregate'.*STATUSPAGE_PAGES"):
        await pages.publish(drafted(audience=StatusAudience.AGGREGATE), "")
    assert server.asked == []


async def test_an_answer_that_was_lost_is_found_at_the_page_and_not_sent_again(pages: Statuspage, server: StatuspageStandIn):
    await pages.publish(drafted(incident="Q0"), "")
    server.lost = 1
    identity = await pages.publish(drafted(), "")
    assert [i["id"] for i in server.incidents["PUB1"]] == ["inc000000001", identity]
    server.lost = 1
    assert await pages.publish(drafted(StatusPhase.RESOLVED), identity) == identity
    assert len(server.incidents["PUB1"][1]["incident_updates"]) == 2


@pytest.mark.parametrize("phase", list(StatusPhase))
async def test_what_cannot_be_found_is_unknown_and_not_sent_again(pages: Statuspage, server: StatuspageStandIn, phase: StatusPhase):
    identity = "" if phase is StatusPhase.INVESTIGATING else await pages.publish(drafted(), "")
    server.lost, server.blind = 1, 1
    before = len([a for a in server.asked if a.method != "GET"])
    with pytest.raises(OutcomeUnknown):
        await pages.publish(drafted(phase), identity)
    assert len([a for a in server.asked if a.method != "GET"]) == before + 1
    assert await pages.look(drafted(phase), identity) == "inc000000001"


async def test_a_5xx_leaves_it_unknown_unless_the_page_shows_it(pages: Statuspage, server: StatuspageStandIn):
    server.fail_with = [Reply(502, "<html>bad gateway</html>")]
    with pytest.raises(OutcomeUnknown, match="502"):
        await pages.publish(drafted(), "")
    assert await pages.look(drafted(), "") is None


async def test_somebody_elses_incident_is_not_taken_for_ours(pages: Statuspage, server: StatuspageStandIn):
    await pages.publish(drafted(incident="Q2"), "")
    for strange in ({}, {"sre_agent": "text"}, {"sre_agent": {"mark": 7}}, None):
        server.incidents["PUB1"].append({"id": "other", "name": "theirs", "status": "monitoring", "metadata": strange})
    assert await pages.look(drafted(), "") is None


@pytest.mark.parametrize(("status", "after"), [(420, 60.0), (429, 7.0)])
async def test_the_rate_limit_passes_and_nothing_was_published(
    pages: Statuspage, server: StatuspageStandIn, status: int, after: float
):
    server.fail_with = [Reply(status, "{}", headers={"Retry-After": "7"} if status == 429 else {})]
    with pytest.raises(Transient) as told:
        await pages.publish(drafted(), "")
    assert (told.value.retry_after, isinstance(told.value, OutcomeUnknown)) == (after, False)
    assert server.incidents["PUB1"] == []


@pytest.mark.parametrize(
    ("status", "said"), [(401, "STATUSPAGE_API_KEY"), (403, "STATUSPAGE_API_KEY"), (404, "STATUSPAGE_PAGES"), (422, "blank")]
)
async def test_what_statuspage_does_not_accept_is_told_with_what_to_do(
    pages: Statuspage, server: StatuspageStandIn, status: int, said: str
):
    server.fail_with = [Reply(status, '{"error": ["Name can\'t be blank"]}')]
    with pytest.raises(Permanent, match=said) as told:
        await pages.publish(drafted(), "")
    assert server.key not in str(told.value)


async def test_a_sign_in_page_with_200_leaves_the_outcome_unknown(pages: Statuspage, server: StatuspageStandIn):
    server.misbehave(Misbehaviour(reply=Reply(200, "<html>sign in</html>", "text/html")))
    with pytest.raises(OutcomeUnknown):
        await pages.publish(drafted(), "")


async def test_nobody_there_is_transient():
    with StatuspageStandIn(("PUB1",)) as gone:
        url = gone.url
    pages = Statuspage("key", PAGES, url)
    with pytest.raises(Transient, match="nothing was sent") as told:
        await pages.publish(drafted(), "")
    assert not isinstance(told.value, OutcomeUnknown)
    await pages.aclose()


async def test_requests_are_a_second_apart(pages: Statuspage, sleeps: Sleeps):
    for incident in ("Q1", "Q2", "Q3"):
        await pages.publish(drafted(incident=incident), "")
    assert len(sleeps) == 2
    assert all(0 < s <= 2 for s in sleeps)


@pytest.mark.parametrize("identity", ["../../users", "a b", "", "x" * 65])
async def test_an_id_that_could_lead_elsewhere_or_is_none_is_not_asked(pages: Statuspage, server: StatuspageStandIn, identity: str):
    with pytest.raises(Permanent):
        await pages.publish(drafted(StatusPhase.RESOLVED), identity)
    assert server.asked == []


@pytest.mark.parametrize(
    ("key", "url", "said"),
    [
        ("", "https://api.statuspage.io", "API_KEY"),
        ("k", "http://api.statuspage.io", "API_URL"),
        ("k", "https://", "API_URL"),
    ],
)
def test_settings_that_would_leak_or_lead_nowhere_are_refused(key: str, url: str, said: str):
    with pytest.raises(ConfigurationError, match=f"STATUSPAGE_{said}"):
        Statuspage(key, PAGES, url)
