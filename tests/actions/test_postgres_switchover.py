"""POST /switchover against a Patroni stand-in over real HTTP: effect, refusals, crash, lost answer, and never /failover."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.actions.postgres_switchover import PostgresSwitchover, plan_switchover
from sre_agent.adapters.patroni import PatroniWriter
from sre_agent.detectors.stores.patroni import SEEN_ONCE, SEEN_TWICE, detect
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.postgres.patroni import identity, problems
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.execution.action import Readers
from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import IntentState
from sre_agent.facts.patroni import PatroniFacts
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.facts import FactContext, TargetDeclaration
from sre_agent.runbook.proposal import Proposal
from sre_agent.runbook.resolve import resolve
from sre_agent.sources.patroni import PatroniSource
from sre_agent.testing.patroni import PASSWORD, USER, Patroni
from sre_agent.testing.redis_bench import Crashed, RecordingBench
from sre_agent.triage.triage import Triage
from sre_agent.verification.data_stores import patroni_state_ok

UID = "7392847193847192834:pg-1:7"
TARGET = Target(kind="PostgresCluster", name="orders", uid=UID)
ONSET = datetime(2026, 3, 4, 3, 8, tzinfo=UTC)


class Looks:
    """A PatroniReader over the stand-in whose timed answers are told, not waited for: the leader is late, others are not."""

    def __init__(self, patroni, late="pg-1"):
        self.source, self.late = PatroniSource(patroni.urls, call_s=1.0), late

    async def read(self, cluster):
        state = await self.source.glance(cluster)
        taken = {True: (1800.0, None, 1200.0, 12.0), False: (9.0, 8.0, 9.0, 7.0)}
        views = tuple(v.model_copy(update={"answers_ms": taken[v.name == self.late]}) for v in state.views)
        return state.model_copy(update={"views": views})

    async def glance(self, cluster):
        return await self.source.glance(cluster)


class Ticks:
    """A monotonic clock that moves on by some seconds with every look at it."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def patroni():
    with Patroni() as running:
        yield running


def scene(patroni, reader=None, **more):
    hands = Hands(patroni=PatroniWriter(patroni.urls, USER, PASSWORD, send_s=2.0))
    return RecordingBench(hands, Readers(patroni=reader or Looks(patroni)), **more)


def sent(patroni):
    assert not [call for call in patroni.calls if call[1] != "/switchover"]
    return [body for _, _, body in patroni.calls]


async def intent(bench):
    return await bench.intent(PostgresSwitchover(), TARGET)


