import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sre_agent.evidence.change import ChangeKind
from sre_agent.incident.alert import AlertStatus
from sre_agent.investigation.portion import MOST_LINE_CHARS
from sre_agent.replay.case import KEPT_LOG_LINES, case_folders, load_case
from sre_agent.replay.case_file import LONGEST_LINE, MalformedCase, line_of

INCIDENTS = Path(__file__).parent.parent / "incidents"
ALERT = {"labels": {"alertname": "RedisDown", "redis_master": "cache", "service": "voice"}, "startsAt": "2026-03-04T03:08:00Z"}
CASE = {"schema": 1, "id": "c1", "at": "2026-03-04T03:11:09Z", "alerts": [ALERT]}


def folder(tmp_path: Path, case: object = CASE, **files: object) -> Path:
    """A case folder; names are written with "__" for "/" and "_dot_" for ".", text as it is, else as indented JSON."""
    root = tmp_path / "c1"
    root.mkdir()
    for name, content in {"case_dot_json": case, **files}.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return root


def test_every_shipped_case_loads_without_a_warning_and_has_both_answers():
    shipped = case_folders((INCIDENTS,))
    assert len(shipped) >= 10
    for path in shipped:
        case = load_case(path)
        assert case.warnings == ()
        assert case.id == path.name
        assert (path / "expect.json").exists()
        assert (path / "outcome.json").exists()


def test_a_case_without_an_incident_gets_one_made_from_its_first_alert(tmp_path):
    case = load_case(folder(tmp_path))
    assert case.at == datetime(2026, 3, 4, 3, 11, 9, tzinfo=UTC)
    assert case.incident.id == "c1"
    assert case.incident.environment == "prod"
    assert case.incident.service.name == "voice"
    assert case.incident.created_at == datetime(2026, 3, 4, 3, 8, tzinfo=UTC)
    assert case.incident.alerts[0].status is AlertStatus.FIRING


def test_alerts_may_be_mixed_in_shape_and_the_environment_is_kept(tmp_path):
    rest = {
        "id": "PALERT1",
        "type": "alert",
        "status": "triggered",
        "body": {"details": {"alert_type": "tool", "tool_name": "crm"}},
    }
    incident = {"id": "Q1", "status": "acknowledged", "service": {"id": "P1", "summary": "voice"}}
    case = load_case(folder(tmp_path, {**CASE, "environment": "staging", "incident": incident, "alerts": [ALERT, rest]}))
    assert case.incident.environment == "staging"
    assert case.incident.label_values("tool_name") == {"crm"}
    assert case.incident.label_values("redis_master") == {"cache"}


def test_a_missing_file_is_none_and_an_empty_one_is_empty(tmp_path):
    (tmp_path / "a").mkdir()
    bare = load_case(folder(tmp_path / "a"))
    assert (bare.changes, bare.metrics, bare.kubernetes, bare.redis, bare.langfuse, bare.targets) == (None,) * 6
    (tmp_path / "b").mkdir()
    full = load_case(folder(tmp_path / "b", CASE, changes_dot_json=[], metrics_dot_jsonl="", redis_dot_json={"masters": {}}))
    assert (full.changes, full.metrics, full.redis) == ((), (), {})


def test_changes_take_versions_as_text_or_numbers_and_times_without_an_offset_as_utc(tmp_path):
    rows = [{"at": "2026-03-04T01:00:00", "kind": "prompt", "target": "prompt/x", "from": 42, "to": "43"}]
    (change,) = load_case(folder(tmp_path, changes_dot_json=rows)).changes or ()
    assert (change.kind, change.from_version, change.to_version) == (ChangeKind.PROMPT, "42", "43")
    assert change.at == datetime(2026, 3, 4, 1, tzinfo=UTC)


def test_metrics_may_be_packed_and_hold_values_as_text(tmp_path):
    line = b'{"labels":{"__name__":"up"},"samples":[[1772593869,"41"],[1772593884,"NaN"],[1772593899,"+Inf"]]}\n\n'
    case = load_case(folder(tmp_path, metrics_dot_jsonl_dot_gz=gzip.compress(line)))
    assert case.metrics is not None
    assert case.metrics[0].finite() == ((1772593869.0, 41.0),)


