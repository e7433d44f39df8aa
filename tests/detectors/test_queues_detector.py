"""Queues: what their own events say, what metrics say of it, and what follows for target, facts and verification."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.stores.queues import DISPUTED, SEEN_ONCE, SEEN_TWICE, detect
from sre_agent.detectors.stores.redis import detect as detect_sentinel
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.redis.queue_health import WORDS, unmet_for_pause, unmet_for_resume
from sre_agent.evidence.redis.queue_state import QueueState, Recent, Since, identity, reason_kind, recent, since
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.facts.queue import QueueFacts
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.investigation.place import nearness, observed
from sre_agent.policy.facts import FactContext, TargetDeclaration
from sre_agent.runbook.proposal import Proposal
from sre_agent.runbook.resolve import resolve
from sre_agent.triage.triage import Triage
from sre_agent.verification.probe import Probes
from sre_agent.verification.queues import queue_ok

ONSET = datetime(2026, 3, 4, 3, 8, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=3)
NOW_MS = int(NOW.timestamp() * 1000)
RUN_ID = "0123456789abcdef0123456789abcdef01234567"
LABELS = {"queue": "Calls"}
FAILING = Recent(completed=4, failed=14, reasons={"downstream": 14})
OUR_EVENT = f"{NOW_MS - 1_200_000}-0"
OURS = {
    "paused": "1",
    "sre-agent:owner": "a" * 64,
    "sre-agent:plan": "b" * 64,
    "sre-agent:until": str(NOW_MS - 300_000),
    "sre-agent:event": OUR_EVENT,
    "sre-agent:waiting": "40",
}


def state(meta=None, **more):
    fields = {
        "name": "Calls",
        "at_ms": NOW_MS,
        "run_id": RUN_ID,
        "role": "master",
        "used_memory": 10,
        "max_memory": 100,
        "eviction": "noeviction",
        "meta": {"version": "bullmq:6.7.0", **(meta or {})},
        "waiting": 38,
        "prioritized": 2,
        "recent": FAILING,
        **more,
    }
    return QueueState(**fields)


def left(**more):
    return state(OURS, recent=Recent(), since=Since(kept=True), **more)


def counter(name, per_minute, **labels):
    points = tuple((NOW.timestamp() + 15 * n, 1000 + per_minute / 4 * (n + 80)) for n in range(-80, 1))
    return Series(labels={"__name__": name, "queue": "Calls", **labels}, samples=points)


def gauge(name, value, **labels):
    points = tuple((NOW.timestamp() + 15 * n, value + n % 2) for n in range(-80, 1))
    return Series(labels={"__name__": name, "queue": "Calls", **labels}, samples=points)


def view(seen, *series, labels=None):
    alerts = (Alert(labels=LABELS if labels is None else labels),)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"), alerts=alerts)
    told = [("bullmq", EvidenceKind.REDIS, seen.model_dump(mode="json"))]
    told += [("prometheus", EvidenceKind.METRICS, [s.model_dump(mode="json")]) for s in series]
    found = tuple(
        Evidence(id=f"e{n}", source=source, kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, payload=payload)
        for n, (source, kind, payload) in enumerate(told, start=1)
    )
    window = Window(start=ONSET - timedelta(minutes=15), end=NOW)
    return EvidenceView(scope=Scope(incident=incident, now=NOW, onset=ONSET, window=window, change_window=window), evidence=found)


BOTH = (counter("jobs_failed_total", 30), counter("jobs_completed_total", 5))


def test_failing_jobs_seen_by_two_kinds_of_evidence_are_a_strong_finding_about_the_queue():
    seen = view(state(), *BOTH)
    (found,) = detect(seen)
    assert (found.kind, found.object) == (FindingKind.QUEUE_DOWNSTREAM_FAILING, "queue/calls")
    assert (found.strength, found.evidence) == (SEEN_TWICE, ("e1", "e2", "e3"))
    assert found.alert_class is AlertClass.INFRA
    assert nearness(found, seen.scope.incident) == 2
    assert observed(seen)


@pytest.mark.parametrize(
    ("series", "strength"),
    [
        ((), SEEN_ONCE),
        ((counter("jobs_failed_total", 5), counter("jobs_completed_total", 30)), DISPUTED),
        ((counter("jobs_failed_total", 30),), SEEN_ONCE),
        ((counter("bullmq_jobs_total", 30, status="failed"), counter("bullmq_jobs_total", 5, status="completed")), SEEN_TWICE),
        (tuple(s.model_copy(update={"labels": s.labels | {"queue": "other"}}) for s in BOTH), SEEN_ONCE),
        (tuple(s.model_copy(update={"samples": s.samples[:40]}) for s in BOTH), SEEN_ONCE),
    ],
)
def test_without_metrics_that_agree_it_is_weak(series, strength):
    (found,) = detect(view(state(), *series))
    assert found.strength == strength
    assert (found.evidence != ("e1",)) is (strength == SEEN_TWICE)


def test_jobs_that_fail_at_a_model_are_a_models_problem():
    mixed = FAILING.model_copy(update={"reasons": {"downstream": 12, "model": 2}})
    (found,) = detect(view(state(recent=mixed), *BOTH))
    assert (found.kind, found.alert_class) == (FindingKind.QUEUE_MODEL_ERRORS, AlertClass.MODEL)


@pytest.mark.parametrize(
    "quiet",
    [
        Recent(completed=10, failed=10, reasons={"downstream": 10}),
        Recent(failed=9, reasons={"downstream": 9}),
        Recent(failed=20, reasons={"downstream": 10, "other": 10}),
        Recent(failed=20),
        Recent(),
    ],
)
def test_half_too_few_or_unexplained_failures_are_no_finding(quiet):
    assert detect(view(state(recent=quiet), *BOTH)) == ()


def test_our_own_pause_is_left_paused_once_its_time_is_over_and_never_before():
    backlog = gauge("bullmq_job_count", 40, state="waiting")
    (found,) = detect(view(left(), backlog))
    assert (found.kind, found.strength, found.evidence) == (FindingKind.QUEUE_LEFT_PAUSED, SEEN_TWICE, ("e1", "e2"))
    assert found.onset == datetime.fromtimestamp((NOW_MS - 1_200_000) / 1000, UTC)
    for other in (counter("waiting_total", 9), counter("job_wait_seconds_count", 9), gauge("bullmq_job_count", 40, state="active")):
        assert [f.strength for f in detect(view(left(), other))] == [SEEN_ONCE]
    (alone,) = detect(view(left()))
    assert (alone.strength, alone.evidence) == (SEEN_ONCE, ("e1",))
    assert detect(view(left(at_ms=NOW_MS - 300_001), backlog)) == ()
    assert detect(view(state({"paused": "1"}), backlog)) == ()


def test_a_queue_is_not_taken_for_a_sentinel_managed_redis_and_an_unread_one_for_nothing():
    assert detect_sentinel(view(state(), *BOTH)) == ()
    assert detect(view(QueueState(name="Calls", error="no answer"), *BOTH)) == ()
    assert not observed(view(QueueState(name="Calls", error="no answer")))


def test_the_target_is_the_queue_that_the_alert_names_in_the_process_and_pause_that_were_seen():
    (found,) = detect(view(state(), *BOTH))
    resolved = resolve("Queue", found, view(state(), *BOTH))
    assert resolved.target == Target(kind="Queue", name="Calls", uid=f"{RUN_ID}/bull:Calls")
    (paused,) = detect(view(left()))
    assert resolve("Queue", paused, view(left())).target.uid == f"{RUN_ID}/bull:Calls/paused:{'a' * 16}"
    assert identity(state({"paused": "1"})).endswith("/paused:not-ours")


@pytest.mark.parametrize("labels", [{}, {"queue": "other"}, {"queue": ""}, {"pod": "Calls"}])
def test_a_label_that_names_no_seen_queue_resolves_to_nothing(labels):
    (found,) = detect(view(state(), *BOTH))
    assert resolve("Queue", found, view(state(), *BOTH, labels=labels)) is None


UNFIT = {
    "queue-unseen": {"run_id": ""},
    "queue-changed": {"run_id": "f" * 40},
    "queue-not-primary": {"role": "slave"},
    "queue-untagged": {"clustered": True},
    "queue-version": {"meta": {"version": "bullmq:5.99.9"}},
    "queue-bull": {"bull_flag": True},
    "queue-legacy-jobs": {"paused_list": True},
    "queue-memory": {"used_memory": 70},
    "queue-evicts": {"eviction": "volatile-lru"},
    "queue-jobs-well": {"recent": Recent(completed=10, failed=10, reasons={"downstream": 10})},
    "queue-model-errors": {"recent": FAILING.model_copy(update={"reasons": {"downstream": 12, "model": 2}})},
    "queue-cause-unknown": {"recent": FAILING.model_copy(update={"reasons": {"other": 14}})},
}


@pytest.mark.parametrize("rule", UNFIT)
def test_each_condition_of_a_pause_alone_refuses(rule):
    assert unmet_for_pause(state(**UNFIT[rule]), identity(state())) == (rule,)
    assert rule in WORDS


def test_the_edges_of_a_pause():
    uid = identity(state())
    assert unmet_for_pause(state(), uid) == ()
    assert unmet_for_pause(state(used_memory=69), uid) == ()
    assert unmet_for_pause(state(max_memory=0), uid) == ("queue-memory",)
    assert unmet_for_pause(state({"version": "bullmq:6.0.0"}), uid) == ()
    assert unmet_for_pause(state({"version": "bullmq:10.0.0"}), uid) == ()
    assert unmet_for_pause(state({"version": "bullmq-pro:6.0.0"}), uid) == ("queue-version",)
    assert unmet_for_pause(state({"version": ""}), uid) == ("queue-version",)
    tagged = state(prefix="{bull}", clustered=True)
    assert unmet_for_pause(tagged, identity(tagged)) == ()
    empty = state(prefix="{}", clustered=True)
    assert unmet_for_pause(empty, identity(empty)) == ("queue-untagged",)
    ours = left().model_copy(update={"recent": FAILING})
    assert unmet_for_pause(ours, identity(ours)) == ("queue-already-paused",)


def test_only_our_own_pause_since_which_nobody_else_touched_it_may_be_taken_back():
    uid = identity(left())
    assert unmet_for_resume(left(), uid) == ()
    assert unmet_for_resume(left().model_copy(update={"since": Since(kept=True, flips=1)}), uid) == ("queue-paused-again",)
    assert unmet_for_resume(left().model_copy(update={"since": Since()}), uid) == ("queue-paused-again",)
    theirs = state({"paused": "1"})
    assert unmet_for_resume(theirs, identity(theirs)) == ("queue-not-our-pause",)
    resumed = state({k: v for k, v in OURS.items() if k != "paused"})
    assert unmet_for_resume(resumed, uid) == ("queue-changed", "queue-not-our-pause")


class Read:
    """A QueueReader that answers with one state."""

    def __init__(self, seen):
        self.seen = seen

    async def read(self, queue):
        return self.seen


async def facts(seen, target, action="pause_queue"):
    context = FactContext(
        incident=view(seen).scope.incident,
        triage=Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd"),
        diagnosis=Diagnosis(),
        proposal=Proposal(incident_id="Q1", runbook="pause-queue", action=action, target=target),
        declaration=TargetDeclaration(managed=True),
        human_acknowledged=False,
        now=NOW,
    )
    return await QueueFacts(Read(seen)).collect(context)


async def test_the_guard_is_told_that_all_is_met_or_what_is_not():
    target = Target(kind="Queue", name="Calls", uid=identity(state()))
    assert await facts(state(), target) == {"target_resolved": True, "unmet": (), "touches_behaviour": False}
    moved = await facts(state(run_id="f" * 40), target)
    assert (moved["target_resolved"], moved["unmet"]) == (False, ("queue-changed",))
    assert (await facts(state(), target, "drain_queue")) == {
        "target_resolved": True,
        "unmet": ("action-unknown",),
        "touches_behaviour": True,
    }
    paused = target.model_copy(update={"uid": identity(left())})
    assert (await facts(left(), paused, "resume_queue"))["unmet"] == ()
    assert await facts(state(), Target(kind="RedisMaster", name="Calls", uid="u")) == {}


async def judged(seen, action="pause_queue", uid=f"{RUN_ID}/bull:Calls"):
    proposal = Proposal(incident_id="Q1", runbook="r", action=action, target=Target(kind="Queue", name="Calls", uid=uid))
    sample = await Probes(queues=Read(seen)).sample(proposal, None, None, NOW)
    assert sample.state_ok is queue_ok(seen, proposal)[0]
    return sample.state_ok


async def test_a_pause_has_worked_once_nothing_runs_and_nothing_is_missing():
    assert await judged(left()) is True
    assert await judged(left(active=3)) is False
    assert await judged(left(waiting=37)) is False
    assert await judged(left().model_copy(update={"since": Since(kept=True, flips=2)})) is False
    assert await judged(left().model_copy(update={"since": Since()})) is None
    assert await judged(state()) is False
    assert await judged(left(run_id="f" * 40)) is None
    assert await judged(QueueState(name="Calls", error="gone")) is None


async def test_a_resumption_has_worked_once_jobs_are_taken_and_no_longer_fail():
    resumed, uid = {"sre-agent:resumed": "c" * 64}, f"{RUN_ID}/bull:Calls/paused:{'a' * 16}"
    well = Recent(completed=20)
    assert await judged(state(resumed, recent=well), "resume_queue", uid) is True
    assert await judged(state(resumed), "resume_queue", uid) is False
    assert await judged(state(resumed, recent=Recent()), "resume_queue", uid) is False
    assert await judged(state(resumed, recent=Recent(), waiting=0, prioritized=0), "resume_queue", uid) is True
    assert await judged(left(), "resume_queue", uid) is False
    assert await judged(state(recent=well), "resume_queue", uid) is False


def test_waiting_jobs_are_conserved_or_missing():
    moved = Since(kept=True, added=5, taken=2, removed=1)
    assert state(OURS, since=moved, waiting=42, prioritized=0).lost == 0
    assert state(OURS, since=moved, waiting=40, prioritized=0).lost == 2
    assert state(OURS, since=Since(), waiting=0, prioritized=0).lost == 0


def test_events_since_a_pause_count_only_when_they_reach_back_to_it():
    told = [("5-0", {"event": "paused"}), ("6-0", {"event": "waiting"}), ("7-0", {"event": "removed", "prev": "wait"})]
    assert since(told, "5-0") == Since(kept=True, added=1, removed=1)
    assert since([*told, ("8-0", {"event": "resumed"})], "5-0").flips == 1
    assert since(told, "4-0") == since([], "5-0") == since(told, "") == Since()


def test_jobs_are_counted_by_how_they_ended_and_those_that_go_on_are_not():
    told = [
        ("1-0", {"event": "active", "jobId": "1"}),
        ("2-0", {"event": "delayed", "jobId": "1"}),
        ("3-0", {"event": "delayed", "jobId": "9"}),
        ("4-0", {"event": "waiting", "jobId": "2", "prev": "active"}),
        ("5-0", {"event": "failed", "jobId": "3", "failedReason": "read ECONNRESET"}),
        ("6-0", {"event": "completed", "jobId": "4"}),
        ("7-0", {"event": "failed", "jobId": "5"}),
    ]
    assert recent(told) == Recent(completed=1, failed=2, reasons={"downstream": 1, "other": 1})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("connect ETIMEDOUT 10.0.0.1:5432", "downstream"),
        ("Request failed with status code 503", "downstream"),
        ("OpenAI: Request failed with status code 503", "model"),
        ("maximum context length exceeded", "model"),
        ("response does not match the JSON schema", "model"),
        ("429 Too Many Requests", "tool"),
        ("Cannot read properties of undefined", "other"),
        ("", "other"),
    ],
)
def test_a_reason_is_sorted_and_a_model_comes_first(text, kind):
    assert reason_kind(text) == kind
