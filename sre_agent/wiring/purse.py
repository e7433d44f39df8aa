"""What a whole run may spend on a model."""

from dataclasses import dataclass


@dataclass
class Purse:
    """What a run may spend on a model, in USD. INVARIANT: what is promised to cases on their way and what was spent never
    exceed `usd` together; a case that gets too little is thought through by rules, and says so."""

    usd: float
    per_case: float
    promised: float = 0.0
    spent: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether the next case would get its whole share now, or nothing more can come back for it to wait for."""
        return self.usd - self.spent - self.promised >= self.per_case or self.promised <= 0.0

    def promise(self) -> float:
        """The most the next case may cost."""
        share = max(0.0, min(self.per_case, self.usd - self.spent - self.promised))
        self.promised += share
        return share

    def settle(self, share: float, cost: float) -> None:
        """A case that was promised `share` has cost `cost`."""
        self.promised = max(0.0, self.promised - share)
        self.spent += cost
