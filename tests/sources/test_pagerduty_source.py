"""Past and related incidents: the history of the adapter over the stand-in, and the source over the history."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.pagerduty.gateway import Patience
from sre_agent.adapters.pagerduty.history import LONGEST_NOTE, MOST, MOST_NOTES, READ
from sre_agent.adapters.pagerduty.tracker import PagerDuty, connect
from sre_agent.adapters.pagerduty.transport import Credentials
from sre_agent.detectors.signals.observed_text import detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.past_incident import IncidentHistory
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.errors import ConfigurationError, Permanent, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.fetch import fetch
from sre_agent.investigation.text_reading import text_views
from sre_agent.sources.pagerduty import NOT_AVAILABLE, PastIncidentsSource
from sre_agent.testing.pagerduty import AGENT_EMAIL, TOKEN, PagerDutyStandIn
from sre_agent.testing.pagerduty_faults import Drop, Fault, rate_limited

pytestmark = pytest.mark.slow
ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
LABELS = {"alertname": "RedisSlow"}


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn() as standin:
        yield standin


@pytest.fixture
async def tracker(pagerduty) -> AsyncIterator[PagerDuty]:
    tracker = connect(
        Credentials(TOKEN, AGENT_EMAIL, pagerduty.url), patience=Patience(deadline_s=5, attempts=2, first_pause_s=0.01)
    )
    yield tracker
    await tracker.aclose()


def as_protocol(tracker: PagerDuty) -> IncidentHistory:
    return tracker


def scope(incident_id: str) -> Scope:
    incident = Incident(id=incident_id, status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="PSVC001"))
    window = Window.before(ONSET, timedelta(minutes=30))
    return Scope(incident=incident, now=ONSET, onset=ONSET, window=window, change_window=window)


async def look(tracker: PagerDuty, incident_id: str) -> Evidence:
    (evidence,) = await PastIncidentsSource(as_protocol(tracker)).gather(scope(incident_id))
    return evidence


async def test_past_incidents_come_most_alike_first_with_what_people_wrote(pagerduty, tracker):
    now, old, older, other = (pagerduty.add_incident(t, [LABELS]) for t in ("now", "old", "older", "other"))
    pagerduty.annotate(old, "failed over by hand; the disk was full")
    pagerduty.resolve(old, pagerduty.person)
    pagerduty.add_similar(now, older, score=12.5)
    pagerduty.add_similar(now, old, score=46.8)
    pagerduty.add_similar(now, other)
    evidence = await look(tracker, now)
    assert (evidence.kind, evidence.source, evidence.status) == (EvidenceKind.TEXT, "pagerduty", EvidenceStatus.OK)
    told = evidence.payload["incidents"]
    assert [(p["title"], p["relation"], p["score"]) for p in told] == [
        ("old", "past", 46.8),
        ("older", "past", 12.5),
        ("other", "service_dependency", None),
    ]
    assert [(n["by"], n["text"]) for n in told[0]["notes"]] == [("On Call", "failed over by hand; the disk was full")]
    assert pagerduty.writes == []
    assert sorted(c.path.rpartition("/")[2] for c in pagerduty.calls if "/incidents/" in c.path) == [
        "notes",
        "notes",
        "past_incidents",
        "related_incidents",
    ]


async def test_the_agents_own_notes_are_left_out(pagerduty, tracker):
    now, old = pagerduty.add_incident("now", [LABELS]), pagerduty.add_incident("old", [LABELS])
    pagerduty.annotate(old, "[sre-agent] I think it is the network", user=pagerduty.agent_user)
    pagerduty.annotate(old, "it was the disk")
    pagerduty.add_similar(now, old, score=1.0)
    told = (await look(tracker, now)).payload["incidents"]
    assert [n["text"] for n in told[0]["notes"]] == ["it was the disk"]


async def test_lists_and_notes_are_capped(pagerduty, tracker):
    now = pagerduty.add_incident("now", [LABELS])
    for i in range(MOST + 3):
        past = pagerduty.add_incident(f"p{i}", [LABELS])
        pagerduty.add_similar(now, past, score=100.0 - i)
        for n in range(MOST_NOTES + 2):
            pagerduty.annotate(past, f"{n} " + "x" * 3_000)
    told = (await look(tracker, now)).payload["incidents"]
    assert [len(p["notes"]) for p in told] == [MOST_NOTES] * READ + [0] * (MOST - READ)
    assert max(len(n["text"]) for p in told for n in p["notes"]) == LONGEST_NOTE
    assert told[0]["notes"][-1]["text"].startswith(f"{MOST_NOTES + 1} "), "the newest notes are kept"


async def test_nothing_alike_is_no_data(pagerduty, tracker):
    evidence = await look(tracker, pagerduty.add_incident("now", [LABELS]))
    assert (evidence.status, evidence.payload, evidence.error) == (EvidenceStatus.NO_DATA, None, "")


@pytest.mark.parametrize("status", [402, 403, 404])
async def test_an_account_without_this_is_no_data_that_says_so(pagerduty, tracker, status):
    incident = pagerduty.add_incident("now", [LABELS])
    pagerduty.faults.add(Fault(path=r".*_incidents", status=status, times=9))
    evidence = await look(tracker, incident)
    assert (evidence.status, evidence.error) == (EvidenceStatus.NO_DATA, NOT_AVAILABLE)


async def test_one_list_without_the_other_is_still_told(pagerduty, tracker):
    now, old = pagerduty.add_incident("now", [LABELS]), pagerduty.add_incident("old", [LABELS])
    pagerduty.add_similar(now, old)
    pagerduty.account.past = None
    assert [p["title"] for p in (await look(tracker, now)).payload["incidents"]] == ["old"]


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (Fault(path=r".*_incidents", status=401, times=9), ConfigurationError, "PAGERDUTY_API_TOKEN"),
        (Fault(path=r".*_incidents", status=500, times=9), Transient, "in trouble"),
        (Fault(path=r".*_incidents", drop=Drop.BEFORE, times=9), Transient, "no answer came"),
        (rate_limited(path=r".*_incidents", reset_s=60, times=9), Transient, "rate limit"),
    ],
)
async def test_a_history_that_cannot_be_read_raises(pagerduty, tracker, fault, error, text):
    incident = pagerduty.add_incident("now", [LABELS])
    pagerduty.faults.add(fault)
    with pytest.raises(error, match=text):
        await look(tracker, incident)


async def test_a_history_that_hangs_is_given_up_at_the_deadline(pagerduty, tracker):
    incident = pagerduty.add_incident("now", [LABELS])
    pagerduty.faults.add(Fault(path=r".*_incidents", delay_s=1.0, times=9))
    (evidence,) = await fetch([PastIncidentsSource(tracker)], scope(incident), 0.2)
    assert (evidence.status, evidence.error) == (EvidenceStatus.ERROR, "no answer within 0.2 s")


async def test_an_id_that_is_no_id_asks_nothing(pagerduty, tracker):
    with pytest.raises(Permanent, match="is not the id of a PagerDuty incident"):
        await look(tracker, "../users")
    assert pagerduty.calls == []


@pytest.mark.parametrize("body", ["<html>", '{"past_incidents": [', '{"past_incidents": 3}', "[]"])
async def test_an_answer_without_the_list_is_an_error_and_not_nothing(pagerduty, tracker, body):
    incident = pagerduty.add_incident("now", [LABELS])
    pagerduty.faults.add(Fault(path=r".*_incidents", status=200, body=body, times=9))
    with pytest.raises(Permanent, match="the answer has no list"):
        await look(tracker, incident)


async def test_malformed_entries_are_skipped_one_by_one(pagerduty, tracker):
    now, old = pagerduty.add_incident("now", [LABELS]), pagerduty.add_incident("old", [LABELS])
    entries = [
        None,
        {},
        {"incident": {"id": "../x"}},
        {"incident": {"id": now}, "score": 1},
        {"incident": {"id": old}, "score": "high"},
    ]
    pagerduty.faults.add(Fault(path=r".*/past_incidents", status=200, body={"past_incidents": entries}))
    told = (await look(tracker, now)).payload["incidents"]
    assert [(p["id"], p["score"]) for p in told] == [(old, None)]


async def test_no_detector_takes_what_people_wrote_about_other_days_for_the_present(pagerduty, tracker):
    now, old = pagerduty.add_incident("now", [LABELS]), pagerduty.add_incident("old", [LABELS])
    pagerduty.annotate(old, 'configmap "settings" not found\nError: getaddrinfo ENOTFOUND cache\nName: api-1\nStatus: Running')
    pagerduty.add_similar(now, old, score=1.0)
    evidence = (await look(tracker, now)).model_copy(update={"id": "e1"})
    seen = EvidenceView(scope=scope(now), evidence=(evidence,))
    assert detect(seen) == ()
    assert list(text_views(seen)) == []
