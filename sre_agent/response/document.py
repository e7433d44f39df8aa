"""Documents as PostgreSQL can hold them, whatever telemetry or a webhook put into their strings.

jsonb has no NUL character, no half of a surrogate pair and no NaN; a log line may hold all three. They
are replaced rather than refused: an incident must never be stuck because of a byte in somebody's log.
"""

import json
import math
import re
from contextlib import suppress
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

M = TypeVar("M", bound=BaseModel)

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
MARK = "\N{REPLACEMENT CHARACTER}"
NUL = r"\u0000"
"""How JSON shows a NUL."""

PLAIN = TypeAdapter(object, config=ConfigDict(ser_json_inf_nan="strings"))


def document(model: BaseModel) -> str:
    """The model as JSON text for a jsonb column.

    NaN and the infinities become the strings "NaN", "Infinity", "-Infinity", which a float field reads back.
    """
    return json_text(model.model_dump(mode="json"))


def as_stored(model: M) -> M:
    """The model as it will read back from the store."""
    return type(model).model_validate_json(document(model))


def json_text(value: object) -> str:
    """A plain JSON value as text for a jsonb column."""
    # Hardly any value needs replacing, and walking a record in Python costs ten times what writing it does.
    with suppress(ValueError):  # half of a surrogate pair
        written = PLAIN.dump_json(value).decode()
        if NUL not in written:
            return written
    return json.dumps(_storable(value), allow_nan=False, separators=(",", ":"))


def text(value: str) -> str:
    """The string for a text column."""
    return UNSTORABLE.sub(MARK, value)


def _storable(value: object) -> object:
    """The JSON value with everything unstorable replaced."""
    match value:
        case str():
            return text(value)
        case float() if not math.isfinite(value):
            return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        case dict():
            return {text(str(key)): _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case _:
            return value
