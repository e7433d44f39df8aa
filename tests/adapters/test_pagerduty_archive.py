"""Past incidents of an account: every one once, in order, however many, with whatever the key may read."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.pagerduty.archive import PagerDutyArchive
from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.pace import Pace
from sre_agent.adapters.pagerduty.transport import Answer, Credentials, PdpyrasTransport, Request
from sre_agent.incident.errors import ConfigurationError, Permanent, Transient
from sre_agent.replay.history.entry import Span
from sre_agent.testing.pagerduty import TOKEN, PagerDutyStandIn
from sre_agent.testing.pagerduty_account import Account
from sre_agent.testing.pagerduty_faults import Drop, Fault
from sre_agent.testing.pagerduty_limit import RateLimit
from sre_agent.testing.pagerduty_routes import ApiError, Call, answer
from sre_agent.testing.pagerduty_webhooks import WebhookSender

T0 = datetime(2026, 3, 4, 3, 11, 9, tzinfo=UTC)
LABELS = {"alertname": "RedisSlow", "alert_type": "infra", "redis_master": "cache"}


class Clock:
    at = T0

    def __call__(self) -> datetime:
        return self.at


class InProcess:
    """The stand-in's account without HTTP in between, so that ten thousand incidents are listed in a moment."""

    def __init__(self, account: Account) -> None:
        self.account, self.asked = account, list[Request]()

    def send(self, request: Request) -> Answer:
        self.asked.append(request)
        query = {k: [v] if isinstance(v, str) else v for k, v in request.params.items()}
        try:
            status, body = answer(self.account, WebhookSender(lambda: ""), Call(request.method, request.path, query, {}, None))
        except ApiError as error:
            status, body = error.status, {"error": {"message": error.message, "code": error.code}}
        return Answer(status, {}, body)

    def close(self) -> None:
        pass


class NoTime:
    """Waiting takes none."""

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        pass


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pagerduty(clock):
    with PagerDutyStandIn(now=clock) as standin:
        yield standin


def fast(transport) -> Gateway:
    return Gateway(transport, Pace(1e9, 1000), Patience(5.0, 2, 0.01), NoTime(), workers=1)


def over_http(standin: PagerDutyStandIn, pace: Pace | None = None, token: str = TOKEN, workers: int = 8) -> Gateway:
    credentials = Credentials(token=token, from_email="", api_url=standin.url)
    return Gateway(PdpyrasTransport(credentials), pace or Pace(60_000, 100), Patience(20.0, 3, 0.05), workers=workers)


async def listed(gateway: Gateway, span: Span) -> list[str]:
    try:
        return [i["id"] async for i in PagerDutyArchive(gateway).incidents(span)]
    finally:
        await gateway.aclose()


async def entry_of(gateway: Gateway, identity: str):
    try:
        return await PagerDutyArchive(gateway).entry({"id": identity})
    finally:
        await gateway.aclose()


def account(clock: Clock, count: int, apart: timedelta, first: timedelta = timedelta()) -> Account:
    """That many incidents without anything in them, made cheaply."""
    made = Account(clock)
    made.policies["PPOL001"] = {"id": "PPOL001", "type": "escalation_policy", "name": "p"}
    made.services["PSVC001"] = {
        "id": "PSVC001",
        "type": "service",
        "name": "s",
        "escalation_policy": {"id": "PPOL001"},
        "teams": [],
    }
    for n in range(count):
        clock.at = T0 + first + n * apart
        made.add_incident(f"n{n}", "PSVC001", [], shape=None, grouped=False)
    return made


@pytest.mark.real
async def test_more_than_ten_thousand_incidents_are_listed_whole_once_and_in_order(clock):
    # 40 in each second: wherever a list ends and is begun again, it is in the middle of one.
    made = account(clock, 12_345, timedelta(milliseconds=25), first=timedelta(milliseconds=500))
    transport = InProcess(made)
    found = await listed(fast(transport), Span(since=T0, until=T0 + timedelta(hours=1)))
    assert found == sorted(made.incidents)
    assert all(int(r.params["offset"]) + 100 <= 10_000 for r in transport.asked)
    assert len(transport.asked) < 12_345 / 100 + 5


@pytest.mark.real
async def test_more_than_ten_thousand_in_one_second_is_said_and_not_cut(clock):
    with pytest.raises(Permanent, match=r"more than that began at 2026-03-04T03:11:09Z; narrow the replay with --service"):
        await listed(fast(InProcess(account(clock, 10_050, timedelta()))), Span(since=T0, until=T0 + timedelta(hours=1)))


async def test_years_are_asked_for_in_pieces_of_less_than_six_months(clock):
    made = account(clock, 30, timedelta(days=30))
    transport = InProcess(made)
    found = await listed(fast(transport), Span(since=T0, until=T0 + timedelta(days=900)))
    assert found == list(made.incidents)
    spans = [(datetime.fromisoformat(r.params["since"]), datetime.fromisoformat(r.params["until"])) for r in transport.asked]
    assert len(spans) == 5
    assert all(b - a <= timedelta(days=181) for a, b in spans)
    assert all(r.params["since"].endswith("Z") for r in transport.asked)


async def test_an_incident_where_two_pieces_meet_comes_once(clock):
    made = account(clock, 3, timedelta(days=180))
    assert await listed(fast(InProcess(made)), Span(since=T0, until=T0 + timedelta(days=361))) == list(made.incidents)


async def test_the_end_of_a_span_is_not_in_it_and_offsets_of_the_account_are_read(clock):
    made = account(clock, 3, timedelta(hours=1))
    first, second, third = made.incidents.values()
    second["created_at"] = "2026-03-03T22:11:09-06:00"
    assert await listed(fast(InProcess(made)), Span(since=T0, until=T0 + timedelta(hours=2))) == [first["id"], second["id"]]
    assert third["id"] not in (first["id"], second["id"])


