"""A round that was recorded is decided again to the same hash, without asking anybody."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.policy.breakers import Breaker
from sre_agent.policy.facts import FactContext, Facts, Mode
from sre_agent.replay.archive import unpack
from sre_agent.replay.case import load_case
from sre_agent.replay.case_file import CaseReader, MalformedCase
from sre_agent.replay.recording.evidence_files import write_evidence
from sre_agent.replay.recording.packed import packed
from sre_agent.replay.recording.recording import RECORDING, recorded_files, recording_of
from sre_agent.replay.recording.thinned import LEFT_OUT, thinned
from sre_agent.replay.replayed import Recalled
from sre_agent.response.applied import advanced
from sre_agent.response.assess import Assessor
from sre_agent.response.conclude import assessed
from sre_agent.response.document import as_stored
from sre_agent.response.record import IncidentRecord, State
from sre_agent.settings import fixed
from sre_agent.testing.openai import OpenAIStandIn, answers, asks
from sre_agent.wiring.recorded import dry_run, files_of, other_books, replay_books

ROOT = Path(__file__).parents[3]
CASES = sorted(p.parent for p in (ROOT / "tests/incidents").glob("*/case.json"))
CASE_OF = {p.name: p for p in CASES}
SETTINGS = fixed({})
BOOKS = replay_books(SETTINGS)


async def live(folder: Path, settings: Any = SETTINGS, assessor: Assessor | None = None, **more: Any) -> IncidentRecord:
    """A case walked as a live incident is, and its record as the database gives it back."""
    run = dry_run(settings, BOOKS, folder)
    case = run.case
    record = IncidentRecord(id=case.incident.id, received_at=case.at, updated_at=case.at, state=State.INVESTIGATING, **more)
    found = await (assessor or run.assessor).assess(
        case.incident, human_acknowledged=record.human_acknowledged, thread="t", now=case.at, spent=record.model_total
    )
    return as_stored(advanced(record, assessed(record, case.incident, found, case.at, "apr_1")))


def case_of(record: IncidentRecord, room: Path, most_bytes: int = 10**9) -> Path:
    """The recording of a record, packed and unpacked."""
    made = recorded_files(record, files_of(BOOKS), "1", most_bytes)
    assert made is not None
    (room / "x.tar.gz").write_bytes(packed(made[1]))
    (room / "case").mkdir()
    unpack(room / "x.tar.gz", room / "case")
    return room / "case"


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
async def test_every_shipped_incident_recorded_is_decided_again_to_the_same_hash(folder: Path, tmp_path: Path) -> None:
    record = await live(folder)
    assert record.judged is not None
    case = case_of(record, tmp_path)
    if (folder / "targets.json").exists():  # a live incident's declarations are those of the bundle
        shutil.copy(folder / "targets.json", case)
    told = (await dry_run(SETTINGS, BOOKS, case, as_recorded=True).replayed("x")).told
    assert told is not None
    assert told.recalled is not None
    assert (told.recalled.departures, told.recalled.inexact, told.recalled.other_books) == ((), "", ())
    assert told.decision_sha256 == told.recorded_sha256 == record.judged.decision.sha256


async def again(case: Path, folder: Path) -> Recalled:
    """How a recording is decided now."""
    if (folder / "targets.json").exists():
        shutil.copy(folder / "targets.json", case)
    told = (await dry_run(SETTINGS, BOOKS, case, as_recorded=True).replayed("x")).told
    assert told is not None
    assert told.recalled is not None
    return told.recalled


@pytest.mark.parametrize("veto", [None, "the numbers do not add up"])
async def test_what_a_model_said_and_asked_to_see_is_decided_again_without_it(veto: str | None, tmp_path: Path) -> None:
    folder = CASE_OF["redis-slow-primary"]
    said = {
        "statements": [{"text": "The primary is slow", "evidence": ["e1"]}, {"text": "made up", "evidence": ["e999"]}],
        "alert_class": "infra",
        "confidence_percent": 60,
        "veto": veto,
        "runbook": None,
    }
    look = asks("look_again", {"source": "prometheus", "minutes_before_onset": 60}, "c1")
    with OpenAIStandIn([look, answers(said)]) as server:
        settings = fixed({"OPENAI_BASE_URL": server.base_url, "OPENAI_MODEL": "m", "OPENAI_API_KEY": "k"})
        record = await live(folder, settings)
    assert record.judged is not None
    assert record.judged.basis is not None
    assert record.diagnosis is not None
    assert record.diagnosis.usage.calls == 2
    assert record.judged.basis.planned < len(record.diagnosis.evidence)
    case = case_of(record, tmp_path)
    assert load_case(case).planned == record.judged.basis.planned
    recalled = await again(case, folder)
    assert (recalled.departures, recalled.inexact) == ((), "")
    assert recalled.sha256 == record.judged.decision.sha256
    line = json.loads((await dry_run(SETTINGS, BOOKS, case, as_recorded=True).result()).line())
    assert line["summary"] == record.diagnosis.summary


@pytest.mark.parametrize("more", [{"tried_in_vain": ("redis_failover",)}, {"human_acknowledged": True}, {"round": 3}])
async def test_what_the_record_knew_then_counts_again(more: dict[str, Any], tmp_path: Path) -> None:
    folder = CASE_OF["redis-slow-primary"]
    record = await live(folder, **more)
    plain = await live(folder)
    assert record.judged is not None
    assert plain.judged is not None
    assert (record.judged.decision == plain.judged.decision) == ("round" in more)
    recalled = await again(case_of(record, tmp_path), folder)
    assert (recalled.departures, recalled.sha256) == ((), record.judged.decision.sha256)


async def test_a_recording_that_had_to_be_cut_says_so_and_is_not_said_to_be_exact(tmp_path: Path) -> None:
    folder = CASE_OF["redis-slow-primary"]
    record = await live(folder)
    assert record.diagnosis is not None
    case = case_of(record, tmp_path, most_bytes=3_000)
    loaded = load_case(case)
    assert loaded.evidence is not None
    assert [e.id for e in loaded.evidence] == [e.id for e in record.diagnosis.evidence]
    assert sum(len(json.dumps(e.payload)) for e in loaded.evidence) <= 4_000
    cut = [e for e in loaded.evidence if e.error == LEFT_OUT]
    assert cut
    assert all(e.truncated and e.status is EvidenceStatus.ERROR for e in cut)
    recalled = await again(case, folder)
    assert recalled.inexact.startswith("evidence was cut to fit the recording: e")
    assert any("evidence was cut" in w for w in dry_run(SETTINGS, BOOKS, case).case.warnings)


def test_the_newest_of_logs_and_metrics_is_what_stays() -> None:
    lines = [f"line {n:04}" for n in range(5_000)]
    samples = [[float(n), float(n)] for n in range(5_000)]
    log = made(EvidenceKind.LOGS, {"namespace": "n", "pod": "p", "container": "c", "previous": False, "lines": lines})
    metrics = made(EvidenceKind.METRICS, [{"labels": {"__name__": "up"}, "samples": samples}])
    (kept_log, kept_metrics), cut = thinned((log, metrics), 60_000)
    assert cut == ("e1", "e1")
    assert kept_log.payload["lines"] == lines[-len(kept_log.payload["lines"]) :]
    assert len(kept_log.payload["lines"]) > 1_000
    assert kept_metrics.payload[0]["samples"][-1] == samples[-1]
    assert (kept_log.truncated, kept_metrics.truncated, kept_log.status) == (True, True, EvidenceStatus.OK)
    assert thinned((log, metrics), 10**9) == ((log, metrics), ())


async def test_under_other_policies_or_runbooks_it_is_said_which(tmp_path: Path) -> None:
    folder = CASE_OF["redis-slow-primary"]
    case = case_of(await live(folder), tmp_path)
    one = next(iter(BOOKS.runbooks))
    others = replace(BOOKS, runbooks={n: r for n, r in BOOKS.runbooks.items() if n != one})
    recording = recording_of(CaseReader(case))
    assert recording is not None
    assert other_books(recording, BOOKS) == ()
    assert other_books(recording, others) == (f"runbooks/{one}.yaml: only in the recording",)
    bare = recording.model_copy(update={"books": {}})
    assert other_books(bare, BOOKS) == ()
    moved = replace(BOOKS, bundle=replace(BOOKS.bundle, hash="0" * 64))
    assert other_books(bare, moved)[0].startswith("policies: bundle ")


async def test_the_incident_of_a_recording_reads_back_as_it_was(tmp_path: Path) -> None:
    for folder in CASES:
        (tmp_path / folder.name).mkdir()
        record = await live(folder)
        case = load_case(case_of(record, tmp_path / folder.name))
        assert case.incident == record.incident
        assert not case.warnings


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 2}, "field schema"),
        ({"incident": {}}, "field incident.id"),
        ({"judged": {"at": "soon"}}, "field judged.at"),
        ({"round": "one"}, "field round"),
    ],
)
async def test_a_recording_that_is_not_as_the_format_says_is_named(change: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    case = case_of(await live(CASE_OF["healthy"]), tmp_path)
    told = json.loads((case / RECORDING).read_text())
    (case / RECORDING).write_text(json.dumps({**told, **change}, indent=1))
    with pytest.raises(MalformedCase) as wrong:
        recording_of(CaseReader(case))
    assert complaint in str(wrong.value)
    assert "line " in str(wrong.value)


async def test_no_secret_is_in_a_recording(tmp_path: Path) -> None:
    """Planted in every kind of evidence, in the incident's text and labels, and in what a model says."""
    secret = "ghp_" + "Zx9Qw8" * 6
    told = f"token {secret} password=Tr0ub4dor-and-3 jane.doe@example.org"
    folder = Path(shutil.copytree(CASE_OF["redis-slow-primary"], tmp_path / "planted"))
    head = json.loads((folder / "case.json").read_text())
    head["incident"]["title"] += told
    head["alerts"][0].setdefault("annotations", {})["description"] = told
    head["alerts"][0]["labels"]["note"] = told
    (folder / "case.json").write_text(json.dumps(head))
    pod = {"kind": "Pod", "metadata": {"name": "api-1", "namespace": "voice", "annotations": {"note": told}}}
    pieces = (
        made(EvidenceKind.METRICS, [{"labels": {"__name__": "up", "note": told}, "samples": [[1.0, 1.0]]}]),
        made(EvidenceKind.KUBERNETES, {"items": [pod], "kinds": ["Pod"]}),
        made(EvidenceKind.LOGS, {"namespace": "voice", "pod": "api-1", "container": "c", "previous": False, "lines": [told]}),
        made(EvidenceKind.CHANGES, [{"at": "2026-03-04T03:00:00Z", "kind": "deploy", "target": "deployment/api", "summary": told}]),
        made(EvidenceKind.TEXT, {"source": "x", "operation": "y", "args": {}, "output": told}),
        made(EvidenceKind.REDIS, {"name": "cache", "sentinels": [], "nodes": [{"address": "a:1", "error": told}]}, query=told),
        made(EvidenceKind.ALERT, None, status=EvidenceStatus.ERROR, error=told, link=f"https://x.example/?token={secret}"),
    )
    write_evidence(folder, pieces)
    said = {"statements": [{"text": told, "evidence": ["e1"]}], "alert_class": "infra", "confidence_percent": 90, "veto": told}
    with OpenAIStandIn([answers({**said, "runbook": None})]) as server:
        settings = fixed({"OPENAI_BASE_URL": server.base_url, "OPENAI_MODEL": "m", "OPENAI_API_KEY": "k"})
        record = await live(folder, settings)
    files = recorded_files(record, files_of(BOOKS), "1", 10**9)
    assert files is not None
    assert {"metrics.jsonl", "kubernetes.json", "changes.json", "redis.json", "logs/voice/api-1/c.log"} <= files[1].keys()
    for name, text in files[1].items():
        assert not [core for core in ("Zx9Qw8", "Tr0ub4", "jane.d") if core in text], name
    assert (await again(case_of(record, tmp_path), folder)).departures == ()


