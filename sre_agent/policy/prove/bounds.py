"""The bounds of every integer a policy may read: those that pydantic enforces on the same fields, by construction."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel

from sre_agent.policy.facts import Claims, Facts, GuardRequest
from sre_agent.policy.syntax import Unsupported

SOURCES: Final[Mapping[str, type[BaseModel]]] = {"Facts": Facts, "Claims": Claims, "Remediation": GuardRequest}
"""Schema type to the model that is validated before its values reach Cedar."""

FIRST_SECOND: Final = int(datetime.min.replace(tzinfo=UTC).timestamp())
LAST_SECOND: Final = int(datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp())
"""Seconds since 1970 that a datetime can hold: what approval.decide puts into these two fields."""

MOMENTS: Final = frozenset({("Answering", "now_s"), ("Plan", "expires_at_s")})


def bounds_of(owner: str, name: str) -> tuple[int, int]:
    """(least, greatest) of a field. Raises Unsupported when nothing bounds it: then its arithmetic could overflow."""
    if (owner, name) in MOMENTS:
        return FIRST_SECOND, LAST_SECOND
    model = SOURCES.get(owner)
    if model is None or name not in model.model_fields:
        raise Unsupported(f"no model bounds the integer {owner}.{name}; give it a field with ge and le")
    field = model.model_json_schema()["properties"][name]
    low, high = field.get("minimum"), field.get("maximum")
    if not isinstance(low, int) or not isinstance(high, int):
        raise Unsupported(f"{owner}.{name} is not bounded on both sides; give its field ge and le")
    return low, high
