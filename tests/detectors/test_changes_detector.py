import random
from datetime import UTC, datetime, timedelta

from sre_agent.detectors.signals.changes import detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=30)
LIVE = ONSET - timedelta(hours=2)


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def change(kind="prompt", target="prompt/intent-router", before=timedelta(hours=2), **more):
    return {"at": iso(ONSET - before), "kind": kind, "target": target, "from": "42", "to": "43", **more}


def scores(version, level, start, n=40, minutes=5, name="intent_accuracy", spread=0.03, **more):
    rng = random.Random(f"{version}{level}")
    rows = []
    for i in range(n):
        value = level + rng.uniform(-spread, spread)
        rows.append({"name": name, "timestamp": iso(start + timedelta(minutes=minutes * i)), "value": value})
        rows[-1] |= {"prompt": "intent-router", "version": version} if version is not None else {}
        rows[-1] |= more
    return rows


def view(changes=(), rows=(), prompts=(), labels=None):
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="PSVC001", name="voice-platform"),
        alerts=(Alert(labels=labels or {"alert_type": "model", "deployment": "api"}, starts_at=ONSET),),
    )
    scope = Scope(
        incident=incident,
        now=NOW,
        onset=ONSET,
        window=Window.before(NOW, timedelta(hours=1)),
        change_window=Window(start=ONSET - timedelta(hours=24), end=NOW),
    )
    evidence = []
    for number, (kind, payload) in enumerate(
        (
            (EvidenceKind.CHANGES, [_dumped(c) for c in changes]),
            (EvidenceKind.LANGFUSE, {"scores": list(rows), "prompts": list(prompts)}),
        )
    ):
        status = EvidenceStatus.OK if payload else EvidenceStatus.NO_DATA
        evidence.append(
            Evidence(id=f"e{number + 1}", source="x", kind=kind, query="", status=status, observed_at=NOW, payload=payload)
        )
    return EvidenceView(scope=scope, evidence=tuple(evidence))


def _dumped(raw):
    return {**{k: v for k, v in raw.items() if k not in ("from", "to")}, "from_version": raw["from"], "to_version": raw["to"]}


def kinds(*args, **kwargs):
    return [(f.kind.value, f.object) for f in detect(view(*args, **kwargs))]


BEFORE = scores(42, 0.91, LIVE - timedelta(hours=4))
AFTER = scores(43, 0.84, LIVE)


def test_a_score_that_fell_with_the_new_version_is_a_regression_citing_both_sources():
    (found,) = detect(view([change()], BEFORE + AFTER))
    assert found.kind is FindingKind.PROMPT_REGRESSION
    assert found.object == "prompt/intent-router"
    assert found.evidence == ("e1", "e2")
    assert found.onset == LIVE
    assert found.strength >= 0.8
    assert "0.91" in found.cause
    assert "0.84" in found.cause
    assert "42" in found.refuted_by


def test_hourly_means_with_counts_say_the_same():
    rows = [{**r, "count": 50} for r in scores(42, 0.91, LIVE - timedelta(hours=6), n=6, minutes=60)]
    rows += [{**r, "count": 120} for r in scores(43, 0.78, LIVE, n=2, minutes=60)]
    assert kinds([change()], rows) == [("prompt_regression", "prompt/intent-router")]


def test_three_hourly_means_of_few_scores_are_judged_by_the_widest_spread_they_can_have():
    rows = [{**r, "count": 8} for r in scores(42, 0.91, LIVE - timedelta(hours=3), n=3, minutes=60, spread=0)]
    rows += [{**r, "count": 8} for r in scores(43, 0.80, LIVE, n=3, minutes=60, spread=0)]
    assert kinds([change()], rows) == [("prompt_changed", "prompt/intent-router")]
    rows = [{**r, "count": 800} for r in rows]
    assert kinds([change()], rows) == [("prompt_regression", "prompt/intent-router")]


def test_langfuse_alone_is_enough_by_its_prompt_record_or_by_the_versions_in_the_scores():
    record = {"name": "intent-router", "version": 43, "labels": ["production"], "created_at": iso(LIVE), "updated_at": iso(LIVE)}
    assert kinds((), BEFORE + AFTER, [record]) == [("prompt_regression", "prompt/intent-router")]
    assert kinds((), BEFORE + AFTER) == [("prompt_regression", "prompt/intent-router")]


def test_a_label_moved_back_to_an_old_version_is_dated_by_its_update():
    record = {"name": "p", "version": 7, "labels": ["production"], "created_at": "2025-01-01T00:00:00Z", "updated_at": iso(LIVE)}
    assert kinds((), (), [record]) == [("prompt_changed", "prompt/p")]
    assert kinds((), (), [{**record, "labels": ["staging"]}]) == []
    assert kinds((), (), [{**record, "updated_at": None}]) == []


def test_equal_scores_make_it_a_mere_change():
    rows = BEFORE + scores(43, 0.912, LIVE)
    assert kinds([change()], rows) == [("prompt_changed", "prompt/intent-router")]


def test_a_rise_or_a_fall_of_one_percent_is_no_regression():
    assert kinds([change()], BEFORE + scores(43, 0.97, LIVE)) == [("prompt_changed", "prompt/intent-router")]
    slight = BEFORE + scores(43, 0.899, LIVE, n=400, minutes=0)
    assert kinds([change()], slight) == [("prompt_changed", "prompt/intent-router")]


def test_too_few_scores_of_the_new_version_prove_nothing():
    assert kinds([change()], BEFORE + AFTER[:9]) == [("prompt_changed", "prompt/intent-router")]


