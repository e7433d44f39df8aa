"""Incidents as tools print them, one text file each in cases/, and what the agent says of them.

A file: `title:`, `label: name=value`, `tells: words that a person must read`, `quiet: yes` where nothing is wrong; then, for each
look, a line `$ operation key=value ...` and what was printed. All of them are invented.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import Observation
from tests.bench.diagnosis.answer import Answer, answered
from tests.bench.diagnosis.tables import incident

CASES = Path(__file__).parent / "cases"
AT = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
ONSET = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class HandedOver:
    """One file: the case, what must be told of it, and whether all is well."""

    case: Case
    tells: tuple[str, ...]
    quiet: bool


def names() -> list[str]:
    """Every case's name."""
    return sorted(path.stem for path in CASES.glob("*.txt"))


def handed_over(name: str) -> HandedOver:
    """The case of that name."""
    head, *looks = (CASES / f"{name}.txt").read_text(encoding="utf-8").split("\n$ ")
    told = [line.partition(": ")[::2] for line in head.splitlines()]
    labels = dict(value.split("=", 1) for key, value in told if key == "label")
    title = next(value for key, value in told if key == "title")
    case = Case(
        id=name,
        at=AT,
        incident=incident(name, title, labels, ONSET.timestamp()),
        observations=tuple(_observation(look) for look in looks),
    )
    return HandedOver(case, tuple(v for k, v in told if k == "tells"), ("quiet", "yes") in told)


@cache
def answer(name: str) -> Answer:
    """What the agent says of the case."""
    return answered(handed_over(name).case)


def _observation(look: str) -> Observation:
    command, _, output = look.partition("\n")
    operation, *args = command.split()
    given = dict(pair.split("=", 1) for pair in args)
    return Observation(source="kubernetes", operation=operation, args=given, status=EvidenceStatus.OK, output=output)
