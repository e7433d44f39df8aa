"""CSV files, packed with gzip, as columns of numbers or rows of text."""

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sre_agent.evidence.series import Series
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

csv.field_size_limit(10_000_000)
Samples = list[tuple[float, float]]


def rows(path: Path) -> Iterator[list[str]]:
    """The rows of a CSV file, its head lines included."""
    with gzip.open(path, "rb") as packed:
        yield from csv.reader(io.TextIOWrapper(packed, encoding="utf-8", errors="replace", newline=""))


def number(text: str) -> float | None:
    """The number in a cell; None for an empty one or for words."""
    try:
        return float(text)
    except ValueError:
        return None


def one_series(labels: dict[str, str], samples: Samples) -> Series:
    """A series, oldest sample first."""
    return Series(labels=labels, samples=tuple(sorted(samples)))


def incident(case: str, title: str, labels: dict[str, str], onset: float, notes: dict[str, str] | None = None) -> Incident:
    """An incident with one alert that fires since `onset` (unix seconds). Its service is the label, else the case."""
    service = labels.get("service", case)
    began = datetime.fromtimestamp(onset, UTC)
    return Incident(
        id=case,
        title=title,
        status=IncidentStatus.TRIGGERED,
        created_at=began,
        service=Reference(id=service, name=service),
        alerts=(Alert(labels={"alertname": title[:80], **labels}, annotations=notes or {}, starts_at=began),),
    )