def test_logs_are_read_by_namespace_pod_container_and_cut_to_their_end(tmp_path):
    many = "\n".join(f"line {i}" for i in range(KEPT_LOG_LINES + 5))
    case = load_case(
        folder(
            tmp_path, logs__voice__api__main_dot_log=many, logs__voice__api__main_dot_previous_dot_log="boom\n", logs__a__b__c="?"
        )
    )
    current, previous = case.logs
    assert (current.namespace, current.pod, current.container, current.previous) == ("voice", "api", "main", False)
    assert current.truncated
    assert current.lines[-1] == f"line {KEPT_LOG_LINES + 4}"
    assert (previous.previous, previous.lines) == (True, ("boom",))
    assert case.warnings == ("c1/logs/a/b/c: not a .log file, ignored",)


def test_of_a_log_the_newest_lines_before_the_clock_are_kept_and_a_line_without_end_costs_no_memory(tmp_path):
    before = [f"2026-03-04T03:00:{i % 60:02d}Z line {i}" for i in range(5)]
    after = [f"2026-03-04T03:20:00Z late {i}" for i in range(KEPT_LOG_LINES + 5)]
    endless = "x" * 3_000_000
    case = load_case(
        folder(
            tmp_path,
            logs__voice__api__late_dot_log="\r\n".join([*before, *after]),
            logs__voice__api__long_dot_log_dot_gz=gzip.compress(f"{endless}\nend\n".encode()),
        )
    )
    late, long = case.logs
    assert (late.lines, late.truncated) == (tuple(before), False)
    assert (len(long.lines[0]), long.lines[1:], long.truncated) == (LONGEST_LINE, ("end",), True)
    assert LONGEST_LINE > 4 * MOST_LINE_CHARS


def test_a_log_that_is_no_utf8_or_no_gzip_is_an_error_that_names_file_and_line(tmp_path):
    with pytest.raises(MalformedCase, match=r"c1/logs/voice/api/main\.log, line 2: not UTF-8 text"):
        load_case(folder(tmp_path, logs__voice__api__main_dot_log=b"good\nbad \xff\n"))
    (tmp_path / "c1" / "logs/voice/api/main.log").unlink()
    (tmp_path / "c1" / "logs/voice/api/main.log.gz").write_bytes(b"not packed")
    with pytest.raises(MalformedCase, match=r"c1/logs/voice/api/main\.log: cannot be read"):
        load_case(tmp_path / "c1")


