"""Structured logs: one line, one object, no secrets."""

import io
import json
import logging
from datetime import UTC, datetime

import pytest

from sre_agent.adapters.log import configure, log_audited
from sre_agent.audit.record import AuditEntry


@pytest.fixture
def lines():
    """The configured log as a function that returns its lines; the root logger is put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure("info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_log_call_is_one_json_object_with_its_fields(lines):
    logging.getLogger("sre_agent.web").info("delivery_received", extra={"door": "pagerduty", "size": 12})
    [line] = lines()
    assert (line["event"], line["level"], line["logger"]) == ("delivery_received", "info", "sre_agent.web")
    assert (line["door"], line["size"]) == ("pagerduty", 12)
    assert datetime.fromisoformat(line["at"]).tzinfo is not None


def test_secrets_are_redacted_in_messages_fields_and_tracebacks(lines):
    try:
        raise ValueError("postgresql://agent:hush-hush@db/sre")
    except ValueError:
        logging.getLogger("x").exception("password=hush-hush", extra={"api_key": "hush-hush", "deep": {"token": "hush-hush"}})
    [line] = lines()
    assert "hush" not in json.dumps(line)
    assert "Traceback" in line["traceback"]


def test_line_breaks_and_odd_values_cannot_forge_a_line(lines):
    logging.getLogger("x").warning("one\n{}\n\x1b[2J", extra={"odd": object(), "event": "forged"})
    [line] = lines()
    assert line["event"].startswith("one\n")


def test_libraries_that_log_addresses_are_kept_quiet(lines):
    logging.getLogger("httpx").info("HTTP Request: GET https://monitor/secret-path")
    assert lines() == []


def test_what_is_audited_is_logged_under_the_same_name(lines):
    log_audited(AuditEntry(at=datetime(2026, 11, 23, tzinfo=UTC), incident_id="Q1", kind="approval_granted", actor="ana"))
    [line] = lines()
    assert (line["event"], line["incident_id"], line["actor"]) == ("approval_granted", "Q1", "ana")
