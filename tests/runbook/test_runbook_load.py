from pathlib import Path

import pytest

from sre_agent.evidence.finding import FindingKind
from sre_agent.incident.errors import ConfigurationError
from sre_agent.runbook.load import load_runbook, load_runbooks

SHIPPED = Path(__file__).parents[2] / "runbooks"

GOOD = """\
id: x
title: T
summary: S
findings: [redis_primary_slow]
action: redis_failover
target: RedisMaster
worst_case: W
undo: U
"""


def written(tmp_path: Path, text: str, name: str = "x.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_runbooks_load_and_cover_every_finding_exactly_once():
    runbooks = load_runbooks(SHIPPED)
    named = [kind for r in runbooks for kind in r.findings]
    assert sorted(named) == sorted(FindingKind)


def test_only_causes_that_a_restart_or_failover_can_cure_have_an_action():
    acting = {kind for r in load_runbooks(SHIPPED) if r.action for kind in r.findings}
    assert acting == {
        FindingKind.REDIS_PRIMARY_SLOW,
        FindingKind.REDIS_CLUSTER_PRIMARY_SLOW,
        FindingKind.POSTGRES_PRIMARY_SICK,
        FindingKind.QUEUE_DOWNSTREAM_FAILING,
        FindingKind.QUEUE_LEFT_PAUSED,
        FindingKind.POD_CRASH_LOOP,
        FindingKind.POD_OOM_KILLED,
        FindingKind.POD_NOT_READY,
        FindingKind.ROLLOUT_REGRESSION,
        FindingKind.DEPLOYMENT_DEGRADED,
        FindingKind.DEPLOYMENT_SATURATED,
        FindingKind.NODE_PRESSURE,
        FindingKind.NODE_FAILING_PODS,
        FindingKind.NODE_LEFT_CORDONED,
    }


def test_the_failover_runbook_measures_the_probes_p99_in_seconds():
    objective = {r.id: r for r in load_runbooks(SHIPPED)}["redis-failover"].objective
    assert objective is not None
    assert objective.query == 'redis_probe_latency_seconds{redis_master="{name}",quantile="0.99"}'
    assert (objective.below, objective.unit) == (0.25, "seconds")


def test_a_good_runbook_loads(tmp_path):
    assert load_runbook(written(tmp_path, GOOD)).action == "redis_failover"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD.replace("undo: U", "undoo: U"), 8, "did you mean 'undo'"),
        (GOOD.replace("undo: U\n", ""), 1, "undo"),
        (GOOD.replace("redis_primary_slow", "redis_primary_slo"), 4, "did you mean 'redis_primary_slow'"),
        (GOOD.replace("RedisMaster", "RedisMastr"), 6, "did you mean 'RedisMaster'"),
        (GOOD.replace("target: RedisMaster\n", ""), 5, "no way to resolve"),
        (GOOD.replace("redis_failover", "redis_failovr"), 5, "did you mean 'redis_failover'"),
        (GOOD.replace("id: x", "id: y"), 1, "must be equal"),
        (GOOD.replace("[redis_primary_slow]", "[]"), 4, "never match"),
        (GOOD + "title: again\n", 9, "given twice"),
        (GOOD + "soak_s: soon\n", 9, "soak_s"),
        (GOOD + "soak_s: 0\n", 9, "soak_s"),
        (GOOD + "objective: {query: 'up{a=\"{nam}\"}', below: 1, unit: s}\n", 9, "unknown placeholder 'nam'"),
        (GOOD + "objective: {query: up, below: 1, unit: s, abov: 2}\n", 9, "abov"),
        (GOOD + "checklist: [a, [b]]\n", 9, "checklist"),
        (GOOD.replace("action: redis_failover\ntarget: RedisMaster\n", ""), 1, "neither an action nor a checklist"),
        (GOOD + "undo2: [", 9, "not valid YAML"),
        (GOOD + "x: !!python/object/apply:os.system [ls]\n", 9, "unknown key"),
        ("- a\n", 1, "mapping"),
        ("", 1, "mapping"),
        ("a: b: c\n", 1, "not valid YAML"),
    ],
)
def test_every_mistake_names_file_line_and_fix(tmp_path, text, line, words):
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_runbook(path, actions={"redis_failover", "restart_pod"})
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_a_file_that_is_not_text_is_an_error_and_not_a_crash(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_runbook(path)


def test_an_empty_missing_or_misspelt_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="holds no runbook"):
        load_runbooks(tmp_path)
    with pytest.raises(ConfigurationError, match="no such folder"):
        load_runbooks(tmp_path / "none")
    written(tmp_path, GOOD, "x.yml")
    with pytest.raises(ConfigurationError, match=r"end in \.yaml"):
        load_runbooks(tmp_path)
