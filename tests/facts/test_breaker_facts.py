"""Which breakers are tripped, read from real store and ledger contents; and what cannot be read is never "not tripped"."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.ledger import PostgresLedger
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.evidence.redact import redact_json
from sre_agent.execution.ledger import IntentState
from sre_agent.facts.assemble import assemble
from sre_agent.facts.breakers import BreakerFacts, Looks
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.incident.incident import Incident, IncidentStatus, OpenIncident, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.declarations import Blocking
from sre_agent.response.record import State
from sre_agent.sources.prometheus import PrometheusEndpoint, PrometheusSource
from sre_agent.testing.memory_store import MemoryLedger, MemoryStore
from sre_agent.testing.prometheus import Fault, PrometheusStandIn
from sre_agent.testing.rooms import MemoryTracker
from tests.facts.breaker_stage import BLOCKING, NOW, POD, WIDE, Past, ago, alert, changed, context, incident, plan


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def past(request: pytest.FixtureRequest) -> AsyncIterator[Past]:
    tracker = MemoryTracker(own_user="PAGENT")
    if request.param == "memory":
        yield Past(MemoryStore(), MemoryLedger(WIDE, clock=lambda: NOW), tracker)
        return
    async with Database(request.getfixturevalue("database_url"), max_size=5) as pool:
        await request.getfixturevalue("wipe")(pool)
        yield Past(PostgresStore(pool), PostgresLedger(pool, WIDE), tracker)


async def test_with_nothing_behind_it_no_breaker_is_tripped(past: Past) -> None:
    await past.hears("Q1", service_id="PVOICE", incident_key="k")
    await past.remembers(incident("Q1", alert()), State.INVESTIGATING)
    assert await past.tripped() == set()


async def test_a_storm_is_seen_in_what_the_doors_heard_before_anything_was_fetched(past: Past) -> None:
    await past.hears("Q2", at=ago(minutes=2), service_id="PSHOP")
    assert await past.tripped() == set()
    await past.hears("Q3", at=ago(minutes=3))  # its service was not told: one of its own
    assert await past.tripped() == {"storm"}
    assert await past.tripped(at=NOW + timedelta(minutes=11, seconds=59)) == {"storm"}
    assert await past.tripped(incident("Q1", alert(NOW + timedelta(minutes=12))), at=NOW + timedelta(minutes=12)) == set()


async def test_a_storm_of_one_incident_with_alerts_of_many_services(past: Past) -> None:
    assert await past.tripped(incident("Q1", *(alert(service=name) for name in ("api", "web", "db")))) == {"storm"}
    assert await past.tripped(incident("Q1", *(alert(service=name) for name in ("api", "web")))) == set()


class Pods:
    """A cluster of ten running pods of one Deployment."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    async def objects(self, kind: str, namespace: str | None) -> list[dict[str, object]]:
        if self._failure is not None:
            raise self._failure
        assert (kind, namespace) == ("Pod", "voice")
        names = [f"gateway-7d4b9c6f5-x2x4{letter}" for letter in "bcdfghjklm"]
        over = [{"metadata": {"name": "gateway-7d4b9c6f5-zzzzz"}, "status": {"phase": "Failed"}}] * 90
        return [{"metadata": {"name": n}, "status": {"phase": "Running"}} for n in names] + over


async def test_a_storm_in_one_workload_is_a_share_of_its_live_pods(past: Past) -> None:
    def of(letters: str) -> Incident:
        return incident("Q1", *(alert(pod=f"gateway-7d4b9c6f5-x2x4{letter}") for letter in letters))

    assert await past.tripped(of("bcd"), cluster=Pods()) == set()
    assert await past.tripped(of("bcdf"), cluster=Pods()) == {"storm"}
    await past.remembers(of("f").model_copy(update={"id": "Q2"}))
    assert await past.tripped(of("bcd"), cluster=Pods()) == {"storm"}
    with pytest.raises(Transient):
        await past.tripped(of("bc"), cluster=Pods(Transient("the API server is away")))


