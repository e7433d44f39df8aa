"""The distinct errors of a log, and its requests: what counts as one, and what only speaks of errors."""

import json

import pytest

from sre_agent.evidence.logs.requests import failing, slow
from sre_agent.evidence.logs.said_errors import said_errors


def texts(*lines):
    return [(e.count, e.text) for e in said_errors(lines)]


def test_lines_that_differ_in_service_and_user_are_one_error_with_its_services():
    lines = [f"2026-03-04T10:00:0{i}Z [ERROR] {s}-service - login of user u{i} failed: session store away - RequestID: r{i}"
             for i, s in enumerate(("auth", "web", "auth", "admin"))]  # fmt: skip
    [error] = said_errors(lines)
    assert (error.count, list(error.services)) == (4, ["auth-service", "web-service", "admin-service"])
    assert error.text == "login of user u0 failed: session store away"


def test_different_errors_stay_apart():
    lines = ["ERROR db - deadlock detected", "ERROR db - unique constraint violated for key", "ERROR db - deadlock detected"]
    assert texts(*lines) == [(2, "deadlock detected"), (1, "unique constraint violated for key")]


def test_an_exception_is_told_once_with_its_last_cause_and_the_first_frame_that_is_its_own():
    lines = ["org.x.WrapException: save failed", "\tat org.x.Y.z(Y.java:9)", "\tat io.acme.Cart.save(Cart.java:44)",
             "Caused by: java.io.IOException: stream closed", "\tat java.base/S.read(S.java:1)", "\t... 3 more"]  # fmt: skip
    assert texts(*lines) == [
        (1, "org.x.WrapException: save failed; caused by: java.io.IOException: stream closed (at Cart.java:44)")
    ]


def test_a_python_traceback_is_its_last_line_with_its_last_frame():
    lines = ["Traceback (most recent call last):", '  File "/app/a.py", line 3, in m', '  File "/app/b.py", line 7, in f', "  g()",
             "KeyError: 'REGION'"]  # fmt: skip
    assert texts(*lines) == [(1, "KeyError: 'REGION' (at /app/b.py:7)")]


def test_a_go_panic_names_the_first_file():
    lines = [
        "panic: assignment to entry in nil map",
        "",
        "goroutine 1 [running]:",
        "main.f(0x0)",
        "\t/src/f.go:12 +0x3a",
        "\t/src/main.go:3 +0x1",
    ]
    assert texts(*lines) == [(1, "panic: assignment to entry in nil map (at /src/f.go:12)")]


@pytest.mark.parametrize(
    "line",
    ["INFO sync finished, 0 errors", "errors=0 failed=0 took=3ms", "no failures in the run", 'level=info msg="retry: on error"',
     '{"level":"info","msg":"cleanup of failed jobs done"}', "2026-03-04 10:00:00 UTC [1] LOG:  done; error count 0",
     "I0304 10:00:00.000001 1 main.go:1] retry on failure enabled", "GET /errors 200", '{"level":30,"msg":"listening"}'],
)  # fmt: skip
def test_what_only_speaks_of_errors_is_none(line):
    assert texts(line, line) == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"level":50,"msg":"charge failed","err":{"message":"card declined"}}', "charge failed: card declined"),
        ('ts=1 level=error msg="WAL write failed" err="no space left on device"', "WAL write failed: no space left on device"),
        ("E0304 10:00:01.000001       1 reflector.go:147] secrets is forbidden", "secrets is forbidden"),
        ("[pod/a-0/app] ERROR no route to host", "no route to host"),
        ('time=x level=info msg="call done" err="deadline exceeded"', "call done: deadline exceeded"),
    ],
)
def test_the_usual_dresses_of_an_error_are_taken_off(line, text):
    assert texts(line) == [(1, text)]


def test_requests_that_fail_are_counted_by_route_and_refused_ones_are_the_callers_own():
    line = '10.0.0.1 - - [04/Mar/2026:10:00:01 +0000] "POST /api/orders/{} HTTP/1.1" {} 157 "-" "x"'
    assert failing([line.format(i, 502) for i in range(3)] + [line.format(9, 200)]) == [
        "3x POST /api/orders/# answered 502 (3 of 4)"
    ]
    assert failing([line.format(i, 404) for i in range(9)]) == []


def test_a_route_is_slow_against_the_others_and_not_where_all_are():
    def log(*pairs):
        return [json.dumps({"path": p, "status": 200, "duration_ms": ms}) for p, ms in pairs for _ in range(3)]

    assert slow(log(("/year", 9000), ("/day", 20))) == ["/year takes 9000 ms (median of 3; the others 20 ms)"]
    assert slow(log(("/year", 9000), ("/day", 8000))) == []
    assert slow(log(("/year", 300), ("/day", 2))) == []


@pytest.mark.parametrize(
    "line", ["", "{", "{}", "[]", '{"level": []}', "\x00" * 10, "Caused by: x", "Traceback (most recent call last):", "{" * 900]
)
def test_odd_lines_do_not_raise(line):
    assert isinstance(said_errors([line]), list)
    assert failing([line]) + slow([line]) == []
