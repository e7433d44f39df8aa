"""SERVICE_SLOW and SERVICE_FAILING: the deepest service that moved together with the alerted one, and nobody else."""

import random
from datetime import UTC, datetime, timedelta

from sre_agent.detectors.signals.service_path import detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CALLS = [("shop", "cart"), ("shop", "search"), ("cart", "prices"), ("prices", "db"), ("other", "elsewhere")]
FAULT = (0.0, 0.1, 1.0, 0.9, 0.2)


def series(service, before, added, name="latency_average", seed=1, shape=FAULT):
    """An hour of noise, one sample a minute, then five minutes with `added` times the shape of the fault."""
    rng = random.Random(seed)
    quiet = [(ONSET.timestamp() - 60 * (60 - i), before * (1 + 0.02 * rng.random())) for i in range(60)]
    loud = [(ONSET.timestamp() + 60 * i, before + added * s) for i, s in enumerate(shape)]
    return Series(labels={"__name__": name, "service": service}, samples=(*quiet, *loud))


def view(*told, title="latency of shop is above its objective", calls=CALLS, service="shop"):
    incident = Incident(
        id="Q1",
        title=title,
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1", name=service),
        alerts=(Alert(labels={"service": service}, starts_at=ONSET),),
    )
    now = ONSET + timedelta(minutes=5)
    window = Window(start=ONSET - timedelta(hours=1), end=now)
    scope = Scope(incident=incident, now=now, onset=ONSET, window=window, change_window=window)

    def said(number, kind, payload):
        return Evidence(
            id=f"e{number}", source="x", kind=kind, query="", status=EvidenceStatus.OK, observed_at=now, payload=payload
        )

    metrics = said(1, EvidenceKind.METRICS, [s.model_dump(mode="json") for s in told])
    graph = said(2, EvidenceKind.TOPOLOGY, {"calls": [list(c) for c in calls]})
    return EvidenceView(scope=scope, evidence=(metrics, graph) if calls else (metrics,))


def objects(found):
    return [f.object for f in found]


def test_the_deepest_slow_service_is_named_before_those_that_wait_for_it():
    told = view(
        series("shop", 0.1, 0.5), series("cart", 0.05, 0.5, seed=2), series("prices", 0.01, 0.5, seed=3), series("db", 0.002, 0.0)
    )
    found = detect(told)
    assert objects(found) == ["service/prices", "service/cart", "service/shop"]
    assert {f.kind for f in found} == {FindingKind.SERVICE_SLOW}
    assert found[0].evidence == ("e1", "e2")
    assert found[0].onset == ONSET + timedelta(minutes=2)
    assert found[0].strength <= 0.5


def test_a_service_that_is_slow_at_other_moments_is_not_on_the_path():
    told = view(series("shop", 0.1, 0.5), series("search", 0.05, 5.0, seed=2, shape=(1.0, 1.0, 0.0, 0.0, 1.0)))
    assert objects(detect(told)) == ["service/shop"]


def test_a_service_whose_part_in_the_delay_is_tiny_is_not_on_the_path():
    told = view(series("shop", 0.1, 0.5), series("cart", 0.05, 0.02, seed=2))
    assert objects(detect(told)) == ["service/shop"]


def test_a_service_that_the_alerted_one_does_not_reach_is_not_on_the_path():
    told = view(series("shop", 0.1, 0.5), series("elsewhere", 0.05, 0.5, seed=2))
    assert objects(detect(told)) == ["service/shop"]


def test_a_service_within_its_own_habits_is_not_on_the_path():
    spiky = series("cart", 0.05, 0.5, seed=2)
    habit = tuple((t, 2.0 if i % 7 == 0 and i < 60 else v) for i, (t, v) in enumerate(spiky.samples))
    told = view(series("shop", 0.1, 0.5), Series(labels=spiky.labels, samples=habit))
    assert objects(detect(told)) == ["service/shop"]


def test_an_alert_on_availability_compares_availability_not_latency():
    told = view(
        series("shop", 0.1, 0.5),
        series("search", 0.1, 0.5, seed=2),
        series("shop", 99.5, -4.0, "availability_average", seed=3),
        series("cart", 99.5, -9.0, "availability_average", seed=4),
        title="availability of shop is below its objective",
    )
    found = detect(told)
    assert objects(found) == ["service/cart", "service/shop"]
    assert {f.kind for f in found} == {FindingKind.SERVICE_FAILING}


def test_what_is_seen_from_the_callers_side_alone_comes_after_what_answers_for_itself():
    calls = [("shop", "cart"), ("shop", "cart.example.com_remote")]
    told = view(
        series("shop", 0.1, 0.5), series("cart", 0.1, 0.5, seed=2), series("cart.example.com_remote", 0.1, 0.9, seed=3), calls=calls
    )
    assert objects(detect(told))[:2] == ["service/cart", "service/cart.example.com_remote"]


