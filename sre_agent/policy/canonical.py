"""One text for one value, and its hash."""

import hashlib
import json


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: object) -> str:
    """sha256 (hex) over the canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
