"""How much of what was planted is removed, and how much of the rest is touched: the numbers of docs/redaction.md."""

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sre_agent.evidence.redact import redact, redact_json
from tests.evidence.corpus.carriers import Carried, bare, named
from tests.evidence.corpus.families import FAMILIES
from tests.evidence.corpus.ordinary import ordinary_lines
from tests.evidence.corpus.planted import Family, Shows

LEFT = 6
"""A secret counts as removed when no six characters in a row of it are left."""


@dataclass(frozen=True)
class Planting:
    """One secret in one carrier."""

    family: Family
    carrier: str
    secret: str
    carried: Carried


@dataclass
class Measured:
    """Counts by family or kind, and what was missed or touched."""

    total: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str]] = field(default_factory=list)

    def share_right(self) -> float:
        """1.0 when nothing was wrong."""
        return 1 - self.wrong.total() / self.total.total()


def plantings(seed: int, each: int) -> list[Planting]:
    """`each` secrets of every family, each in a carrier that is drawn for it."""
    r = random.Random(seed)
    return [_planting(r, family) for family in FAMILIES for _ in range(each)]


def _planting(r: random.Random, family: Family) -> Planting:
    made = family.make(r)
    if family.shows is Shows.TEXT:
        text, secret = made
        return Planting(family, "its own", secret, text)
    assert isinstance(made, str)
    if family.shows is Shows.NAME:
        name = r.choice(family.names)
        value = f"Basic {made}" if "uthorization" in name else made
        return Planting(family, *_arranged(named(r, name, value), made))
    return Planting(family, *_arranged(bare(r, made), made))


def _arranged(carrier: tuple[str, Carried], secret: str) -> tuple[str, str, Carried]:
    return carrier[0], secret, carrier[1]


def cleaned(carried: Carried) -> str:
    """What is left, as text."""
    return redact(carried) if isinstance(carried, str) else json.dumps(redact_json(carried), ensure_ascii=False)


def leaks(secret: str, text: str) -> bool:
    """True when six characters in a row of the secret (all of a shorter one) are still there."""
    least = min(LEFT, len(secret))
    return any(secret[i : i + least] in text for i in range(len(secret) - least + 1))


def recall(planted: list[Planting], clean: Callable[[Carried], str] = cleaned) -> Measured:
    """By family: how many were planted and how many are still there."""
    found = Measured()
    for p in planted:
        found.total[p.family.name] += 1
        after = clean(p.carried)
        if leaks(p.secret, after):
            found.wrong[p.family.name] += 1
            found.examples.append((f"{p.family.name} / {p.carrier}", after))
    return found


def precision(seed: int, each: int, clean: Callable[[str], str] = redact) -> Measured:
    """By kind: how many ordinary tokens there were and how many are no longer what they were."""
    found = Measured()
    for kind, line in ordinary_lines(seed, each):
        found.total[kind] += 1
        after = clean(line)
        if after != line:
            found.wrong[kind] += 1
            found.examples.append((kind, f"{line}  ->  {after}"))
    return found
