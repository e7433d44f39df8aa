"""A time series. Payload of EvidenceKind.METRICS evidence: a list of dumped Series."""

import math

from pydantic import BaseModel, ConfigDict


class Series(BaseModel):
    """labels (with __name__) and samples (unix seconds, value). NaN and infinities are dropped on use."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")

    labels: dict[str, str]
    samples: tuple[tuple[float, float], ...] = ()

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.labels.get("__name__", "")

    def finite(self) -> tuple[tuple[float, float], ...]:
        """The samples that are numbers."""
        return tuple((t, v) for t, v in self.samples if math.isfinite(v))
