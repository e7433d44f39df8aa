"""What all checks come to, and how it is shown: pure values in, text out."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sre_agent.cli.doctor import _show
from sre_agent.wiring.doctor.verdict import Report, Result, Seen, ago, broken, judged_skew, listed, ok, skipped, together, warning
from tests.doctor.examined import BROKEN, OK, SKIPPED, WARNING

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
RESULTS = (
    Result("settings", "values", OK, "3 of 82 settings are set, and none contradicts another", "", (), 0.0004),
    Result("loki", "answers", SKIPPED, "LOKI_URL is not set", "", ("LOKI_URL",)),
    Result("slack", "token", SKIPPED, "SLACK_BOT_TOKEN is not set", "", ("SLACK_BOT_TOKEN",)),
    Result("slack", "socket", SKIPPED, "SLACK_APP_TOKEN is not set", "", ("SLACK_APP_TOKEN",)),
    Result("prometheus", "answers", OK, "it answers queries, version 3.14.0", "", ("PROMETHEUS_URL",), 0.0121),
    Result("prometheus", "fresh", BROKEN, "its newest sample is 9 min old", "Look at Status > Targets.", ("PROMETHEUS_URL",), 0.5),
    Result("outside", "heartbeat", WARNING, "nobody would notice", "Set it.", ("SRE_AGENT_HEARTBEAT_URL",)),
)
REPORT = Report("0.1.0", AT, RESULTS)


def report(*statuses: tuple[str, object]) -> Report:
    return Report("0", AT, tuple(Result(c, "x", s, "found", "todo", ()) for c, s in statuses))


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ([], 0),
        ([("a", SKIPPED)], 0),
        ([("a", OK), ("b", WARNING)], 0),
        ([("a", OK), ("b", BROKEN)], 1),
        ([("settings", WARNING), ("b", OK)], 0),
        ([("settings", BROKEN), ("b", OK)], 2),
        ([("settings", BROKEN), ("b", BROKEN)], 2),
    ],
)
def test_the_exit_status_tells_scripts_how_bad_it_is(statuses, status):
    assert report(*statuses).exit_status == status


def test_the_worst_connection_and_the_worst_check_stand_first():
    assert [(c, [r.check for r in rs]) for c, rs in REPORT.groups] == [
        ("prometheus", ["fresh", "answers"]),
        ("outside", ["heartbeat"]),
        ("settings", ["values"]),
        ("loki", ["answers"]),
        ("slack", ["token", "socket"]),
    ]


def test_the_last_line_says_what_to_do_first():
    assert REPORT.next_step == "Mend first prometheus.fresh: its newest sample is 9 min old. Look at Status > Targets."
    assert report(("b", BROKEN), ("settings", BROKEN)).next_step.startswith("Mend first settings.x")
    assert report(("b", WARNING)).next_step == "Nothing is broken. Look first at b.x: found. todo"
    assert report(("b", OK), ("c", SKIPPED)).next_step == "All that is configured works."
    assert "docs/settings.md" in report(("c", SKIPPED)).next_step


def test_the_json_document_is_the_one_scripts_were_written_for(capsys):
    _show(REPORT, as_json=True)
    shown = capsys.readouterr().out
    assert shown == (GOLDEN / "report.json").read_text()
    assert json.loads(shown)["counts"] == {"broken": 1, "warning": 1, "ok": 2, "skipped": 3}


def test_the_text_is_the_one_people_read(capsys):
    _show(REPORT, as_json=False)
    assert capsys.readouterr().out == (GOLDEN / "report.txt").read_text()


def test_several_looks_come_to_the_worst_and_what_the_worst_found():
    seen = together([ok("fine"), broken("a is gone", "Mend it."), warning("b is odd", "Look."), broken("c is gone", "Mend it.")])
    assert seen == Seen(BROKEN, "a is gone; c is gone", "Mend it.")
    assert together([skipped("x"), ok("y", "maybe")]) == Seen(OK, "y", "maybe")
    assert together([]).status is SKIPPED


@pytest.mark.parametrize(
    ("skew", "status"), [(0.4, OK), (-2.9, OK), (3.0, WARNING), (-29.0, WARNING), (30.0, BROKEN), (-3600, BROKEN)]
)
def test_clocks_that_differ_are_told_by_how_much_and_which_way(skew, status):
    seen = judged_skew(skew, "PagerDuty")
    assert seen.status is status
    if status is not OK:
        assert ("ahead of" if skew > 0 else "behind") in seen.found
        assert seen.todo


def test_long_lists_and_long_times_are_short():
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(n) for n in range(9)], 3) == "0, 1, 2 and 6 more"
    assert [ago(s) for s in (5, 119, 120, 7200, 200_000)] == ["5 s", "119 s", "2 min", "2 h", "2 d"]
