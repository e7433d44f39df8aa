"""The diagnosis benchmark without any recordings: it says so, and its scoring is right."""

import json
import subprocess
import sys
from datetime import UTC, datetime

from sre_agent.evidence.finding import FindingKind, RootCause
from sre_agent.replay.case import Case, LogFile
from tests.bench.diagnosis import kubernetes_text, model_cost, nezha, opensre, shaken, siblings, worlds
from tests.bench.diagnosis.answer import Answer, answered, ranks
from tests.bench.diagnosis.tables import incident, one_series


def answer(*objects, summary=""):
    causes = tuple(RootCause(kind=FindingKind.METRIC_SHIFTED, object=o, score=0.3, evidence=("e1",)) for o in objects)
    return Answer("c", causes, (), False, summary, 1.0)


def test_without_recordings_nothing_is_measured_and_that_is_no_failure(tmp_path):
    for given in ([], [str(tmp_path / "nowhere")], [""]):
        run = subprocess.run([sys.executable, "-m", "tests.bench.diagnosis", *given], capture_output=True, text=True, check=False)
        assert run.returncode == 0
        assert "nothing measured" in run.stdout


def test_a_place_counts_objects_not_findings():
    told = answer("service/A".lower(), "service/a", "service/b")
    assert (told.place("A"), told.place("b"), told.place("c")) == (1, 2, 99)


def test_the_shares_of_a_set_are_over_all_of_its_cases():
    first, three = ranks("x", [1, 2, 3, 4], (0.25, 0.8))
    assert (first.measured, first.held, three.measured, three.held) == (0.25, True, 0.75, False)


def test_a_fact_needs_its_quoted_names_and_most_of_its_words():
    fact = "The `pay-1` pod was killed because it ran out of memory"
    assert kubernetes_text._told(fact, "pay-1: the pod was killed, it ran into its memory limit")
    assert not kubernetes_text._told(fact, "pay-2: the pod was killed, it ran into its memory limit")
    assert not kubernetes_text._told(fact, "pay-1 is pending")


def test_a_pod_counts_as_its_service():
    assert nezha._service("carts-api-5dc8d4f9fd-llznp") == "carts-api"
    assert nezha._service("carts-api") == "carts-api"


def test_a_recording_made_here_is_measured(tmp_path):
    told = {
        "prompt": "what is wrong with shop-1?",
        "alert": None,
        "expected": ["the certificate expired"],
        "observations": [{"tool": "logs", "args": {}, "status": "no_data", "output": ""}],
    }
    (tmp_path / "a.json").write_text(json.dumps(told), encoding="utf-8")
    facts, cost = kubernetes_text.measured(tmp_path)
    assert (facts.measured, facts.held, cost.measured > 0) == (0.0, False, True)
    tokens, calls = model_cost.spent("x", kubernetes_text.cases(tmp_path), "scripted")
    assert tokens.held
    assert calls.measured == 3


def test_a_shaken_recording_loses_about_three_of_ten_samples_the_same_ones_each_time():
    series = one_series({"__name__": "latency", "service": "cart"}, [(float(i), 1.0) for i in range(1000)])
    log = LogFile("app", "cart-1", "main", False, tuple(f"line {i}" for i in range(1000)), False)
    case = Case(
        id="a", at=datetime.fromtimestamp(2000, UTC), incident=incident("a", "slow", {}, 500.0), metrics=(series,), logs=(log,)
    )
    once, again = shaken.without_rows(case), shaken.without_rows(case)
    assert once == again
    assert 600 < len(once.metrics[0].samples) < 800
    assert 600 < len(once.logs[0].lines) < 800
    assert shaken.later(case).incident.alerts[0].starts_at == datetime.fromtimestamp(620, UTC)
    renamed = shaken.other_names(case).metrics[0].labels["service"]
    assert renamed == shaken.renamed("cart") != "cart"


def test_the_spread_of_a_share_holds_it_and_is_nothing_where_all_agree():
    low, high = shaken.spread([True] * 7 + [False] * 3)
    assert low < 0.7 < high
    assert shaken.spread([True] * 9) == (1.0, 1.0)


def test_a_made_up_world_is_the_same_each_time_and_its_fault_is_found_where_it_was_put():
    made = worlds.world(7, worlds.Fault.SLOW)
    assert worlds.case(made) == worlds.case(worlds.world(7, worlds.Fault.SLOW))
    assert worlds._answer(made).place(made.at) == 1
    assert not worlds._typed(worlds._answer(worlds.world(7, worlds.Fault.NONE)))


def test_a_world_shows_its_fault_at_that_service_and_only_since_the_onset():
    made = worlds.world(3, worlds.Fault.CPU)
    cpu = {s.labels["service"]: [v for _, v in s.samples] for s in worlds.case(made).metrics if s.name == "cpu_usage_cores"}
    jumped = [n for n, values in cpu.items() if min(values[worlds.BEFORE :]) > 5 * max(values[: worlds.BEFORE])]
    assert jumped == [made.at]


def test_siblings_have_names_of_their_own_and_what_a_full_disk_and_a_healthy_database_are_called():
    names = [one.name for one in siblings.SIBLINGS]
    assert len(set(names)) == len(names)
    told = {
        n: opensre.category(answered(siblings.case(s)))
        for s in siblings.SIBLINGS
        if (n := s.name)[:12] in ("storage runs", "healthy with")
    }
    assert told == {"storage runs full": "resource_exhaustion", "healthy with frightening words": "healthy"}
