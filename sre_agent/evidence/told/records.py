"""Lines of logs inside the JSON that log stores answer with: OpenSearch, Datadog, Loki, CloudWatch, Google Cloud. Pure.

Each record becomes one line: its own text where it is plain, else the record as JSON, which said_errors.py reads.
"""

import json
from collections.abc import Iterator
from typing import Any

from sre_agent.evidence.kubernetes.state import JsonObject, dig

MOST = 5_000
_MESSAGE = ("message", "msg", "log", "textPayload")


def log_lines(documents: list[Any]) -> list[str]:
    """The lines of every record found; [] when the documents hold no logs."""
    found: list[str] = []
    for document in documents:
        for line in _lines(document):
            if len(found) >= MOST:
                return found
            found.append(line)
    return found


def _lines(document: Any) -> Iterator[str]:
    if isinstance(document, list):
        records = [r for r in document if isinstance(r, dict) and (_said(r) or isinstance(r.get("jsonPayload"), dict))]
        yield from (_line(r) for r in records if "severity" in r or "timestamp" in r or "@timestamp" in r or "level" in r)
        return
    if not isinstance(document, dict):
        return
    streams = dig(document, "data", "result")
    if dig(document, "data", "resultType") == "streams" and isinstance(streams, list):
        values = [v for s in streams if isinstance(s, dict) for v in s.get("values") or ()]
        yield from (str(v[1]) for v in values if isinstance(v, list) and len(v) == 2)
        return
    hits = dig(document, "hits", "hits")
    for hit in hits if isinstance(hits, list) else ():
        if isinstance(hit, dict) and isinstance(source := hit.get("_source"), dict) and _said(source):
            yield _line(source)
    for row in document.get("data") or () if isinstance(document.get("data"), list) else ():
        if isinstance(row, dict) and isinstance(told := row.get("attributes"), dict) and _said(told):
            yield _line({"level": told.get("status"), **told})
    for event in document.get("events") or () if isinstance(document.get("events"), list) else ():
        if isinstance(event, dict) and isinstance(event.get("message"), str) and "timestamp" in event:
            yield event["message"]


def _said(record: JsonObject) -> bool:
    return any(isinstance(record.get(k), str) and record[k] for k in _MESSAGE)


def _line(record: JsonObject) -> str:
    payload = record.get("jsonPayload")
    kept = {**record, **payload} if isinstance(payload, dict) else {"message": record.get("textPayload"), **record}
    return json.dumps({k: v for k, v in kept.items() if isinstance(v, str | int | float)}, ensure_ascii=False)
