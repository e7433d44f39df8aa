"""Lines of one statement join one template, errors join no others, and nothing that arrives makes it grow without bound."""

import resource
import subprocess
import sys

from sre_agent.evidence.logs.templates import MOST_TOKENS, REST, Templates

HUNDRED_MB = """
import resource, sys
from datetime import UTC, datetime, timedelta
from sre_agent.detectors.signals.log_patterns import habit_of
start = datetime(2026, 1, 1, tzinfo=UTC)
def lines():
    told = 0
    for i in range(10**9):
        if told >= int(sys.argv[1]):
            return
        stamp = (start + timedelta(milliseconds=i)).isoformat()
        line = f"{stamp} INFO order {i} of w{i * 7919 % 100003:x}z took {i % 97} ms " + "x" * 400
        told += len(line)
        yield line
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
habit = habit_of(lines(), start.timestamp() + 30)
print(len(habit.templates), sum(habit.before.values()) + sum(habit.since.values()))
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def numbers(*lines, most=100):
    templates = Templates(most)
    return [templates.add(line) for line in lines], templates


def test_lines_of_one_statement_join_one_template_also_when_words_differ():
    told, templates = numbers(
        "2026-05-04T12:00:00Z INFO user anna has logged in from home",
        "2026-05-04T12:00:01Z INFO user bert has logged in from home",
        "2026-05-04T12:00:02Z INFO cache was cleared by the timer today",
    )
    assert told == [0, 0, 1]
    assert templates.text(0) == "INFO user # has logged in from home"


def test_an_error_joins_no_line_that_is_none_and_lengths_are_kept_apart():
    told, _ = numbers("INFO call to cart has ended well", "INFO call to cart has ended error", "INFO call to cart has ended")
    assert told == [0, 1, 2]


def test_no_more_templates_are_made_than_allowed_and_the_rest_has_a_name():
    words = [f"INFO {'abcdefghij'[i // 10]}{'klmnopqrst'[i % 10]} " + "x " * (i % 20) for i in range(100)]
    told, templates = numbers(*words, most=10)
    assert len(templates) == 10
    assert -1 in told
    assert templates.text(-1) == templates.text(99) == REST


def test_odd_lines_are_lines_too():
    told, templates = numbers("", " ", "\x00\x01", "word " * 1000, "x" * 100_000)
    assert len(told) == 5
    assert all(len(templates.text(n).split()) <= MOST_TOKENS for n in told)


def test_a_log_that_streams_by_is_judged_in_little_memory():
    """30 MB here; a hundred take the same (docs/adr/0001-log-templates-without-drain3.md)."""
    run = subprocess.run([sys.executable, "-c", HUNDRED_MB, "30000000"], capture_output=True, text=True, check=True, timeout=120)
    (templates, lines), (before, after) = (tuple(map(int, row.split())) for row in run.stdout.splitlines())
    assert templates <= 3
    assert lines > 50_000
    assert after - before < 60_000 * (1 if sys.platform == "linux" else resource.getpagesize())