async def test_a_blocking_alert_that_fires_and_one_that_cannot_be_asked_about(past: Past) -> None:
    with PrometheusStandIn() as prometheus:
        metrics = PrometheusSource(PrometheusEndpoint(prometheus.url, timeout_s=2))
        prometheus.observe("ALERTS", {"alertname": "KubeAPIDownToo", "alertstate": "firing"}, 1, ago(seconds=5))
        prometheus.observe("ALERTS", {"alertname": "KubeAPIDown", "alertstate": "pending"}, 1, ago(seconds=5))
        assert await past.tripped(metrics=metrics) == set()
        prometheus.observe("ALERTS", {"alertname": "etcdNoLeader", "alertstate": "firing"}, 1, ago(seconds=5))
        assert await past.tripped(metrics=metrics) == {"blocking-alert"}
        for fault in (Fault.UNAVAILABLE, Fault.UNPROCESSABLE, Fault.HTML, Fault.DROP):
            prometheus.fail(fault)
            assert await past.tripped(metrics=metrics) == {"blocking-alert"}
        looks = Looks(past.store, past.ledger, past.tracker, metrics)
        nothing = Blocking(blocking_alerts=(), major_priorities=())
        assert await BreakerFacts(looks, nothing).collect(context(incident())) == {"breakers": ()}


async def test_another_open_incident_of_the_highest_priority_stops_everything(past: Past) -> None:
    def listed(identity: str, priority: str | None) -> OpenIncident:
        service = Reference(id="PELSE")
        return OpenIncident(
            id=identity, status=IncidentStatus.TRIGGERED, created_at=ago(days=2), service=service, priority=priority
        )

    past.tracker.listed = [listed("Q1", "P1"), listed("Q2", "P2"), listed("Q3", None)]
    assert await past.tripped() == set()
    past.tracker.listed.append(listed("Q4", "sev1 "))
    assert await past.tripped() == {"major-incident"}


async def test_an_action_cools_down_where_it_was_done_and_is_not_joined_by_another_while_it_is_watched(past: Past) -> None:
    done = incident("Q0")
    await past.remembers(done, State.VERIFYING)
    await past.did(ago(minutes=1))
    assert await past.tripped() == {"cooldown", "verifying"}
    assert await past.tripped(proposal=plan("rollout_restart")) == {"verifying"}


async def test_failures_in_a_row_are_told_by_the_ledger_and_by_the_incidents_they_did_not_help(past: Past) -> None:
    await past.remembers(incident("Q0"), State.HANDED_BACK, NOW, "restart_pod")
    later = NOW + timedelta(minutes=30)
    await past.did(ago(minutes=9))
    await past.did(ago(minutes=8), IntentState.UNKNOWN)
    assert await past.tripped(incident("Q1", alert(later)), at=later) == set()
    await past.did(ago(minutes=7), IntentState.NOT_DONE)
    assert await past.tripped(incident("Q1", alert(later)), at=later) == set()
    await past.did(ago(minutes=6), IntentState.FAILED)
    assert await past.tripped(incident("Q1", alert(later)), at=later) == {"failing", "ineffective"}


async def test_an_action_whose_incident_is_gone_counts_as_a_failure(past: Past) -> None:
    for _ in range(3):
        await past.did(ago(hours=1), incident_id="QGONE")
    assert {"failing", "ineffective"} <= await past.tripped()


