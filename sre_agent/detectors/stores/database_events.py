"""POSTGRES_...: what a provider's event feed says of a database, where its metrics do not tell. Text, and so weak.

Pure. Lines "TIME DATABASE: message" or a JSON list of events, as `describe-events` gives them (Amazon RDS, "Event categories and
event messages"). Events are history: the last word on a trouble counts, and what was mended or is long ago is left alone. A
failover that is over is told, as what happened.

SAFETY: below what stands for infrastructure anywhere (0.5): whoever can write into the feed must not decide whose problem it is.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes.state import instant
from sre_agent.evidence.postgres.state import LABELS
from sre_agent.evidence.view import EvidenceView

K = FindingKind
STRENGTH, QUOTE = 0.4, 160
LONG_AGO = timedelta(hours=1)
MOST_LINES = 500
_FEED = re.compile(r"\brds\b|db[ _-]?events?|database events?|describe[-_ ]events", re.IGNORECASE)
_LINE = re.compile(r"^(\S+T\S+) (?:([\w.-]{1,80}): )?(.+)$")
_OTHER = re.compile(r"\btest\b|scheduled for|needs? to be rebooted|requires? a (reboot|restart)|backup", re.IGNORECASE)
_WELL = re.compile(r"back to normal|returned? to normal|recovered|resolved|caught up", re.IGNORECASE)


@dataclass(frozen=True)
class _Event:
    at: datetime | None
    database: str
    text: str


@dataclass(frozen=True)
class _Words:
    """What names a trouble, and what says that it was mended."""

    kind: FindingKind
    sick: re.Pattern[str]
    mended: re.Pattern[str]


def _words(kind: FindingKind, sick: str, mended: str = r"(?!)") -> _Words:
    return _Words(kind, re.compile(sick, re.IGNORECASE), re.compile(mended, re.IGNORECASE))


_TROUBLES = (
    _words(
        K.POSTGRES_DISK_FULL,
        r"(out of|exhausted|insufficient)\b.{0,20}(storage|disk)|(storage|disk)\b.{0,40}(full|low\b|exhausted)|low\b.{0,10}storage",
        r"storage autoscaling completed|(allocated )?storage has been (increased|expanded)|finished applying .{0,20}storage",
    ),
    _words(
        K.POSTGRES_CONNECTIONS_FULL,
        r"max_connections|too many (clients|connections)|connection slots|connections?\b.{0,30}(limit|maximum|refused)",
    ),
    _words(
        K.POSTGRES_RESTARTED,
        r"failover.{0,20}(started|initiated|in progress|completed)|instance (has been )?(restarted|rebooted|shut ?down)|"
        r"recovery of the db instance",
    ),
    _words(K.POSTGRES_REPLICA_LAG, r"replica(tion)? lag|replica\b.{0,30}(behind|lagging)", r"replication.{0,20}resumed"),
    _words(K.POSTGRES_REPLICATION_BROKEN, r"replication.{0,20}(stopped|terminated|failed|error)", r"replication.{0,20}resumed"),
    _words(K.POSTGRES_LOCKED, r"deadlock detected|still waiting for \w+lock|due to lock timeout|lock wait timeout"),
    _words(K.POSTGRES_MEMORY_SHORT, r"out of memory|memory pressure|low (on )?(freeable )?memory|swapping"),
    _words(K.POSTGRES_CPU_FULL, r"cpu\b.{0,40}(exceed|above|high|saturat)"),
    _words(
        K.POSTGRES_IO_SATURATED, r"(iops|i/o)\b.{0,30}(limit|exceed|throttl|saturat)|burst ?balance|checkpoints are occurring too"
    ),
)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding of each kind a database: the newest event that names the trouble, unless a later one ends it."""
    named = (v for label in LABELS for v in sorted(view.scope.incident.label_values(label)))
    default, since = next(named, ""), view.scope.onset - LONG_AGO
    last: dict[tuple[str, FindingKind], tuple[_Event, str] | None] = {}
    for evidence, events in _feeds(view):
        for event in (e for e in events if (e.at is None or e.at >= since) and not _OTHER.search(e.text)):
            database = (event.database or default).lower()
            for trouble in _TROUBLES if database else ():
                if trouble.mended.search(event.text) or (_WELL.search(event.text) and trouble.kind is not K.POSTGRES_RESTARTED):
                    last[database, trouble.kind] = None
                elif trouble.sick.search(event.text):
                    last[database, trouble.kind] = (event, evidence)
    found = [_finding(database, kind, *told) for (database, kind), told in last.items() if told is not None]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.kind, f.object)))


def _feeds(view: EvidenceView) -> Iterator[tuple[str, list[_Event]]]:
    for e in view.ok(EvidenceKind.TEXT):
        payload = e.payload if isinstance(e.payload, dict) else {}
        output, asked = payload.get("output"), f"{payload.get('source', '')} {payload.get('operation', '')}"
        if isinstance(output, str) and _FEED.search(asked):
            yield e.id, sorted(_events(output), key=lambda event: (event.at is not None, event.at or view.scope.now))


def _events(output: str) -> list[_Event]:
    try:
        told = json.loads(output)
    except ValueError:
        lines = (_LINE.match(line.strip()) for line in output.splitlines()[:MOST_LINES])
        return [_Event(instant(m[1]), m[2] or "", m[3]) for m in lines if m]
    rows = told.get("events") or told.get("Events") if isinstance(told, dict) else told
    found = []
    for row in rows[:MOST_LINES] if isinstance(rows, list) else ():
        low = {str(k).lower().replace("_", ""): v for k, v in row.items()} if isinstance(row, dict) else {}
        if low.get("message"):
            found.append(_Event(instant(low.get("date")), str(low.get("sourceidentifier") or ""), str(low["message"])))
    return found


def _finding(database: str, kind: FindingKind, event: _Event, evidence: str) -> Finding:
    return Finding(
        kind=kind,
        object=f"postgres/{database}",
        cause=f"the event feed says of {database}: {' '.join(event.text.split())[:QUOTE]}",
        onset=event.at,
        strength=STRENGTH,
        evidence=(evidence,),
        refuted_by="the database's own metrics say otherwise",
    )
