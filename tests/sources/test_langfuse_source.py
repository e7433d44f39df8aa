from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.signals.changes import detect
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.langfuse import LangfuseSource
from sre_agent.sources.langfuse_api import LangfuseApi, LangfuseProject
from sre_agent.testing.langfuse import PUBLIC_KEY, SECRET_KEY, LangfuseStandIn

pytestmark = pytest.mark.slow

ONSET = datetime(2026, 3, 4, 12, 40, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=20)
LIVE = ONSET - timedelta(hours=3, minutes=10)
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


def source(server: LangfuseStandIn, secret: str = SECRET_KEY) -> LangfuseSource:
    return LangfuseSource(LangfuseProject(server.url, PUBLIC_KEY, secret, timeout_s=5.0))


def switched(server: LangfuseStandIn, name: str = "intent router/v2") -> None:
    """Version 42 is live for long; 43 replaces it at LIVE, and the score falls."""
    server.create(name, 42, ONSET - timedelta(days=30))
    server.promote(name, 42, ONSET - timedelta(days=29))
    server.create(name, 43, LIVE - timedelta(hours=1))
    server.promote(name, 43, LIVE)
    for i in range(240):
        at = ONSET - timedelta(hours=20) + timedelta(minutes=5 * i)
        version, level = (42, 0.91) if at < LIVE else (43, 0.8)
        if at < NOW:
            server.use(name, version, at)
            server.score("intent_accuracy", level + (i % 5 - 2) / 100, at, name, version)


async def test_a_switch_becomes_a_change_and_the_scores_come_by_version(langfuse):
    switched(langfuse)
    quality, changes = await source(langfuse).gather(SCOPE)
    assert (quality.kind, quality.status) == (EvidenceKind.LANGFUSE, EvidenceStatus.OK)
    assert {s["version"] for s in quality.payload["scores"]} == {"42", "43"}
    assert quality.payload["prompts"][0]["version"] == "43"
    (change,) = changes.payload
    assert (change["kind"], change["target"]) == ("prompt", "prompt/intent router/v2")
    assert (change["from_version"], change["to_version"]) == ("42", "43")
    assert datetime.fromisoformat(change["at"]) == LIVE


async def test_what_it_gathers_is_enough_for_the_detector_to_name_the_regression(langfuse):
    switched(langfuse)
    gathered = await source(langfuse).gather(SCOPE)
    numbered = tuple(e.model_copy(update={"id": f"e{i}"}) for i, e in enumerate(gathered))
    (found,) = detect(EvidenceView(scope=SCOPE, evidence=numbered))
    assert found.kind is FindingKind.PROMPT_REGRESSION
    assert found.object == "prompt/intent router/v2"
    assert found.onset == LIVE


async def test_an_empty_project_is_no_data_twice(langfuse):
    found = await source(langfuse).gather(SCOPE)
    assert [(e.kind, e.status) for e in found] == [
        (EvidenceKind.LANGFUSE, EvidenceStatus.NO_DATA),
        (EvidenceKind.CHANGES, EvidenceStatus.NO_DATA),
    ]


async def test_a_label_moved_back_to_an_old_version_is_a_switch_dated_by_its_update(langfuse):
    langfuse.create("triage", 1, ONSET - timedelta(days=90))
    langfuse.create("triage", 2, ONSET - timedelta(days=30))
    langfuse.promote("triage", 2, ONSET - timedelta(days=30))
    langfuse.promote("triage", 1, LIVE)
    _, changes = await source(langfuse).gather(SCOPE)
    assert [(c["to_version"], datetime.fromisoformat(c["at"])) for c in changes.payload] == [("1", LIVE)]


async def test_a_later_touch_does_not_postpone_the_switch_that_traffic_shows(langfuse):
    switched(langfuse, "p")
    langfuse.promote("p", 43, ONSET - timedelta(minutes=1))
    _, changes = await source(langfuse).gather(SCOPE)
    at = datetime.fromisoformat(changes.payload[0]["at"])
    assert LIVE - timedelta(hours=1) <= at <= LIVE


async def test_a_new_version_that_is_not_in_production_is_no_change(langfuse):
    langfuse.create("draft", 1, LIVE)
    langfuse.create("calm", 1, ONSET - timedelta(days=9))
    langfuse.promote("calm", 1, ONSET - timedelta(days=9))
    langfuse.create("calm", 2, LIVE)
    quality, changes = await source(langfuse).gather(SCOPE)
    assert changes.payload == []
    assert [p["name"] for p in quality.payload["prompts"]] == ["calm"]


async def test_scores_without_a_version_are_paged_and_kept(langfuse):
    for i in range(250):
        langfuse.score("csat", 4.0, LIVE + timedelta(seconds=i))
    quality, _ = await source(langfuse).gather(SCOPE)
    assert len(quality.payload["scores"]) == 250
    assert quality.payload["scores"][0]["version"] is None
    assert not quality.truncated


async def test_a_retired_api_says_upgrade_instead_of_no_data(langfuse):
    langfuse.retire()
    with pytest.raises(Permanent, match=r"upgrade this adapter.*/api/public/v9"):
        await source(langfuse).gather(SCOPE)


async def test_a_prompt_endpoint_that_was_retired_is_not_mistaken_for_a_prompt_without_production(langfuse):
    langfuse.create("p", 1, LIVE)
    project = LangfuseProject(langfuse.url, PUBLIC_KEY, SECRET_KEY, timeout_s=5.0)
    async with LangfuseApi.client(project) as http:
        api = LangfuseApi(project, http)
        assert await api.get("/api/public/v2/prompts/p", {"label": "production"}, absent_ok=True) == {}
        langfuse.retire()
        with pytest.raises(Permanent, match="upgrade"):
            await api.get("/api/public/v2/prompts/p", {"label": "production"}, absent_ok=True)


async def test_wrong_keys_are_permanent_and_name_the_variables(langfuse):
    with pytest.raises(Permanent, match="LANGFUSE_PUBLIC_KEY"):
        await source(langfuse, secret="wrong").gather(SCOPE)


@pytest.mark.parametrize(
    ("failing", "error", "text"),
    [
        ((429, '{"message":"Rate limit exceeded"}', {"Retry-After": "7"}), Transient, "429: Rate limit"),
        ((503, "upstream connect error", {}), Transient, "503: upstream"),
        ((200, "<html>sign in</html>", {}), Permanent, "other than its API"),
        ((200, "[1, 2]", {}), Permanent, "not a JSON object|other than its API"),
        ((400, '{"message":"Invalid request data"}', {}), Permanent, "400.*Invalid request"),
    ],
)
async def test_a_failing_server_is_an_error_with_its_words(langfuse, failing, error, text):
    langfuse.failing = failing
    with pytest.raises(error, match=text) as caught:
        await source(langfuse).gather(SCOPE)
    if failing[0] == 429:
        assert caught.value.retry_after == 7.0


async def test_nobody_listening_is_transient():
    with LangfuseStandIn() as gone:
        pass
    with pytest.raises(Transient, match="cannot be reached"):
        await source(gone).gather(SCOPE)


async def test_only_reading_routes_are_asked_and_never_one_that_moves_a_label(langfuse):
    switched(langfuse)
    await source(langfuse).gather(SCOPE)
    paths = {path.partition("?")[0] for path in langfuse.asked}
    assert paths == {
        "/api/public/v2/prompts",
        "/api/public/v2/prompts/intent%20router%2Fv2",
        "/api/public/v2/metrics",
    }
    assert len(langfuse.asked) == 4