async def test_loops_and_ratchets_are_seen_a_day_back_and_across_the_names_of_pods(past: Past) -> None:
    await past.remembers(incident("Q0"), at=ago(hours=20))
    later = NOW + timedelta(hours=3)
    gateway = Target(kind="Deployment", namespace="voice", name="gateway", uid="d")
    for letter in "bcd":
        renamed = POD.model_copy(update={"name": f"gateway-7d4b9c6f5-x2x4{letter}", "uid": letter})
        await past.did(ago(hours=1), proposal=plan(target=renamed))
    for _ in range(2):
        await past.did(ago(hours=1), proposal=plan("scale_up", gateway))
    assert await past.tripped(incident("Q1", alert(later)), at=later) == {"ineffective"}
    assert await past.tripped(incident("Q1", alert(later)), at=later, proposal=plan("scale_up", gateway)) == {"ratchet"}
    tomorrow = NOW + timedelta(hours=24, minutes=1)
    assert await past.tripped(incident("Q1", alert(tomorrow)), at=tomorrow) == set()


async def test_flapping_is_told_by_the_deduplication_key_even_of_incidents_that_were_over_before_anybody_looked(past: Past) -> None:
    for n, minutes in enumerate((50, 30)):
        await past.hears(f"Q{n + 5}", at=ago(minutes=minutes), service_id="PVOICE", incident_key="redis-slow")
    await past.hears("Q1", at=ago(seconds=9), service_id="PVOICE", incident_key="redis-slow")
    assert await past.tripped() == {"flapping"}
    assert await past.tripped(incident("Q9", alert())) == set()


async def test_flapping_is_told_by_the_alerts_own_labels_and_by_reopenings(past: Past) -> None:
    for n, minutes in ((2, 40), (3, 20)):
        again = alert(ago(minutes=minutes), uid=f"new-{n}")
        await past.remembers(incident(f"Q{n}", again))
    assert await past.tripped(incident("Q1", alert(uid="another"))) == {"flapping"}
    assert await past.tripped(incident("Q1", alert(pod="another-one"))) == set()
    await past.hears("Q1", at=ago(minutes=40), service_id="PVOICE")
    for minutes in (30, 10):
        await past.hears("Q1", EventKind.REOPENED, ago(minutes=minutes), service_id="PVOICE", agent_id="PAGENT")
    assert await past.tripped(incident("Q1", alert(pod="another-one"))) == {"flapping"}


async def test_flapping_is_told_although_what_is_stored_was_redacted(past: Past) -> None:
    contact = {"contact": "dana.meyer@example.com"}
    for n, minutes in ((2, 40), (3, 20)):
        again = incident(f"Q{n}", alert(ago(minutes=minutes), **contact))
        await past.remembers(Incident.model_validate(redact_json(again.model_dump(mode="json"))))
    assert await past.tripped(incident("Q1", alert(**contact))) == {"flapping"}
    assert await past.tripped(incident("Q1", alert(contact="another"))) == set()


async def test_a_persons_hand_on_the_incident_is_activity_and_the_agents_own_is_not(past: Past) -> None:
    await past.hears("Q1", agent_id="PPERSON")  # a person raised it: that is no work on it
    await past.hears("Q1", EventKind.ANNOTATED, ago(minutes=1), agent_id="PAGENT")
    await past.hears("Q1", EventKind.ANNOTATED, ago(minutes=2), agent_id=None)
    await past.hears("Q2", EventKind.ANNOTATED, ago(minutes=3), agent_id="PPERSON", service_id="PVOICE")
    assert await past.tripped() == set()
    await past.hears("Q1", EventKind.ANNOTATED, ago(minutes=4), agent_id="PPERSON")
    assert await past.tripped() == {"human-activity"}
    assert await past.tripped(incident("Q1", alert(NOW)), at=NOW + timedelta(minutes=56)) == set()


async def test_whoever_pressed_the_button_is_at_work_on_the_incident_known_or_not(past: Past) -> None:
    await past.hears("Q2", EventKind.REQUESTED, ago(minutes=1), agent_id=None, service_id="PVOICE")
    assert await past.tripped() == set()
    await past.hears("Q1", EventKind.REQUESTED, ago(minutes=1), agent_id=None)
    assert await past.tripped() == {"human-activity"}


