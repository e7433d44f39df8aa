"""The use of models through the stand-in: what is asked, what is kept, and what a bad or busy server makes of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from sre_agent.detectors.ai import provider, usage
from sre_agent.detectors.signals import changes
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.langfuse import LangfuseSource
from sre_agent.sources.langfuse_api import LangfuseProject
from sre_agent.testing.langfuse import PUBLIC_KEY, SECRET_KEY, Call, LangfuseStandIn

pytestmark = pytest.mark.slow

ONSET = datetime(2026, 3, 4, 12, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=40)
SCOPE = Scope(
    incident=Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1")),
    now=NOW,
    onset=ONSET,
    window=Window.before(NOW, timedelta(hours=1)),
    change_window=Window(start=ONSET - timedelta(hours=24), end=NOW),
)


@pytest.fixture
def langfuse() -> Iterator[LangfuseStandIn]:
    with LangfuseStandIn() as server:
        yield server


async def gathered(server: LangfuseStandIn):
    return await LangfuseSource(LangfuseProject(server.url, PUBLIC_KEY, SECRET_KEY, timeout_s=5.0)).gather(SCOPE)


def seen(evidence) -> EvidenceView:
    return EvidenceView(scope=SCOPE, evidence=tuple(e.model_copy(update={"id": f"e{i}"}) for i, e in enumerate(evidence)))


def minutes(start: datetime, end: datetime, every: int = 2) -> Iterator[datetime]:
    while start < end:
        yield start
        start += timedelta(minutes=every)


def quiet(server: LangfuseStandIn, until: datetime = ONSET, **more) -> None:
    server.call(*(Call(at, **more) for at in minutes(ONSET - timedelta(hours=10), until)))


async def test_the_use_of_a_model_comes_by_hour_with_errors_latency_tokens_and_cost(langfuse):
    hour = ONSET.replace(minute=0) - timedelta(hours=2)
    langfuse.call(*(Call(at, prompt="triage", version=3, first_token_s=0.4, latency_s=2.0) for at in minutes(hour, ONSET)))
    langfuse.call(Call(hour, prompt="triage", version=3, latency_s=30.0, tokens=0, cost_usd=0.0, error="Request timed out."))
    quality, _ = await gathered(langfuse)
    first = quality.payload["models"][0]
    assert (first["model"], first["prompt"], first["version"]) == ("nw-large-2", "triage", "3")
    assert (first["count"], first["errors"], first["tokens"]) == (31, 1, 15000.0)
    assert (first["latency_p95_s"], first["first_token_p95_s"]) == (2.0, 0.4)
    assert first["cost_usd"] == pytest.approx(0.06)
    assert datetime.fromisoformat(first["timestamp"]) == hour


async def test_a_failing_provider_is_found_with_the_words_of_its_errors(langfuse):
    quiet(langfuse)
    for i, at in enumerate(minutes(ONSET, NOW, 1)):
        text = f"Error code: 529 - Overloaded, request req_0123456789abc{i:03}" if i % 3 else None
        langfuse.call(Call(at, error=text))
    evidence = await gathered(langfuse)
    (said,) = evidence[0].payload["errors"]
    assert said["count"] == 26
    assert "529" in said["message"]
    assert "req_0123" not in said["message"]
    (found,) = provider.detect(seen(evidence))
    assert (found.object, found.reason) == ("app/nw-large-2", FindingReason.OVERLOADED)


async def test_without_failed_calls_their_messages_are_not_asked_for(langfuse):
    quiet(langfuse, NOW)
    await gathered(langfuse)
    assert [urlsplit(p).path.rpartition("/")[2] for p in sorted(langfuse.asked)] == ["metrics", "metrics", "prompts"]


async def test_messages_that_cannot_be_had_are_missed_and_the_rest_stands(langfuse):
    quiet(langfuse)
    langfuse.call(*(Call(at, error="boom") for at in minutes(ONSET, NOW)))
    langfuse.failing, langfuse.failing_route = (503, "no", {}), "observations"
    quality, _ = await gathered(langfuse)
    assert quality.status is EvidenceStatus.OK
    assert "could not be read" in quality.error
    assert quality.payload["errors"] == []
    assert provider.detect(seen([quality])) != ()


async def test_a_model_that_took_over_in_traffic_is_a_change_of_kind_model(langfuse):
    live = ONSET.replace(minute=0) - timedelta(hours=3)
    quiet(langfuse, live, prompt="triage", version=3)
    langfuse.call(*(Call(at, "nw-mini-1", "triage", 3) for at in minutes(live, NOW)))
    evidence = await gathered(langfuse)
    (change,) = evidence[1].payload
    assert (change["kind"], change["target"], change["from_version"], change["to_version"]) == (
        *("model", "model/nw-mini-1", "nw-large-2"),
        "nw-mini-1",
    )
    assert datetime.fromisoformat(change["at"]) == live
    assert [f.kind for f in changes.detect(seen(evidence))] == [FindingKind.MODEL_CHANGED]


async def test_a_version_fetched_by_number_is_seen_in_traffic_without_any_label(langfuse):
    live = ONSET.replace(minute=0) - timedelta(hours=3)
    quiet(langfuse, live, prompt="triage", version=3)
    langfuse.call(*(Call(at, prompt="triage", version=4) for at in minutes(live, NOW)))
    _, feed = await gathered(langfuse)
    assert [(c["target"], c["from_version"], c["to_version"]) for c in feed.payload] == [("prompt/triage", "3", "4")]


async def test_the_author_is_told_only_of_a_version_written_right_before_it_went_live(langfuse):
    live = ONSET - timedelta(hours=2)
    for name, written in (("fresh", live - timedelta(minutes=10)), ("old", live - timedelta(days=3))):
        langfuse.create(name, 1, ONSET - timedelta(days=30))
        langfuse.create(name, 2, written, author="dana")
        langfuse.promote(name, 2, live)
    langfuse.create("back", 1, ONSET - timedelta(days=30))
    langfuse.create("back", 2, ONSET - timedelta(days=20))
    langfuse.promote("back", 1, live)
    _, feed = await gathered(langfuse)
    by_name = {c["target"]: c for c in feed.payload}
    assert (by_name["prompt/fresh"]["author"], by_name["prompt/old"]["author"]) == ("dana", None)
    assert "though there is a version 2" in by_name["prompt/back"]["summary"]


async def test_a_cost_spike_is_found_through_the_source(langfuse):
    quiet(langfuse, cost_usd=0.05, tokens=800)
    langfuse.call(*(Call(at, cost_usd=0.5, tokens=9000) for at in minutes(ONSET, NOW, 1)))
    found = usage.detect(seen(await gathered(langfuse)))
    assert [(f.kind, f.object) for f in found] == [
        (FindingKind.TOKEN_SPIKE, "app/nw-large-2"),
        (FindingKind.COST_SPIKE, "app/nw-large-2"),
    ]


async def test_an_answer_that_is_cut_is_asked_again_in_halves(langfuse):
    for version in range(60):
        langfuse.call(*(Call(at, prompt="p", version=version) for at in minutes(ONSET - timedelta(hours=20), ONSET, 60)))
    quality, feed = await gathered(langfuse)
    assert len(quality.payload["models"]) == 1200
    assert not quality.truncated
    assert not feed.truncated
    spans = [json.loads(parse_qs(urlsplit(p).query)["query"][0]) for p in langfuse.asked if "metrics" in p]
    assert len([s for s in spans if s["view"] == "observations"]) == 3


async def test_more_than_can_be_had_is_said_to_be_cut_and_covers_nothing(langfuse):
    for version in range(250):
        langfuse.call(*(Call(at, prompt="p", version=version) for at in minutes(ONSET - timedelta(hours=20), ONSET, 60)))
    quality, feed = await gathered(langfuse)
    assert quality.truncated
    assert feed.truncated


async def test_more_touched_prompts_than_are_looked_at_cut_the_feed(langfuse):
    for i in range(60):
        langfuse.create(f"p{i}", 1, ONSET - timedelta(hours=2))
        langfuse.promote(f"p{i}", 1, ONSET - timedelta(hours=2))
    quality, feed = await gathered(langfuse)
    assert len(quality.payload["prompts"]) == 40
    assert feed.truncated


async def test_thousands_of_scores_without_a_version_come_as_hourly_means(langfuse):
    for at in minutes(ONSET - timedelta(hours=5), NOW, 1):
        for _ in range(5):
            langfuse.score("csat", 4.0, at)
    quality, _ = await gathered(langfuse)
    assert sum(s["count"] for s in quality.payload["scores"]) == 1700
    assert len(quality.payload["scores"]) <= 7
    assert not any("v3/scores" in p for p in langfuse.asked)


async def test_a_short_retry_after_is_waited_for_once(langfuse):
    quiet(langfuse, NOW)
    langfuse.failing_once = (429, '{"message":"Rate limit exceeded"}', {"Retry-After": "0"})
    quality, _ = await gathered(langfuse)
    assert quality.status is EvidenceStatus.OK
    langfuse.failing = (429, '{"message":"Rate limit exceeded"}', {"Retry-After": "1"})
    with pytest.raises(Transient) as caught:
        await gathered(langfuse)
    assert caught.value.retry_after == 1.0


async def test_a_body_beyond_the_cap_is_refused(langfuse):
    langfuse.failing, langfuse.failing_route = (200, '{"data": "' + "x" * 9_000_000 + '"}', {}), "metrics"
    with pytest.raises(Permanent, match="more than 8000000 bytes"):
        await gathered(langfuse)


@pytest.mark.parametrize(
    "answer",
    ['{"data": null}', '{"data": "odd"}', '{"data": [1, null, "x"]}', '{"data": [{"count_count": "many"}]}', '{"meta": 3}'],
)
async def test_odd_metrics_are_no_data(langfuse, answer):
    langfuse.failing, langfuse.failing_route = (200, answer, {}), "metrics"
    assert [(e.kind, e.status) for e in await gathered(langfuse)] == [
        (EvidenceKind.LANGFUSE, EvidenceStatus.NO_DATA),
        (EvidenceKind.CHANGES, EvidenceStatus.NO_DATA),
    ]


async def test_a_removed_route_says_so_before_the_keys_are_looked_at(langfuse):
    langfuse.retire()
    wrong = LangfuseSource(LangfuseProject(langfuse.url, PUBLIC_KEY, "wrong", timeout_s=5.0))
    with pytest.raises(Permanent, match="upgrade"):
        await wrong.gather(SCOPE)


async def test_what_the_author_said_and_the_versions_page_are_told_where_the_answer_holds_them(langfuse):
    live = ONSET - timedelta(hours=2)
    langfuse.create("intent router", 43, live, author="dana", message="shorter clarification step")
    langfuse.promote("intent router", 43, live)
    quality, feed = await gathered(langfuse)
    page = f"{langfuse.url}/project/prj-1/prompts/intent%20router?version=43"
    assert [(c["author"], c["message"], c["link"]) for c in feed.payload] == [("dana", "shorter clarification step", page)]
    assert quality.payload["prompts"][0]["message"] == "shorter clarification step"
    for project in (None, "../x", "a b"):
        langfuse.project = project
        _, feed = await gathered(langfuse)
        assert feed.payload[0]["link"] == ""