def test_services_that_call_each_other_in_a_circle_end():
    calls = [("shop", "cart"), ("cart", "shop"), ("cart", "cart")]
    told = view(series("shop", 0.1, 0.5), series("cart", 0.1, 0.5, seed=2), calls=calls)
    assert set(objects(detect(told))) == {"service/shop", "service/cart"}


def test_without_a_call_graph_or_the_alerted_service_nothing_is_said():
    assert detect(view(series("shop", 0.1, 0.5), calls=())) == ()
    assert detect(view(series("cart", 0.1, 0.5))) == ()
    assert detect(view(series("shop", 0.1, 0.0), series("cart", 0.1, 0.5, seed=2, shape=(1.0,)))) == ()


def test_gaps_and_nan_in_the_samples_say_nothing_by_themselves():
    broken = series("cart", 0.05, float("nan"), seed=2)
    assert objects(detect(view(series("shop", 0.1, 0.5), broken))) == ["service/shop"]


def test_a_leaf_without_a_telling_name_comes_after_the_sibling_that_is_traced():
    calls = [("shop", "cart"), ("shop", "lb-17"), ("cart", "prices")]
    told = view(
        series("shop", 0.1, 0.5),
        series("cart", 0.1, 0.5, seed=2),
        series("lb-17", 0.1, 0.9, seed=3),
        series("prices", 0.1, 0.0, seed=4),
        calls=calls,
    )
    assert objects(detect(told))[:2] == ["service/cart", "service/lb-17"]


def test_a_service_that_nobody_measures_is_walked_through_and_one_that_did_not_move_is_not():
    deep = (series("shop", 0.1, 0.5), series("prices", 0.01, 0.5, seed=3))
    assert objects(detect(view(*deep))) == ["service/prices", "service/shop"]
    assert objects(detect(view(*deep, series("cart", 0.05, 0.0, seed=2)))) == ["service/shop"]


def test_where_nobody_moved_at_quite_the_same_moments_the_likeliest_is_told_and_what_moved_against_it_is_not():
    later = (0.0, 1.0, 0.6, 0.9, 0.2)
    against = (1.0, 0.9, 0.0, 0.1, 0.9)
    told = view(series("shop", 0.1, 0.5), series("search", 0.1, 0.5, seed=2, shape=later))
    found = detect(told)
    assert objects(found) == ["service/search", "service/shop"]
    assert found[0].strength < 0.5
    assert "not exactly" in found[0].cause
    told = view(series("shop", 0.1, 0.5), series("search", 0.1, 0.5, seed=2, shape=against))
    assert objects(detect(told)) == ["service/shop"]


def test_an_alert_that_fires_minutes_after_the_step_still_leads_to_the_deepest():
    def stepped(service, before, added, seed, minutes=4):
        rng = random.Random(seed)
        at = [ONSET.timestamp() + 60 * i for i in range(-60, 6)]
        loud = [(t, before * (1 + 0.02 * rng.random()) + (added if t >= ONSET.timestamp() - 60 * minutes else 0.0)) for t in at]
        return Series(labels={"__name__": "latency_average", "service": service}, samples=tuple(loud))

    told = (stepped("shop", 0.1, 0.5, 1), stepped("cart", 0.05, 0.5, 2), stepped("prices", 0.01, 0.5, 3))
    assert objects(detect(view(*told, series("db", 0.002, 0.0))))[0] == "service/prices"
    assert objects(detect(view(told[0], series("cart", 0.05, 0.0, seed=2)))) == ["service/shop"]


def test_a_circle_below_the_alerted_service_ends_too_also_through_one_that_nobody_measures():
    calls = [("shop", "cart"), ("cart", "prices"), ("prices", "cart"), ("prices", "unmeasured"), ("unmeasured", "prices")]
    told = view(series("shop", 0.1, 0.5), series("cart", 0.05, 0.5, seed=2), series("prices", 0.01, 0.5, seed=3), calls=calls)
    assert objects(detect(told))[-1] == "service/shop"


def test_an_alert_without_anything_unusual_names_nobody():
    usual = [series(n, 0.1, 0.0005, seed=i) for i, n in enumerate(("shop", "cart", "search"))]
    assert detect(view(*usual)) == ()


def test_one_sample_of_many_a_little_beyond_the_usual_is_chance_and_one_far_beyond_is_not():
    little, far = (0.0,) * 9 + (0.0025,), (0.0,) * 9 + (0.05,)
    assert detect(view(series("shop", 0.1, 1.0, shape=little))) == ()
    assert objects(detect(view(series("shop", 0.1, 1.0, shape=far)))) == ["service/shop"]
