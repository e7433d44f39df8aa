"""A program that writes without end costs bounded memory and time, and nothing is cut where a secret could show."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.redact import redact_evidence
from sre_agent.investigation.portion import MOST_BYTES, MOST_LINE_CHARS, MOST_LINES, portion, redacted

MOST_RSS_MB = 300


def log(made, lines):
    return made.evidence(EvidenceKind.LOGS, {"namespace": "v", "pod": "p", "lines": lines})


def test_a_usual_log_is_left_as_it_is(made):
    piece = log(made, ["a", "b"])
    assert portion(piece) is piece


def test_the_newest_lines_are_kept_and_the_cut_is_told(made):
    kept = portion(log(made, [f"line {i}" for i in range(MOST_LINES + 5)]))
    assert (len(kept.payload["lines"]), kept.payload["lines"][0], kept.payload["pod"]) == (MOST_LINES, "line 5", "p")
    assert kept.truncated
    assert kept.size_bytes == sum(len(f"line {i}") + 1 for i in range(MOST_LINES + 5))


def test_no_more_than_a_megabyte_is_kept_whatever_the_alphabet(made):
    kept = portion(log(made, ["ü" * 1_000 for _ in range(2_000)]))
    size = sum(len(line.encode()) + 1 for line in kept.payload["lines"])
    assert MOST_BYTES - 2_001 <= size <= MOST_BYTES
    assert kept.size_bytes == 2_000 * 2_001


def test_lines_with_a_time_of_their_own_are_cut_too(made):
    kept = portion(log(made, [{"at": i, "line": "x y " * 5_000} for i in range(3)]))
    assert [line["at"] for line in kept.payload["lines"]] == [0, 1, 2]
    assert all(len(line["line"]) < MOST_LINE_CHARS + 50 for line in kept.payload["lines"])


SECRETS = ["password=hunter2hunter2", '{"password": "hunter2 hunter2', "ghp_" + "hunter2" * 8, "postgres://u:hunter2hunter2@db/x"]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_cut_leaves_a_half_of_a_secret_that_is_no_longer_seen_as_one(made, secret):
    for shift in range(len(secret) + 2):
        line = "a " * ((MOST_LINE_CHARS - shift) // 2) + "b " * (shift % 2) + secret + " tail" * 2_000
        piece = portion(log(made, [line]))
        (kept,) = redacted(piece).payload["lines"]
        assert piece.truncated
        assert "hunt" not in kept


def test_one_endless_word_is_dropped_whole(made):
    (kept,) = portion(log(made, ["x" * 10_000_000])).payload["lines"]
    assert kept == " (cut: 10000000 characters)"


def test_handed_over_text_is_cut_and_other_kinds_are_not(made):
    text = made.evidence(EvidenceKind.TEXT, {"operation": "kubectl describe", "output": "word " * 500_000})
    assert len(portion(text).payload["output"]) <= MOST_BYTES + 50
    assert portion(text).truncated
    series = made.evidence(EvidenceKind.METRICS, [{"labels": {}, "samples": []}])
    assert portion(series) is series
    odd = made.evidence(EvidenceKind.LOGS, {"lines": "no list"})
    assert portion(odd) is odd


@pytest.mark.parametrize(
    "lines",
    [
        ["token=abcdef", "fine", "token=abcdef"],
        ['{"password": "x1x1x1"}', "plain"],
        [{"line": "token=abcdef"}, "token=abcdef"],
        [],
        ["x", 7],
    ],
)
def test_lines_are_redacted_as_if_one_by_one(made, lines):
    piece = log(made, lines)
    assert redacted(piece).payload == redact_evidence(piece).payload


PROGRAM = """
import asyncio, json, resource, sys
from pathlib import Path
from datetime import UTC, datetime, timedelta
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.digest import evidence_block
from sre_agent.investigation.examine import examine
from sre_agent.investigation.fetch import fetch
from sre_agent.wiring.discovery import detectors

now = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
window = Window.before(now, timedelta(hours=1))
alerts = (Alert(labels={"pod": "api"}),)
incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=now, service=Reference(id="P"), alerts=alerts)
scope = Scope(incident=incident, now=now, onset=now - timedelta(minutes=5), window=window, change_window=window)

class Flood:
    name, kind = "kubernetes", EvidenceKind.LOGS
    async def gather(self, scope):
        lines = [f"2026-03-04T03:{i % 60:02d}:00Z error {i} " + "x" * 480 for i in range(200_000)]
        payload = {"namespace": "v", "pod": "api", "container": "c", "previous": False, "lines": lines}
        told = {"source": self.name, "kind": self.kind, "status": EvidenceStatus.OK, "observed_at": now}
        return (Evidence(id="", query="", payload=payload, **told),)

found = asyncio.run(fetch([Flood()], scope, 60.0))
examined = examine(EvidenceView(scope=scope, evidence=found), detectors())
shown = evidence_block(found[0], scope.onset)
# Where Linux tells it, the peak of this program alone: ru_maxrss also counts the process that started it.
status = Path("/proc/self/status")
told = status.read_text() if status.exists() else ""
peak_kb = int(told.partition("VmHWM:")[2].split()[0]) if told else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
peak_mb = peak_kb / 1024
lines = found[0].payload["lines"]
print(json.dumps([peak_mb, found[0].truncated, found[0].size_bytes, len(lines), len(shown), len(examined.notes)]))
"""


def test_a_hundred_megabytes_of_log_fit_into_three_hundred_with_all_that_is_made_of_them():
    root = Path(__file__).parent.parent.parent
    ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=root, capture_output=True, text=True, check=True)
    peak_mb, truncated, size, lines, shown, notes = json.loads(ran.stdout)
    assert size > 100_000_000
    assert truncated
    assert 0 < lines < 3_000
    assert shown < 4_000
    assert notes == 0
    assert peak_mb < MOST_RSS_MB
