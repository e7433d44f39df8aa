"""A time series. Payload of EvidenceKind.METRICS evidence: a list of dumped Series."""

import math
from functools import cached_property
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, field_serializer


class Series(BaseModel):
    """labels (with __name__) and samples (unix seconds, value). NaN and infinities are dropped on use.

    In JSON they are the strings "NaN", "inf" and "-inf", which read back: as bare floats inside another document they
    would become null there, and one ratio without traffic (0/0) would make all metrics unreadable.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    labels: dict[str, str]
    samples: tuple[tuple[float, float], ...] = ()

    @field_serializer("samples", when_used="json")
    def _samples_as_json(self, samples: tuple[tuple[float, float], ...]) -> list[list[float | str]]:
        return [[t, v if math.isfinite(v) else str(v).replace("nan", "NaN")] for t, v in samples]

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.labels.get("__name__", "")

    def finite(self) -> tuple[tuple[float, float], ...]:
        """The samples that are numbers, oldest first; of two at one time the one told last."""
        return self._in_order

    @cached_property
    def _in_order(self) -> tuple[tuple[float, float], ...]:
        found = tuple((t, v) for t, v in self.samples if math.isfinite(v) and math.isfinite(t))
        if all(a[0] < b[0] for a, b in pairwise(found)):
            return found
        return tuple(sorted(dict(found).items()))
