"""One audit record and the chain over them."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

GENESIS = "0" * 64


class AuditEntry(BaseModel):
    """What is to be remembered. `kind` is a past-tense name, equal to the log event ("incident_received")."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    incident_id: str | None
    kind: str
    actor: str = "sre-agent"
    detail: dict[str, Any] = {}


class AuditRecord(BaseModel):
    """An entry at its place in the chain. `hash` covers `previous`, `sequence` and the entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int
    previous: str
    entry: AuditEntry
    hash: str


def link(previous: str, sequence: int, entry: AuditEntry) -> AuditRecord:
    """The record that follows the one whose hash is `previous` (GENESIS for the first)."""
    body = json.dumps(
        {"previous": previous, "sequence": sequence, "entry": entry.model_dump(mode="json")}, sort_keys=True, separators=(",", ":")
    )
    return AuditRecord(sequence=sequence, previous=previous, entry=entry, hash=hashlib.sha256(body.encode()).hexdigest())


def first_break(records: Iterable[AuditRecord]) -> int | None:
    """The sequence number of the first record that does not follow from the one before; None if all do."""
    previous, expected = GENESIS, 1
    for r in records:
        if r.sequence != expected or r.previous != previous or link(previous, expected, r.entry).hash != r.hash:
            return expected
        previous, expected = r.hash, expected + 1
    return None


def anchor(record: AuditRecord) -> str:
    """What a note outside the database keeps of a record: "number:first half of its hash" (128 bits)."""
    return f"{record.sequence}:{record.hash[:32]}"


def unlike(records: Sequence[AuditRecord], anchors: Iterable[str]) -> tuple[str, ...]:
    """The anchors that do not fit the chain (records from number 1 on, in order), each with why."""
    wrong = []
    for noted in anchors:
        number, _, said = noted.strip().partition(":")
        if not (number.isascii() and number.isdigit()) or len(said) < 16:
            wrong.append(f"{noted!r} is not NUMBER:HASH")
        elif not 1 <= int(number) <= len(records):
            wrong.append(f"record {number} does not exist; the chain has {len(records)}")
        elif not records[int(number) - 1].hash.startswith(said):
            wrong.append(f"record {number} has another hash")
    return tuple(wrong)
