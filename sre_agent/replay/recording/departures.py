"""Where one JSON value is not another, field by field. Pure."""

from collections.abc import Iterator, Mapping

LONGEST = 160


def departures(was: object, is_now: object, where: str = "") -> Iterator[str]:
    """One line for each field that differs, in the order of the names."""
    if isinstance(was, Mapping) and isinstance(is_now, Mapping):
        for key in sorted({*was, *is_now}):
            path = f"{where}.{key}".lstrip(".")
            if key not in is_now or key not in was:
                yield f"{path}: only in the {'recording' if key in was else 'replay'}"
            else:
                yield from departures(was[key], is_now[key], path)
    elif was != is_now:
        yield f"{where}: recorded {_short(was)}, now {_short(is_now)}"


def _short(value: object) -> str:
    said = repr(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
