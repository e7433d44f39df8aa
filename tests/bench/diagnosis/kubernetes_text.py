"""What people's tools said about live clusters, as text: are the facts that a good answer must hold in the agent's?

A fact is there when every name in quotes or backticks is in the text, and at least half of its other words by their
stems. Coarse, and the same for everybody: no person and no model judges.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import Observation
from tests.bench.diagnosis.answer import cost, share, warmed
from tests.bench.diagnosis.tables import incident
from tests.bench.verdict import Row

NAME, ENOUGH, STEM = "kubernetes_text", 0.5, 5
_STATUS = {"success": EvidenceStatus.OK, "no_data": EvidenceStatus.NO_DATA}
_QUOTED = re.compile(r"[`\"]([^`\"]+)[`\"]")
_WORD = re.compile(r"[a-z][a-z0-9'-]{2,}")
_EMPTY = frozenset(
    """the and for are was were that this with from its has have been being not due because does into which who
    whichever following order should answer must mention summary point named called one two three issue issues
    may there their them it's""".split()  # noqa: SIM905
)


def measured(root: Path) -> list[Row]:
    """Cases with every expected fact, and the cost."""
    wanted = {p.stem: json.loads(p.read_text())["expected"] for p in root.glob("*.json")}
    answers = warmed(cases(root))
    good = [all(_told(fact, a.text) for sentence in wanted[a.case] for fact in _facts(sentence)) for a in answers]
    for answer, held in zip(answers, good, strict=True):
        if not held:
            print(f"  {NAME}: {answer.case} lacks a fact")
    return [share(f"{NAME}: every expected fact told", good, 10 / 12), cost(NAME, answers, 150.0)]


def _facts(sentence: str) -> list[str]:
    """A numbered list is one fact an item; anything else is one fact."""
    items = re.findall(r"^\s*\d+\.\s*(.+)$", sentence, re.MULTILINE)
    return items or [sentence]


def _told(fact: str, text: str) -> bool:
    told = text.lower()
    names = [n.lower() for n in _QUOTED.findall(fact)]
    words = {w[:STEM] for w in _WORD.findall(_QUOTED.sub(" ", fact).lower()) if w not in _EMPTY}
    here = {w[:STEM] for w in _WORD.findall(told)}
    return all(name in told for name in names) and len(words & here) >= ENOUGH * len(words)


def cases(root: Path) -> Iterator[Case]:
    """Every recording."""
    for path in sorted(root.glob("*.json")):
        yield _case(path.stem, json.loads(path.read_text()))


def _case(name: str, told: dict[str, Any]) -> Case:
    alert = told["alert"] or {}
    raw = alert.get("raw") or {}
    labels = {str(k): str(v) for k, v in (raw.get("labels") or {}).items()}
    labels.update(_subject(alert))
    title = alert.get("title") or alert.get("name") or told["prompt"] or name
    notes = {str(k): str(v) for k, v in (raw.get("annotations") or {}).items()}
    if alert.get("description"):
        notes["description"] = str(alert["description"])
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Case(
        id=name,
        at=at,
        incident=incident(name, str(title), labels, at.timestamp() - 300, notes),
        observations=tuple(_observation(o) for o in told["observations"]),
    )


def _subject(alert: dict[str, Any]) -> dict[str, str]:
    """The labels that an alert of this kind would carry for its subject."""
    subject = alert.get("subject") or {
        "name": alert.get("subject_name"),
        "namespace": alert.get("subject_namespace"),
        "subject_type": alert.get("subject_type"),
    }
    kind = str(subject.get("subject_type") or "")
    named = {kind: subject.get("name"), "namespace": subject.get("namespace")}
    return {k: str(v) for k, v in named.items() if k in ("pod", "deployment", "namespace") and v}


def _observation(told: dict[str, Any]) -> Observation:
    status = _STATUS.get(told["status"], EvidenceStatus.ERROR)
    return Observation(
        source="kubernetes", operation=told["tool"], args=told["args"] or {}, status=status, output=str(told["output"])
    )