def test_unknown_keys_are_ignored_with_a_warning_that_says_where(tmp_path):
    case = load_case(
        folder(
            tmp_path,
            {**CASE, "colour": "red"},
            changes_dot_json=[{"at": "2026-03-04T01:00:00Z", "kind": "deploy", "target": "x", "ticket": "ABC-1"}],
            redis_dot_json={"masters": {"cache": {"sentinels": [], "nodes": [{"address": "a:1", "mood": "good"}]}}},
            targets_dot_json={"redis/cache": {"managed": True, "shoe_size": 43}},
            metrics_dot_jsonl='{"labels":{"__name__":"up"},"samples":[],"exemplars":[]}\n',
        )
    )
    assert sorted(case.warnings) == [
        "c1/case.json, the top level: unknown key 'colour' ignored",
        "c1/changes.json, [0]: unknown key 'ticket' ignored",
        "c1/metrics.jsonl, line 1: unknown key 'exemplars' ignored",
        "c1/redis.json, masters.cache.nodes[0]: unknown key 'mood' ignored",
        "c1/targets.json, redis/cache: unknown key 'shoe_size' ignored",
    ]
    assert case.targets is not None
    assert case.targets["redis/cache"].managed


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"case_dot_json": "{"}, r"c1/case\.json, line 1: not JSON"),
        ({"case_dot_json": '{\n "schema": 1,\n "id": "x",\n "at": }'}, r"c1/case\.json, line 4: not JSON"),
        ({"case_dot_json": {**CASE, "schema": 2}}, r"c1/case\.json, line 2, field schema"),
        ({"case_dot_json": {**CASE, "at": "yesterday"}}, r"c1/case\.json, line 4, field at: Input should be a valid datetime"),
        ({"case_dot_json": {"schema": 1, "at": CASE["at"]}}, r"c1/case\.json, line 1, field id: Field required"),
        ({"case_dot_json": {**CASE, "alerts": []}}, r"c1/case\.json, line 5, field alerts: a case needs an incident or an alert"),
        (
            {"case_dot_json": {**CASE, "incident": {"title": "x"}}},
            r"c1/case\.json, line 15, field incident: the incident has no id",
        ),
        ({"case_dot_json": b"\xff\xfe{}"}, r"c1/case\.json, line 1: not UTF-8"),
        ({"case_dot_json": "[" * 100_000}, r"c1/case\.json, line 1: nested too deeply"),
        (
            {"changes_dot_json": [{"at": "2026-03-04T01:00:00Z", "kind": "deployy", "target": "x"}]},
            r"c1/changes\.json, line 4, field \[0\]\.kind: Input should be 'deploy'",
        ),
        ({"changes_dot_json": {"at": 1}}, r"c1/changes\.json, line 1, field \(the whole file\): Input should be a valid tuple"),
        (
            {"metrics_dot_jsonl": '{"labels":{},"samples":[]}\n{"labels":{},"samples":[[1,"fast"]]}\n'},
            r"c1/metrics\.jsonl, line 2, field samples\[0\]\[1\]",
        ),
        ({"metrics_dot_jsonl": '{"labels":{},"samples":[]}\n{"labels"\n'}, r"c1/metrics\.jsonl, line 2: not JSON"),
        ({"metrics_dot_jsonl_dot_gz": b"not gzip"}, r"c1/metrics\.jsonl: cannot be read"),
        ({"metrics_dot_jsonl_dot_gz": gzip.compress(b"x" * 100)[:-12]}, r"c1/metrics\.jsonl: cannot be read"),
        ({"kubernetes_dot_json": {"items": [1]}}, r"c1/kubernetes\.json, line 3, field items\[0\]"),
        (
            {"redis_dot_json": {"masters": {"cache": {"nodes": [{"info": {}}]}}}},
            r"c1/redis\.json, line 5, field masters\.cache\.nodes\[0\]\.address: Field required",
        ),
        (
            {"langfuse_dot_json": {"scores": [{"name": "a", "timestamp": "2026-03-04T01:00:00Z", "value": "high"}]}},
            r"c1/langfuse\.json, line 6, field scores\[0\]\.value",
        ),
        ({"targets_dot_json": {"redis/cache": {"managed": "perhaps"}}}, r"c1/targets\.json, line 3, field redis/cache\.managed"),
        ({"topology_dot_json": {"calls": [["a"]]}}, r"c1/topology\.json, line 3, field calls\[0\]"),
        (
            {"observations_dot_jsonl": '{"source":"k","operation":"x","status":"maybe"}'},
            r"c1/observations\.jsonl, line 1, field status: Input should be 'ok', 'no_data' or 'error'",
        ),
    ],
)
def test_a_malformed_file_is_an_error_that_names_file_line_and_field(tmp_path, files, message):
    case = files.pop("case_dot_json", CASE)
    with pytest.raises(MalformedCase, match=message):
        load_case(folder(tmp_path, case, **files))


def test_a_folder_without_a_case_and_a_path_that_is_no_folder_say_so(tmp_path):
    with pytest.raises(MalformedCase, match=r"case\.json: missing"):
        load_case(tmp_path)
    with pytest.raises(MalformedCase, match="not a folder"):
        load_case(tmp_path / "nowhere")


def test_the_answers_are_not_even_opened(tmp_path):
    case = load_case(folder(tmp_path, outcome_dot_json="{broken", expect_dot_json="{broken"))
    assert case.warnings == ()


def test_paths_are_cases_or_folders_of_cases_in_the_order_given(tmp_path):
    for name in ("b", "a"):
        (tmp_path / "all" / name).mkdir(parents=True)
        (tmp_path / "all" / name / "case.json").write_text("{}")
    single = tmp_path / "all" / "b"
    assert case_folders((single, tmp_path / "all")) == (single, tmp_path / "all" / "a", single)
    assert case_folders((tmp_path / "gone",)) == (tmp_path / "gone",)


def test_the_line_of_a_field_is_found_past_strings_that_look_like_json():
    text = '{"a": "}]{\\"",\n "b": [1, {"c": "x,\\n"},\n  {"d":\n null}]}'
    assert line_of(text, ("a",)) == 1
    assert line_of(text, ("b", 1, "c")) == 2
    assert line_of(text, ("b", 2, "d")) == 4
    assert line_of(text, ("b", 2, "gone")) == 3
    assert line_of("[]", (0,)) == 1


def test_a_clock_that_no_clock_shows_is_refused_with_its_line(tmp_path):
    with pytest.raises(MalformedCase, match=r"c1/case.json, line 4, field at: .*not a time that a clock shows"):
        load_case(folder(tmp_path, {**CASE, "at": "0001-01-01T00:00:00Z"}))
