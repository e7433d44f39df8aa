import random
from datetime import UTC, datetime, timedelta

from sre_agent.detectors.signals.metrics import MAX_OBJECTS, detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
START = ONSET - timedelta(minutes=30)


def series(name, value, minutes=36, step=15, **labels):
    """Samples of value(seconds since the window's start) from 30 minutes before the onset."""
    stamps = range(0, minutes * 60, step)
    return Series(labels={"__name__": name, **labels}, samples=tuple((START.timestamp() + s, value(s)) for s in stamps))


def view(*found, now=ONSET + timedelta(minutes=6)):
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1", name="Voice-Platform"),
        alerts=(Alert(labels={"redis_master": "cache"}, starts_at=ONSET),),
    )
    scope = Scope(
        incident=incident, now=now, onset=ONSET, window=Window(start=START, end=now), change_window=Window(start=START, end=now)
    )
    payload = [s.model_dump(mode="json") for s in found]
    evidence = Evidence(
        id="e1",
        source="prometheus",
        kind=EvidenceKind.METRICS,
        query="",
        status=EvidenceStatus.OK,
        observed_at=now,
        payload=payload,
    )
    return EvidenceView(scope=scope, evidence=(evidence,))


def noisy(level, seed=1):
    rng = random.Random(seed)
    return lambda s: level * (1 + 0.05 * rng.random())


def stepped(before, after, at=1560, seed=1):
    """A noisy level that changes `at` seconds into the window (1560: four minutes before the onset)."""
    rng = random.Random(seed)
    return lambda s: (after if s >= at else before) * (1 + 0.05 * rng.random())


def test_a_gauge_that_jumps_before_the_onset_is_found_with_its_object_and_time():
    (found,) = detect(view(series("redis_probe_latency_seconds", stepped(0.002, 0.4), redis_master="cache", quantile="0.99")))
    assert found.kind is FindingKind.METRIC_SHIFTED
    assert found.object == "redis/cache"
    assert found.evidence == ("e1",)
    assert abs((found.onset - (ONSET - timedelta(minutes=4))).total_seconds()) <= 15
    assert "redis_probe_latency_seconds" in found.cause
    assert found.strength <= 0.4


def test_a_fall_is_a_shift_too():
    (found,) = detect(view(series("requests_per_second", stepped(200, 20), service="Checkout", namespace="shop")))
    assert (found.object, found.namespace) == ("service/checkout", "shop")


def test_noise_around_a_level_is_not_a_shift():
    assert detect(view(series("latency_seconds", noisy(0.2)), series("queue_depth", noisy(3)))) == ()


def test_a_modest_but_very_regular_change_is_not_a_shift():
    assert detect(view(series("temperature", lambda s: (125.0 if s >= 1560 else 100.0) + s % 7 / 100))) == ()


def test_a_slow_ramp_over_the_whole_window_is_not_a_shift_at_the_onset():
    rng = random.Random(3)
    assert detect(view(series("disk_used_ratio", lambda s: 0.2 + 0.6 * s / 2160 + 0.01 * rng.random()))) == ()


def test_one_outlier_after_the_onset_is_not_a_shift():
    assert detect(view(series("latency_seconds", lambda s: 9.0 if s == 1920 else 0.2 + (s % 7) / 100))) == ()


def test_a_counter_is_compared_by_its_rate_so_its_growth_alone_is_nothing():
    steady = series("requests_total", lambda s: 1_000_000 + 20.0 * s, job="api")
    assert detect(view(steady)) == ()
    faster = series("requests_total", lambda s: 20.0 * s + (180.0 * (s - 1560) if s > 1560 else 0), job="api")
    (found,) = detect(view(faster))
    assert found.object == "app/api"
    assert "20 -> 200" in found.cause


def test_a_counter_reset_is_not_a_shift():
    assert detect(view(series("requests_total", lambda s: 20.0 * s if s < 1900 else 20.0 * (s - 1900), job="api"))) == ()


def test_an_offset_without_a_counters_name_is_still_treated_as_a_counter():
    assert detect(view(series("redis_master_repl_offset", lambda s: 7_000_000 + 1000.0 * s, redis_master="cache"))) == ()


def test_a_flat_line_that_moves_is_found_although_its_deviation_is_zero():
    (found,) = detect(view(series("replicas_ready", lambda s: 3.0 if s < 1600 else 1.0, deployment="api", namespace="voice")))
    assert found.object == "deployment/api"


def test_nan_and_infinity_are_ignored_and_too_few_samples_say_nothing():
    assert detect(view(series("x", lambda s: float("nan")), series("y", lambda s: float("inf")))) == ()
    assert detect(view(series("x", stepped(1, 100), step=600))) == ()
    broken = series("z", lambda s: float("nan") if s % 60 else (1.0 if s < 1560 else 50.0))
    assert len(detect(view(broken))) == 1


def test_an_investigation_that_starts_at_the_onset_looks_at_the_pending_minutes():
    jump = series("latency_seconds", stepped(0.1, 2.0, at=1500), minutes=30, service="api")
    assert [f.object for f in detect(view(jump, now=ONSET))] == ["service/api"]


def test_many_series_of_one_object_are_one_finding_and_objects_are_bounded():
    shards = [series(f"m{i}", stepped(1, 50, seed=i), pod="api-1", namespace="voice") for i in range(6)]
    (one,) = detect(view(*shards))
    assert "and 3 more" in one.cause
    many = [series("m", stepped(1, 50, seed=i), pod=f"api-{i}") for i in range(20)]
    assert len(detect(view(*many))) == MAX_OBJECTS


def test_buckets_and_clocks_are_not_looked_at():
    jump = stepped(1, 500)
    names = ("rpc_seconds_bucket", "process_start_time_seconds", "job_last_success_timestamp_seconds", "build_info")
    assert detect(view(*(series(n, jump) for n in names))) == ()


def test_a_series_that_names_nobody_is_about_the_alerted_service():
    (found,) = detect(view(series("latency_seconds", stepped(1, 9))))
    assert found.object == "app/voice-platform"