def test_a_wild_score_must_fall_further_than_its_noise():
    wild = scores(42, 0.6, LIVE - timedelta(hours=4), n=12, spread=0) + scores(43, 0.55, LIVE, n=12, spread=0)
    for i, row in enumerate(wild):
        row["value"] += 0.35 if i % 2 else -0.35
    assert kinds([change()], wild) == [("prompt_changed", "prompt/intent-router")]


def test_a_score_that_had_fallen_before_the_switch_is_not_the_prompts_fault():
    fallen = scores(42, 0.91, LIVE - timedelta(hours=6), n=40) + scores(42, 0.80, LIVE - timedelta(hours=2), n=20)
    assert kinds([change()], fallen + scores(43, 0.80, LIVE)) == [("prompt_changed", "prompt/intent-router")]


def test_an_error_score_regresses_upwards_and_answer_relevance_is_not_an_error_rate():
    up = scores(42, 0.02, LIVE - timedelta(hours=4), name="error_rate", spread=0.005) + scores(43, 0.2, LIVE, name="error_rate")
    assert kinds([change()], up) == [("prompt_regression", "prompt/intent-router")]
    better = scores(42, 0.5, LIVE - timedelta(hours=4), name="answer_relevance") + scores(43, 0.9, LIVE, name="answer_relevance")
    assert kinds([change()], better) == [("prompt_changed", "prompt/intent-router")]


def test_scores_without_a_version_are_split_at_the_switch_and_weigh_less():
    rows = scores(None, 0.91, LIVE - timedelta(hours=4)) + scores(None, 0.80, LIVE)
    (found,) = detect(view([change()], rows))
    assert found.kind is FindingKind.PROMPT_REGRESSION
    assert found.strength == 0.6
    assert kinds((), rows) == [("score_fell", "app/voice-platform")]


def test_two_versions_side_by_side_from_the_start_are_an_experiment_not_a_switch():
    rows = scores(42, 0.91, LIVE - timedelta(hours=4)) + scores(43, 0.80, LIVE - timedelta(hours=4) + timedelta(minutes=2))
    assert kinds((), rows) == []


def test_a_prompt_changed_after_the_onset_or_a_day_earlier_did_not_cause_it():
    assert kinds([change(before=timedelta(minutes=-1))]) == []
    assert kinds([change(before=timedelta(hours=24, minutes=1))]) == []
    assert kinds([change(before=timedelta(hours=23))]) == [("prompt_changed", "prompt/intent-router")]


def test_malformed_rows_are_passed_over():
    rows = [*BEFORE, {"name": "x"}, {"name": "intent_accuracy", "timestamp": "soon", "value": 1}, *AFTER]
    rows += scores(43, float("nan"), LIVE, n=3)
    assert kinds([change()], rows, [{"version": 1}]) == [("prompt_regression", "prompt/intent-router")]


def test_a_model_swap_is_found_with_what_would_refute_it():
    (found,) = detect(view([change(kind="model", target="model/gpt-5", summary="temperature 0.2 -> 0.9")]))
    assert (found.kind, found.object) == (FindingKind.MODEL_CHANGED, "app/gpt-5")
    assert "old model" in found.refuted_by


def test_a_deploy_within_the_hour_is_named_and_the_nearer_the_stronger():
    near = detect(view([change("deploy", "deployment/other", timedelta(minutes=5))]))[0]
    far = detect(view([change("config", "deployment/other", timedelta(minutes=55))]))[0]
    assert near.kind is far.kind is FindingKind.DEPLOYED_BEFORE_ONSET
    assert near.strength > far.strength
    assert "5 min before" in near.cause
    assert kinds([change("deploy", "deployment/other", timedelta(minutes=61))]) == []
    assert kinds([change("flag", "checkout-v2", timedelta(minutes=1))]) == [("deployed_before_onset", "app/checkout-v2")]


def test_a_deploy_of_the_alerted_deployment_weighs_more():
    own = detect(view([change("deploy", "deployment/api", timedelta(minutes=30))]))[0]
    other = detect(view([change("deploy", "deployment/web", timedelta(minutes=30))]))[0]
    assert own.strength > other.strength
    pod = detect(view([change("deploy", "deployment/web", timedelta(minutes=30))], labels={"pod": "web-5d9f-abc"}))[0]
    assert pod.strength == own.strength


def test_a_deploy_of_another_service_is_not_ours():
    assert kinds([change("deploy", "deployment/x", timedelta(minutes=5), services=["PSVC999"])]) == []
    assert kinds([change("deploy", "deployment/x", timedelta(minutes=5), services=["PSVC001"])]) != []


def test_only_the_newest_change_of_a_target_counts():
    twice = [change("deploy", "deployment/api", timedelta(minutes=m)) for m in (40, 10)]
    (found,) = detect(view(twice))
    assert found.onset == ONSET - timedelta(minutes=10)


def test_a_deploy_of_which_nobody_told_the_versions_names_none_and_a_moment_a_person_can_read():
    told = change("deploy", "deployment/checkout", timedelta(minutes=6))
    (found,) = detect(view([{**told, "from": None, "to": None}]))
    assert found.cause == "deploy of deployment/checkout 6 min before the onset"
    assert found.refuted_by.startswith("the symptom began before 2026-03-04 03:04:00 UTC")
    (found,) = detect(view([told]))
    assert found.cause == "deploy of deployment/checkout 42 -> 43 6 min before the onset"
