"""Evidence written into a case and read again: the same to the word, and never more than was visible."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.window import Window
from sre_agent.investigation.fetch import fetch
from sre_agent.replay.case import load_case
from sre_agent.replay.case_file import CaseReader, MalformedCase
from sre_agent.replay.recorded import recorded_sources
from sre_agent.replay.recording.evidence_files import EVIDENCE, read_evidence, write_evidence
from sre_agent.response.assess import scope_of
from sre_agent.settings import Settings
from sre_agent.wiring.recorded import dry_run, replay_books

ROOT = Path(__file__).parents[3]
AT = datetime(2026, 3, 4, 3, 11, 9, tzinfo=UTC)
CASES = sorted(p.parent for p in (ROOT / "tests/incidents").glob("*/case.json"))
POD = {"kind": "Pod", "metadata": {"name": "api-1", "namespace": "voice", "creationTimestamp": "2026-03-04T01:00:00Z"}}
LOG = {"namespace": "voice", "pod": "api-1", "container": "api", "previous": False}
CHANGE = {
    "at": "2026-03-04T03:00:00Z",
    "kind": "deploy",
    "target": "deployment/api",
    "summary": "s",
    "from_version": "1",
    "to_version": "2",
    "author": None,
    "source": "pagerduty",
    "services": [],
    "message": "why",
    "link": "https://example.com/1",
}
SCORE = {"name": "accuracy", "timestamp": "2026-03-04T03:00:00Z", "value": 0.9, "prompt": None, "version": None, "count": 1}
PAYLOADS: list[tuple[EvidenceKind, Any, str | None]] = [
    (EvidenceKind.METRICS, [{"labels": {"__name__": "up"}, "samples": [[1772593869, "1"], [1772593879.5, 0.25]]}], "metrics.jsonl"),
    (EvidenceKind.METRICS, [{"labels": {"__name__": "up"}, "samples": [], "unit": "s"}], None),
    (EvidenceKind.KUBERNETES, {"items": [POD], "kinds": ["Pod", "Node"]}, "kubernetes.json"),
    (EvidenceKind.KUBERNETES, {"kinds": ["Pod"], "items": [POD]}, None),
    (EvidenceKind.LOGS, {**LOG, "lines": ["2026-03-04T03:00:00Z one", "", "\ttwo \u2028 \x00 \x85 ü"]}, "logs/voice/api-1/api.log"),
    (EvidenceKind.LOGS, {**LOG, "previous": True, "lines": []}, "logs/voice/api-1/api.previous.log"),
    (EvidenceKind.LOGS, {**LOG, "lines": ["another answer about the same container"]}, None),
    (EvidenceKind.LOGS, {**LOG, "pod": "API-1", "lines": ["x"]}, None),
    (EvidenceKind.LOGS, {**LOG, "namespace": "..", "lines": ["x"]}, None),
    (EvidenceKind.LOGS, {**LOG, "pod": "../../../../tmp/out", "lines": ["x"]}, None),
    (EvidenceKind.LOGS, {**LOG, "container": "a.previous", "lines": ["x"]}, None),
    (EvidenceKind.LOGS, {**LOG, "pod": "b", "lines": ["one\rline"]}, None),
    (EvidenceKind.LOGS, {**LOG, "pod": "b", "lines": [{"at": "now", "line": "x"}]}, None),
    (EvidenceKind.CHANGES, [CHANGE], "changes.json"),
    (EvidenceKind.CHANGES, [{"at": "soon"}], None),
    (EvidenceKind.LANGFUSE, {"scores": [SCORE], "prompts": []}, "langfuse.json"),
    (EvidenceKind.LANGFUSE, {"scores": [SCORE], "traces": []}, None),
    (EvidenceKind.REDIS, {"name": "cache", "sentinels": [{"address": "a:1", "master": {"ip": "a"}}], "nodes": []}, "redis.json"),
    (EvidenceKind.REDIS, {"name": "cache", "sentinels": [], "nodes": []}, None),
    (EvidenceKind.REDIS, {"name": "shards", "slots": 16384, "nodes": []}, None),
    (EvidenceKind.POSTGRES, {"primary": {"pid": 1}, "replication": [], "activity": []}, "postgres.json"),
    (EvidenceKind.POSTGRES, {"cluster": "orders", "members": []}, None),
    (EvidenceKind.TOPOLOGY, {"calls": [["a", "b"]]}, "topology.json"),
    (EvidenceKind.TEXT, {"source": "x", "operation": "y", "args": {}, "output": "z\nz"}, None),
    (EvidenceKind.ALERT, [{"labels": {}}], None),
    (EvidenceKind.METRICS, None, None),
]


def piece(kind: EvidenceKind, payload: Any, number: int = 1, **more: Any) -> Evidence:
    said: dict[str, Any] = {
        "id": f"e{number}",
        "source": f"{kind.value}-source",
        "kind": kind,
        "query": "q",
        "status": EvidenceStatus.OK,
        "observed_at": AT - timedelta(seconds=3),
        "window": Window.before(AT, timedelta(minutes=30)),
        "link": "https://example.com/",
        "payload": payload,
        "size_bytes": 12,
        "truncated": True,
        **more,
    }
    return Evidence.model_validate(said)


def case_with(folder: Path, *pieces: Evidence, planned: int | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    alert = {"labels": {"alertname": "A", "alert_type": "infra"}, "startsAt": "2026-03-04T03:08:00Z", "status": "firing"}
    head = {"schema": 1, "id": folder.name, "at": AT.isoformat(), "alerts": [alert]}
    (folder / "case.json").write_text(json.dumps(head), encoding="utf-8")
    write_evidence(folder, pieces, planned)
    return folder


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVIDENCE).read_text(encoding="utf-8").splitlines()]


def test_every_payload_reads_back_the_same_to_the_order_of_its_keys(tmp_path: Path) -> None:
    pieces = tuple(piece(kind, payload, i) for i, (kind, payload, _) in enumerate(PAYLOADS, start=1))
    folder = case_with(tmp_path / "case", *pieces)
    read = load_case(folder)
    assert read.evidence is not None
    assert [e.model_dump_json() for e in read.evidence] == [p.model_dump_json() for p in pieces]
    assert not read.warnings
    files = [line.get("at", {}).get("file") for line in lines_of(folder)]
    assert files == [file for _, _, file in PAYLOADS]


def test_what_comes_twice_stands_in_the_standard_files_once(tmp_path: Path) -> None:
    folder = case_with(tmp_path / "case", *(piece(EvidenceKind.KUBERNETES, {"items": [POD], "kinds": ["Pod"]}, i) for i in (1, 2)))
    assert len(json.loads((folder / "kubernetes.json").read_text())["items"]) == 1
    read = load_case(folder)
    assert len(read.kubernetes or ()) == 1
    assert [e.payload["items"] for e in read.evidence or ()] == [[POD], [POD]]


def test_no_file_is_written_outside_the_case(tmp_path: Path) -> None:
    names = ("..", "/etc/x", "a/b", "a\\b", "", "...", "a" * 300, "x\n", "con\0")
    foreign = [{**LOG, "pod": name, "lines": ["x"]} for name in names]
    (tmp_path / "room").mkdir()
    case_with(tmp_path / "room" / "case", *(piece(EvidenceKind.LOGS, log, i) for i, log in enumerate(foreign, start=1)))
    assert sorted(p.name for p in (tmp_path / "room").rglob("*")) == ["case", "case.json", EVIDENCE]


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
async def test_what_the_sources_of_a_case_answer_is_the_same_after_it_was_written_and_read(folder: Path, tmp_path: Path) -> None:
    case = load_case(folder)
    scope = scope_of(case.incident, case.at)
    answers = await fetch(recorded_sources(case), scope, 5.0)
    copy = tmp_path / folder.name
    copy.mkdir()
    shutil.copy(folder / "case.json", copy)
    write_evidence(copy, answers)
    again = await fetch(recorded_sources(load_case(copy)), scope, 5.0)
    assert [e.model_dump_json() for e in again] == [e.model_dump_json() for e in answers]


@pytest.mark.parametrize("slug", ["redis-slow-primary", "prompt-regression-labelled-infra", "healthy", "pod-crash-loop"])
async def test_a_case_written_anew_is_decided_as_the_original(slug: str, tmp_path: Path) -> None:
    original = ROOT / "tests/incidents" / slug
    case = load_case(original)
    copy = tmp_path / slug
    copy.mkdir()
    for name in ("case.json", "targets.json"):
        if (original / name).exists():
            shutil.copy(original / name, copy)
    write_evidence(copy, await fetch(recorded_sources(case), scope_of(case.incident, case.at), 5.0))
    settings = Settings()
    books = replay_books(settings)
    was, now = [await dry_run(settings, books, folder).result() for folder in (original, copy)]
    assert (now.verdict, now.policy_ids, now.root_causes, now.proposal) == (
        was.verdict,
        was.policy_ids,
        was.root_causes,
        was.proposal,
    )


async def test_sources_that_did_not_answer_then_do_not_answer_now(tmp_path: Path) -> None:
    failed = piece(EvidenceKind.METRICS, None, status=EvidenceStatus.ERROR, error="no answer within 5 s", source="prometheus")
    folder = case_with(tmp_path / "case", failed)
    (folder / "kubernetes.json").write_text(json.dumps({"items": [POD]}), encoding="utf-8")
    case = load_case(folder)
    assert [s.name for s in recorded_sources(case)] == ["prometheus"]
    assert await fetch(recorded_sources(case), scope_of(case.incident, AT), 5.0) == (failed,)


async def test_ids_stay_where_answers_of_one_source_do_not_stand_together(tmp_path: Path) -> None:
    names = ["kubernetes", "kubernetes", "redis", "kubernetes"]
    pieces = [piece(EvidenceKind.TEXT, {"n": i}, i, source=name) for i, name in enumerate(names, start=1)]
    case = load_case(case_with(tmp_path / "case", *pieces))
    assert [s.name for s in recorded_sources(case)] == ["kubernetes", "redis", "kubernetes"]
    assert await fetch(recorded_sources(case), scope_of(case.incident, AT), 5.0) == tuple(pieces)


async def test_what_a_model_had_asked_for_is_kept_and_no_source_says_it_by_itself(tmp_path: Path) -> None:
    pieces = [piece(EvidenceKind.TEXT, {"n": i}, i) for i in (1, 2, 3)]
    case = load_case(case_with(tmp_path / "case", *pieces, planned=2))
    assert (case.evidence, case.planned) == (tuple(pieces), 2)
    assert await fetch(recorded_sources(case), scope_of(case.incident, AT), 5.0) == tuple(pieces[:2])


async def test_nothing_stamped_after_the_clock_of_the_case_is_visible(tmp_path: Path) -> None:
    later = "2026-03-04T03:20:00Z"
    event = {"kind": "Event", "lastTimestamp": later, "metadata": {"creationTimestamp": "2026-03-04T01:00:00Z"}}
    pieces = (
        piece(EvidenceKind.TEXT, {"output": "LATER"}, 1, observed_at=AT + timedelta(seconds=1)),
        piece(EvidenceKind.METRICS, [{"labels": {"__name__": "up"}, "samples": [[1772593800, 1.0], [1772594400, 666.0]]}], 2),
        piece(EvidenceKind.METRICS, [{"labels": {"__name__": "LATER"}, "samples": [[1772594400, 666.0]]}], 3),
        piece(
            EvidenceKind.KUBERNETES, {"items": [POD, {**POD, "metadata": {"name": "LATER", "creationTimestamp": later}}, event]}, 4
        ),
        piece(EvidenceKind.LOGS, {**LOG, "lines": ["2026-03-04T03:00:00Z a", f"{later} LATER", "LATER too"]}, 5),
        piece(EvidenceKind.CHANGES, [CHANGE, {**CHANGE, "at": later, "summary": "LATER"}], 6),
        piece(EvidenceKind.LANGFUSE, {"scores": [SCORE, {**SCORE, "timestamp": later, "name": "LATER"}]}, 7),
    )
    case = load_case(case_with(tmp_path / "case", *pieces))
    seen = await fetch(recorded_sources(case), scope_of(case.incident, AT), 5.0)
    told = json.dumps([e.model_dump(mode="json") for e in seen])
    assert not [word for word in ("LATER", "666", later) if word in told]
    assert [e.status.value for e in seen] == ["ok", "no_data", "ok", "ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 1: not JSON"),
        ({"kind": "weather"}, "line 1, field kind"),
        ({"status": None}, "line 1, field status"),
        ({"observed_at": "soon"}, "line 1, field observed_at"),
        ({"id": "../x"}, "line 1, field id"),
        ({"at": {"file": "metrics.jsonl", "rows": [7]}}, "line 1, field at: metrics.jsonl holds no such rows"),
        ({"at": {"file": "metrics.jsonl", "rows": [-1]}}, "line 1, field at: metrics.jsonl holds no such rows"),
        ({"at": {"file": "metrics.jsonl"}}, "line 1, field at: metrics.jsonl holds no such rows"),
        ({"at": {"file": "kubernetes.json", "rows": [0]}}, "field at.file: 'kubernetes.json' is missing"),
        ({"at": {"file": "../../../etc/passwd"}}, "field at.file"),
        ({"at": {"file": "logs/../../etc/passwd.log"}}, "field at.file"),
        ({"at": {"file": "logs/../secret/x.log"}}, "field at.file"),
        ({"at": {"file": ".."}}, "field at.file"),
        ({"at": {"path": "metrics.jsonl"}}, "line 1, field at.file"),
    ],
)
def test_a_line_that_is_not_as_the_format_says_is_named(line: Any, complaint: str, tmp_path: Path) -> None:
    folder = case_with(tmp_path / "case", piece(*PAYLOADS[0][:2]))
    told = {**lines_of(folder)[0], **line} if isinstance(line, dict) else line
    (folder / EVIDENCE).write_text(told if isinstance(told, str) else json.dumps(told), encoding="utf-8")
    with pytest.raises(MalformedCase) as wrong:
        load_case(folder)
    assert str(wrong.value).startswith(f"case/{EVIDENCE}")
    assert complaint in str(wrong.value)


def test_an_unknown_key_is_a_warning_and_a_missing_file_no_evidence(tmp_path: Path) -> None:
    folder = case_with(tmp_path / "case", piece(*PAYLOADS[0][:2]))
    (folder / EVIDENCE).write_text(json.dumps({**lines_of(folder)[0], "mood": "good"}), encoding="utf-8")
    assert load_case(folder).warnings == (f"case/{EVIDENCE}, line 1: unknown key 'mood' ignored",)
    (folder / EVIDENCE).unlink()
    assert read_evidence(CaseReader(folder)) is None