def made(kind: EvidenceKind, payload: Any, **more: Any) -> Evidence:
    at = datetime(2026, 3, 4, 3, 5, tzinfo=UTC)
    known = {"id": "e1", "source": f"s-{kind.value}", "kind": kind, "query": "q", "status": EvidenceStatus.OK, "observed_at": at}
    return Evidence.model_validate({**known, "payload": payload, **more})


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"halted": True}, "deny"),
        ({"mode": Mode.OBSERVE}, "deny"),
        ({"mode": Mode.OFF}, "deny"),
        ({"breakers": (Breaker.STORM.value,)}, "deny"),
        ({"collector_errors": ("redis",)}, "hand_back"),
        ({"active_freezes": ("release-week",)}, "deny"),
        ({"global_actions_24h": 1_000}, "deny"),
        ({}, "needs_approval"),
    ],
    ids=str,
)
async def test_whatever_was_in_force_then_is_in_force_again(facts: dict[str, Any], verdict: str, tmp_path: Path) -> None:
    folder = CASE_OF["redis-slow-primary"]
    run = dry_run(SETTINGS, BOOKS, folder)

    async def those(context: FactContext) -> Facts:
        return (await run.assessor.facts_for(context)).model_copy(update=facts)

    record = await live(folder, assessor=replace(run.assessor, facts_for=those))
    assert record.judged is not None
    assert record.judged.decision.verdict.value == verdict
    recalled = await again(case_of(record, tmp_path), folder)
    assert (recalled.departures, recalled.sha256) == ((), record.judged.decision.sha256)
