"""Structured logs: one JSON object a line on standard error, event names in the past tense, equal to the audit kinds.

Everything is redacted on its way out, fields and tracebacks included. Log with
`logging.getLogger(__name__).info("delivery_received", extra={"door": "pagerduty"})`.
"""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.redact import redact, redact_json

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_CHATTY = ("httpx", "httpcore", "urllib3", "asyncio", "procrastinate", "uvicorn")


class JsonLine(logging.Formatter):
    """A record as one line of JSON: at, level, event, logger, then its own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. Fields that are no JSON are shown as text."""
        own = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": redact(record.getMessage()),
            "logger": record.name,
        }
        if own:
            shown: dict[str, object] = redact_json(json.loads(json.dumps(own, default=str)))
            line |= {key: value for key, value in shown.items() if key not in line}
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True)


def configure(level: str, stream: TextIO) -> None:
    """Send every log of the process to `stream` as JSON lines. Replaces what was configured before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        # Libraries that log addresses and arguments at INFO, or in other words than ours.
        logging.getLogger(name).setLevel(logging.WARNING)


def log_audited(entry: AuditEntry) -> None:
    """What was audited, also as a log line; of a judged request only the hash, since the audit has the whole."""
    detail = {key: value for key, value in entry.detail.items() if key != "request"}
    fields = {"incident_id": entry.incident_id, "actor": entry.actor, "detail": detail}
    logging.getLogger("sre_agent.audit").info(entry.kind, extra=fields)
