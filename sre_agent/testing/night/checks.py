"""What the night must show. A check that did not hold makes the demo's exit status non-zero."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Check:
    """One promise, whether it held, and the numbers behind it."""

    promise: str
    held: bool
    measured: str


@dataclass
class Ledger:
    """The checks so far, in order."""

    checks: list[Check] = field(default_factory=list)

    def add(self, promise: str, held: bool, measured: object = "") -> Check:
        """Record one check."""
        check = Check(promise, bool(held), str(measured))
        self.checks.append(check)
        return check

    @property
    def all_held(self) -> bool:
        """True when there were checks and every one held."""
        return bool(self.checks) and all(c.held for c in self.checks)
