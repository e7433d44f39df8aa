"""From an offset in a scalar's value to the offset in the file: an expression is edited where it stands, whatever its style."""

from sre_agent.rules.document import Document, Scalar
from sre_agent.rules.finding import Edit


def offset_in(document: Document, scalar: Scalar, at: int) -> int | None:
    """Where the value's character `at` stands in the file's text; None when it is not written there as it is (escapes)."""
    raw, value = document.text[scalar.place.start : scalar.place.end], scalar.text
    begin = 1 if scalar.style in ("'", '"') else _after_header(raw) if scalar.style in ("|", ">") else 0
    position, written = begin, 0
    for written in range(at + 1):
        if written == len(value):
            break
        position = _skip(raw, position, value[written])
        if position < 0:
            return None
        if written < at:
            position += 1
    return scalar.place.start + position


def edits_in(document: Document, scalar: Scalar, inserted: dict[int, str]) -> tuple[Edit, ...] | None:
    """Insertions into a scalar's value (offset -> text) as edits of the file; None where one cannot be placed."""
    found = list[Edit]()
    for at, text in sorted(inserted.items()):
        place = offset_in(document, scalar, at) if at < len(scalar.text) else _end(document, scalar, at)
        if place is None:
            return None
        found.append(Edit(place, place, text))
    return tuple(found)


def _end(document: Document, scalar: Scalar, at: int) -> int | None:
    """Right after the last character of the value."""
    last = offset_in(document, scalar, at - 1)
    return None if last is None else last + 1


def _after_header(raw: str) -> int:
    """Past the first line of a block scalar ("|-")."""
    return raw.find("\n") + 1


def _skip(raw: str, position: int, wanted: str) -> int:
    """The position of the wanted character at or after `position`, past blanks that folding and indentation added; -1 if it is
    not the next one."""
    while position < len(raw):
        if raw[position] == wanted:
            return position
        if raw[position] not in " \t\r\n":
            return -1
        position += 1
    return -1