async def test_only_the_services_and_teams_that_were_asked_for(pagerduty, clock):
    pagerduty.add_team("PTEAM01", "Voice")
    pagerduty.add_service("PSVC002", "other", "PPLAT01", team="PTEAM01")
    here, there = pagerduty.add_incident("a", [LABELS]), pagerduty.add_incident("b", [LABELS], service="PSVC002")
    span = Span(since=T0, until=T0 + timedelta(hours=1))
    assert await listed(over_http(pagerduty), span.model_copy(update={"services": ("PSVC001",)})) == [here]
    assert await listed(over_http(pagerduty), span.model_copy(update={"teams": ("PTEAM01",)})) == [there]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"services": ("PGONE01",)}, "knows no service PGONE01: it was deleted, or this key may not see it"),
        ({"teams": ("PGONE01",)}, "knows no team PGONE01"),
        ({"services": ("../users",)}, "is not the id of a PagerDuty service"),
    ],
)
async def test_a_service_or_team_that_is_not_there_is_said(pagerduty, named, said):
    with pytest.raises(Permanent, match=said):
        await listed(over_http(pagerduty), Span(since=T0, until=T0 + timedelta(hours=1), **named))


@pytest.mark.parametrize("status", [402, 403])
async def test_a_key_that_may_not_list_incidents_is_told_what_it_needs(pagerduty, status):
    pagerduty.account.lacks["incidents"] = status
    with pytest.raises(Permanent, match="must be allowed to read incidents"):
        await listed(over_http(pagerduty), Span(since=T0, until=T0 + timedelta(hours=1)))


async def test_a_key_that_is_not_accepted_is_a_matter_of_settings(pagerduty):
    with pytest.raises(ConfigurationError, match="PAGERDUTY_API_TOKEN"):
        await listed(over_http(pagerduty, token="wrong"), Span(since=T0, until=T0 + timedelta(hours=1)))


async def test_a_connection_that_drops_is_asked_again_and_one_that_stays_away_is_transient(pagerduty):
    identity = pagerduty.add_incident("a", [LABELS])
    pagerduty.faults.add(Fault(path="/incidents", drop=Drop.BEFORE))
    span = Span(since=T0, until=T0 + timedelta(hours=1))
    assert await listed(over_http(pagerduty), span) == [identity]
    pagerduty.faults.add(Fault(path="/incidents", drop=Drop.BEFORE, times=9))
    with pytest.raises(Transient):
        await listed(over_http(pagerduty), span)


async def test_an_entry_has_all_alerts_and_the_log_from_its_beginning(pagerduty, clock):
    identity = pagerduty.add_incident("a", [{**LABELS, "n": str(n)} for n in range(230)])
    clock.at += timedelta(minutes=1)
    pagerduty.acknowledge(identity)
    pagerduty.annotate(identity, "looking")
    pagerduty.resolve(identity, pagerduty.person)
    entry = await entry_of(over_http(pagerduty), identity)
    assert (len(entry.alerts), entry.problems) == (230, ())
    assert [e["type"] for e in entry.log_entries] == [f"{k}_log_entry" for k in ("trigger", "acknowledge", "annotate", "resolve")]
    assert [n["content"] for n in entry.notes] == ["looking"]


@pytest.mark.parametrize("status", [402, 403, 404])
@pytest.mark.parametrize(("what", "named"), [("alerts", "alerts"), ("log_entries", "log entries"), ("notes", "notes")])
async def test_what_the_key_may_not_read_of_an_incident_is_a_problem_and_the_rest_is_there(pagerduty, what, named, status):
    identity = pagerduty.add_incident("a", [LABELS])
    pagerduty.annotate(identity, "looking")
    pagerduty.account.lacks[what] = status
    entry = await entry_of(over_http(pagerduty), identity)
    assert [p.split(":")[0] for p in entry.problems] == [named]
    had = {"alerts": bool(entry.alerts), "log_entries": bool(entry.log_entries), "notes": bool(entry.notes)}
    assert had == {name: name != what for name in had}


@pytest.mark.real
async def test_the_rate_limit_is_reached_and_nothing_is_turned_away(pagerduty):
    """390 requests through a limit of 120 in two seconds, eight at once: paced by what PagerDuty says, without one 429."""
    identities = [pagerduty.add_incident(str(n), [LABELS]) for n in range(130)]
    pagerduty.limit = RateLimit(120, 2.0)
    gateway = over_http(pagerduty, Pace(60_000, 1000, spare=8))
    archive = PagerDutyArchive(gateway)
    try:
        for start in range(0, len(identities), 16):
            await asyncio.gather(*(archive.entry({"id": i}) for i in identities[start : start + 16]))
    finally:
        await gateway.aclose()
    statuses = [call.status for call in pagerduty.calls]
    assert (len(statuses), statuses.count(429)) == (390, 0)


@pytest.mark.real
async def test_a_limit_that_others_use_up_costs_no_more_429_than_requests_were_on_their_way(pagerduty):
    identities = [pagerduty.add_incident(str(n), [LABELS]) for n in range(40)]
    pagerduty.limit = RateLimit(30, 1.0)
    for _ in range(30):
        pagerduty.limit.take()
    gateway = over_http(pagerduty, Pace(60_000, 1000, spare=8))
    archive = PagerDutyArchive(gateway)
    try:
        found = await asyncio.gather(*(archive.entry({"id": i}) for i in identities))
    finally:
        await gateway.aclose()
    assert all(e.problems == () for e in found)
    assert [call.status for call in pagerduty.calls].count(429) <= 8