async def test_a_sick_leader_hands_over_and_streams_from_the_new_one(patroni):
    bench = scene(patroni)
    outcome = await PostgresSwitchover().effect(await intent(bench), bench.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert sent(patroni) == [{"leader": "pg-1", "candidate": "pg-2"}]
    assert bench.steps == ["switchover", "observe"]
    assert bench.asked_after == ["switchover"]
    assert (outcome.measured["timeline_before"], outcome.measured["timeline_after"]) == (7, 8)
    assert patroni_state_ok(await bench.reader.patroni.read("orders"), UID)[0] is True


def spoil(patroni, rule):
    m = patroni.members
    match rule:
        case "patroni-paused":
            patroni.cluster = {"pause": True}
        case "patroni-scheduled":
            patroni.cluster = {"scheduled_switchover": {"at": "2026-03-04T05:00:00+00:00"}}
        case "patroni-leader-changed":
            patroni.timeline = 8
        case "patroni-unseen":
            patroni.stop("pg-2")
            patroni.stop("pg-3")
        case "patroni-leader-silent":
            patroni.stop("pg-1")
        case "patroni-no-candidate":
            m["pg-2"].lag, m["pg-3"].lag = 1, "unknown"
        case "patroni-too-few-replicas":
            m["pg-3"].state = "stopped"


RULES = (
    "patroni-paused",
    "patroni-scheduled",
    "patroni-leader-changed",
    "patroni-unseen",
    "patroni-leader-silent",
    "patroni-no-candidate",
    "patroni-too-few-replicas",
)


@pytest.mark.parametrize("rule", RULES)
async def test_each_precondition_is_refused_by_its_rule_for_action_and_guard_alike(patroni, rule):
    spoil(patroni, rule)
    bench = scene(patroni)
    with pytest.raises(Refused) as no:
        await intent(bench)
    assert no.value.rule == rule
    assert sent(patroni) == []
    assert rule in (await facts(bench.reader.patroni))["unmet"]


@pytest.mark.parametrize(
    "spoiled",
    [
        {"lag": 8192},
        {"lag": "unknown"},
        {"tags": {"nofailover": True}},
        {"tags": {"failover_priority": 0}},
        {"watchdog_failed": True},
        {"timeline": 6},
        {"state": "starting"},
    ],
)
async def test_a_member_that_may_lose_a_write_is_never_the_candidate(patroni, spoiled):
    for name, value in spoiled.items():
        setattr(patroni.members["pg-2"], name, value)
    state = await Looks(patroni).read("orders")
    rules = [rule for rule, _ in problems(state, UID)]
    if "patroni-too-few-replicas" not in rules:
        assert plan_switchover(TARGET, state).candidate == "pg-3"
    patroni.members["pg-3"].role = "sync_standby"
    patroni.members["pg-3"].lag = 100
    assert "patroni-no-candidate" in [rule for rule, _ in problems(await Looks(patroni).read("orders"), UID)]


async def test_in_synchronous_mode_only_a_synchronous_standby_takes_over(patroni):
    patroni.members["pg-3"].role = "sync_standby"
    assert plan_switchover(TARGET, await Looks(patroni).read("orders")).candidate == "pg-3"


async def test_a_leader_that_answers_in_time_or_others_that_do_not_are_not_the_leaders_fault(patroni):
    for late in ("nobody", "pg-2"):
        with pytest.raises(Refused) as no:
            await intent(scene(patroni, Looks(patroni, late)))
        assert no.value.rule == "patroni-leader-not-at-fault"


@pytest.mark.parametrize("rule", ["patroni-paused", "patroni-scheduled", "patroni-leader-changed", "patroni-no-candidate"])
async def test_what_changed_since_is_refused_at_the_last_moment(patroni, rule):
    bench = scene(patroni)
    begun = await intent(bench)
    spoil(patroni, rule)
    with pytest.raises(Refused) as no:
        await PostgresSwitchover().effect(begun, bench.bench())
    assert (no.value.rule, sent(patroni)) == (rule, [])


async def test_a_halt_and_a_long_sleep_before_the_request_send_nothing(patroni):
    bench = scene(patroni, halt_at="switchover")
    with pytest.raises(Refused, match="halted"):
        await PostgresSwitchover().effect(await intent(bench), bench.bench())
    bench = scene(patroni)
    with pytest.raises(Refused, match="slept"):
        await PostgresSwitchover(Ticks(6.0)).effect(await intent(bench), bench.bench())
    assert sent(patroni) == []


@pytest.mark.parametrize("code", [400, 412])
async def test_an_impossible_switchover_is_refused_and_nothing_moved(patroni, code):
    patroni.answer = code
    bench = scene(patroni)
    with pytest.raises(Refused) as no:
        await PostgresSwitchover().effect(await intent(bench), bench.bench())
    assert (no.value.rule, patroni.leader) == ("patroni-impossible", "pg-1")


@pytest.mark.parametrize("code", [202, 503])
async def test_an_answer_that_may_mean_either_is_observed_and_not_sent_again(patroni, code):
    patroni.answer = code
    bench = scene(patroni)
    outcome = await PostgresSwitchover(Ticks(4.9)).effect(await intent(bench), bench.bench())
    assert outcome.state is IntentState.NOT_DONE
    assert len(sent(patroni)) == 1


async def test_a_lost_answer_is_observed_and_not_sent_again(patroni):
    patroni.lost = True
    bench = scene(patroni)
    outcome = await PostgresSwitchover().effect(await intent(bench), bench.bench())
    assert outcome.state is IntentState.DONE, outcome.result
    assert len(sent(patroni)) == 1


async def test_a_crash_before_or_after_the_request_is_told_apart_by_looking(patroni):
    bench = scene(patroni, crash_at="switchover")
    begun = await intent(bench)
    with pytest.raises(Crashed):
        await PostgresSwitchover().effect(begun, bench.bench())
    outcome = await PostgresSwitchover(Ticks(20.0)).recover(bench.left_behind(begun), bench.bench())
    assert (outcome.state, sent(patroni)) == (IntentState.NOT_DONE, [])
    bench = scene(patroni, crash_after="switchover")
    begun = await intent(bench)
    with pytest.raises(Crashed):
        await PostgresSwitchover().effect(begun, bench.bench())
    left = bench.left_behind(begun)
    for _ in range(2):
        assert (await PostgresSwitchover().recover(left, bench.bench())).state is IntentState.DONE
    assert len(sent(patroni)) == 1
    assert (await PostgresSwitchover().recover(begun, bench.bench())).state is IntentState.NOT_DONE


async def test_somebody_elses_failover_is_not_called_ours(patroni):
    bench = scene(patroni)
    begun = (await intent(bench)).model_copy(update={"steps": ("switchover",)})
    patroni.leader, patroni.timeline = "pg-3", 8
    outcome = await PostgresSwitchover().recover(begun, bench.bench())
    assert outcome.state is IntentState.FAILED
    assert "own failover" in outcome.result


async def test_the_hands_need_their_own_user_and_say_when_nothing_was_sent(patroni):
    with pytest.raises(Permanent, match="PATRONI_WRITE_USERNAME"):
        await PatroniWriter(patroni.urls, USER, "guessed").switchover("pg-1", "pg-2")
    assert patroni.leader == "pg-1"
    with pytest.raises(Transient) as never:
        await PatroniWriter(("http://127.0.0.1:1",), USER, PASSWORD).switchover("pg-1", "pg-2")
    assert not isinstance(never.value, OutcomeUnknown)
    patroni.stop("pg-1")
    await PatroniWriter(patroni.urls, USER, PASSWORD).switchover("pg-1", "pg-2")
    assert patroni.leader == "pg-2"


async def test_verification_sees_a_bad_end_and_says_when_it_cannot_see(patroni):
    source = PatroniSource(patroni.urls, call_s=1.0)
    assert patroni_state_ok(await source.glance("orders"), UID) == (False, "the old leader still leads")
    patroni.leader, patroni.timeline = "pg-2", 8
    patroni.members["pg-1"].timeline = 7
    assert patroni_state_ok(await source.glance("orders"), UID)[0] is False
    patroni.stop("pg-2")
    patroni.stop("pg-3")
    assert patroni_state_ok(await source.glance("orders"), UID)[0] is None


async def test_a_really_slow_leader_is_measured_and_another_clusters_name_is_refused(patroni):
    patroni.members["pg-1"].slow_s = 1.05
    state = await PatroniSource(patroni.urls).read("orders")
    assert "patroni-leader-not-at-fault" not in [rule for rule, _ in problems(state, UID)]
    assert identity(state) == UID
    with pytest.raises(Permanent, match="PATRONI_URLS"):
        await PatroniSource(patroni.urls).glance("invoices")


def view(state, *series):
    window = Window(start=ONSET - timedelta(minutes=15), end=ONSET + timedelta(minutes=3))
    alerts = (Alert(labels={"patroni_cluster": "orders"}),)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"), alerts=alerts)
    told = [("patroni", EvidenceKind.POSTGRES, state.model_dump(mode="json"))]
    told += [("prometheus", EvidenceKind.METRICS, [s.model_dump(mode="json")]) for s in series]
    found = tuple(
        Evidence(id=f"e{n}", source=source, kind=kind, query="", status=EvidenceStatus.OK, observed_at=ONSET, payload=payload)
        for n, (source, kind, payload) in enumerate(told, start=1)
    )
    return EvidenceView(scope=Scope(incident=incident, now=ONSET, onset=ONSET, window=window, change_window=window), evidence=found)


async def facts(reader, target=TARGET):
    context = FactContext(
        incident=Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1")),
        triage=Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd"),
        diagnosis=Diagnosis(),
        proposal=Proposal(incident_id="Q1", runbook="postgres-switchover", action="postgres_switchover", target=target),
        declaration=TargetDeclaration(managed=True),
        human_acknowledged=False,
        now=ONSET,
    )
    return await PatroniFacts(reader).collect(context)


async def test_a_sick_leader_is_found_resolved_and_told_to_the_guard(patroni):
    at = ONSET.timestamp()
    samples = tuple((at + s, 0.9 if s >= -20 else 0.01 * (1 + s % 3 / 50)) for s in range(-900, 181, 15))
    series = Series(labels={"__name__": "postgres_probe_latency_seconds", "patroni_cluster": "orders"}, samples=samples)
    state = await Looks(patroni).read("orders")
    (found,) = detect(view(state, series))
    assert (found.object, found.strength, found.evidence) == ("postgres/orders", SEEN_TWICE, ("e1", "e2"))
    assert [f.strength for f in detect(view(state))] == [SEEN_ONCE]
    assert detect(view(await Looks(patroni, "nobody").read("orders"), series)) == ()
    resolved = resolve("PostgresCluster", found, view(state))
    assert (resolved.target, resolved.generation) == (TARGET, UID)
    assert await facts(Looks(patroni)) == {"target_resolved": True, "unmet": (), "touches_behaviour": False}
    assert await facts(Looks(patroni), Target(kind="Pod", name="orders", uid=UID)) == {}