async def test_a_beginning_that_was_found_and_then_delivered_all_the_same_began_once(past: Past) -> None:
    for minutes in (20, 10):
        await past.hears("Q1", EventKind.REOPENED, ago(minutes=minutes, microseconds=-400_000), service_id="PVOICE")
        await past.hears("Q1", EventKind.REOPENED, ago(minutes=minutes), service_id="PVOICE", door="reconcile")
    assert await past.tripped(incident("Q1", alert(ago(minutes=10)))) == set()
    await past.hears("Q1", EventKind.REOPENED, ago(minutes=5), service_id="PVOICE", door="reconcile")
    assert await past.tripped(incident("Q1", alert(ago(minutes=10)))) == {"flapping"}


async def test_without_a_user_of_its_own_every_note_counts_as_a_persons(past: Past) -> None:
    past.tracker.own_user = None
    await past.hears("Q1", EventKind.ANNOTATED, ago(minutes=1), agent_id="PAGENT")
    assert await past.tripped() == {"human-activity"}


async def test_people_at_another_incident_of_the_service_are_activity(past: Past) -> None:
    held = OpenIncident(id="Q2", status=IncidentStatus.ACKNOWLEDGED, created_at=ago(hours=1), service=Reference(id="PVOICE"))
    past.tracker.listed = [held]
    assert await past.tripped() == set()
    past.tracker.listed = [held.model_copy(update={"acknowledged_by": (Reference(id="PPERSON"),)})]
    assert await past.tripped() == {"human-activity"}
    past.tracker.listed = [past.tracker.listed[0].model_copy(update={"service": Reference(id="PELSE")})]
    assert await past.tripped() == set()


async def test_a_change_of_the_service_a_moment_ago_is_activity(past: Past) -> None:
    assert await past.tripped(diagnosis=changed(ago(minutes=9), "voice")) == {"human-activity"}
    assert await past.tripped(diagnosis=changed(ago(minutes=9))) == {"human-activity"}
    assert await past.tripped(diagnosis=changed(ago(minutes=10), "voice")) == set()
    assert await past.tripped(diagnosis=changed(ago(minutes=9), "shop")) == set()


class Broken:
    """A reader that is away."""

    def __init__(self, what: str) -> None:
        self._what = what

    async def heard(self, *_: object) -> tuple[IncidentEvent, ...]:
        raise Transient(f"no {self._what}")

    past = since = open_incidents = own_user_id = heard


@pytest.mark.parametrize("what", ["incidents", "actions", "elsewhere"])
async def test_what_cannot_be_read_is_an_error_and_never_not_tripped(what: str) -> None:
    whole = {"incidents": MemoryStore(), "actions": MemoryLedger(), "elsewhere": MemoryTracker()}
    looks = Looks(**{**whole, what: Broken(what)})  # pyright: ignore
    facts = await assemble([BreakerFacts(looks, BLOCKING)], context(incident()))
    assert "breakers" in facts.collector_errors
    assert len(facts.breakers) == 10


async def test_more_events_than_can_be_counted_are_a_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sre_agent.policy.breakers.MOST_HEARD", 3)
    past = Past(MemoryStore(), MemoryLedger(), MemoryTracker())
    for n in range(2):
        await past.hears("Q1", EventKind.OTHER, ago(minutes=n))
    assert await past.tripped() == set()
    await past.hears("Q1", EventKind.OTHER, ago(minutes=9))
    assert await past.tripped() == {"storm"}


async def test_an_own_identity_that_cannot_be_told_is_not_an_error_but_makes_everybody_a_person() -> None:
    class Nameless(MemoryTracker):
        async def own_user_id(self) -> str | None:
            raise Permanent("may not list users")

    past = Past(MemoryStore(), MemoryLedger(), Nameless())
    await past.hears("Q1", EventKind.ANNOTATED, ago(minutes=1), agent_id="PAGENT")
    assert await past.tripped() == {"human-activity"}
