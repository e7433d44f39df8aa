"""Reading one file of a case: JSON, JSON lines, gzip; every complaint names file, line and field.

Unknown keys are ignored with a warning (a later format may have more); wrong types and values are errors.
"""

import gzip
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from sre_agent.incident.errors import Permanent

MAX_BYTES = 200_000_000
MAX_WARNINGS = 100
LONGEST_LINE = 40_000
"""Bytes of one line of a log that are read.

SAFETY: more than investigation/portion.py keeps of a line, in characters of four bytes too: it alone chooses where a line is
cut, so that no half of a secret is left.
"""
_DECODER = json.JSONDecoder()

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
JsonPath = Sequence[int | str]


class MalformedCase(Permanent):
    """A file of a case that cannot be read as the format says. The message names file, line and field."""


@dataclass
class CaseReader:
    """The files of one case folder. `warnings` collects what was ignored."""

    folder: Path
    warnings: list[str] = field(default_factory=list)

    def text(self, name: str) -> str | None:
        """A file's text, `name` or `name`.gz; None when neither exists."""
        plain, packed = self.folder / name, self.folder / f"{name}.gz"
        try:
            if plain.exists():
                raw = plain.read_bytes()
            elif packed.exists():
                with gzip.open(packed) as stream:
                    raw = stream.read(MAX_BYTES + 1)
            else:
                return None
        except (OSError, EOFError, zlib.error) as error:
            raise MalformedCase(f"{self._where(name)}: cannot be read: {error}") from error
        if len(raw) > MAX_BYTES:
            raise MalformedCase(f"{self._where(name)}: larger than {MAX_BYTES // 1_000_000} MB")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise MalformedCase(f"{self._where(name)}, line {line}: not UTF-8 text") from error

    def newest_lines(self, name: str, most: int, over: Callable[[str], bool]) -> tuple[tuple[str, ...], bool]:
        """(the last `most` lines of a log before the first that is `over`, whether anything was cut), packed or not.

        Read line by line: a log of a hundred megabytes, or one such line, costs no more memory than what is kept of it.
        """
        plain, packed = self.folder / name, self.folder / f"{name}.gz"
        kept: deque[str] = deque(maxlen=most)
        cut, number, size = False, 0, 0
        try:
            with plain.open("rb") if plain.exists() else gzip.open(packed) as stream:
                while raw := stream.readline(LONGEST_LINE):
                    number, size, whole = number + 1, size + len(raw), len(raw) < LONGEST_LINE or raw.endswith(b"\n")
                    line = raw.decode("utf-8", "strict" if whole else "ignore").rstrip("\r\n")
                    while not whole and (rest := stream.readline(LONGEST_LINE)):
                        cut, size, whole = True, size + len(rest), rest.endswith(b"\n")
                        if size > MAX_BYTES:
                            break
                    if size > MAX_BYTES:
                        raise MalformedCase(f"{self._where(name)}: larger than {MAX_BYTES // 1_000_000} MB")
                    if over(line):
                        break
                    cut = cut or len(kept) == most
                    kept.append(line)
        except UnicodeDecodeError as error:
            raise MalformedCase(f"{self._where(name)}, line {number}: not UTF-8 text") from error
        except (OSError, EOFError, zlib.error) as error:
            raise MalformedCase(f"{self._where(name)}: cannot be read: {error}") from error
        return tuple(kept), cut

    def json(self, name: str, adapter: TypeAdapter[T], rows: dict[str, type[BaseModel]] | None = None) -> T | None:
        """A JSON file as `adapter` says; None when it is missing.

        `rows` names the models whose keys are checked for unknown ones: "" the top, "a.*.b" below wildcards.
        """
        text = self.text(name)
        if text is None:
            return None
        raw = self._decoded(name, text, 1)
        for path, model in (rows or {}).items():
            self._unknown_keys(name, raw, path, model)
        return self._validated(name, raw, adapter, text)

    def lines(self, name: str, model: type[M]) -> tuple[M, ...] | None:
        """A JSON-lines file, one `model` a line, blank lines passed over; None when it is missing."""
        text = self.text(name)
        if text is None:
            return None
        adapter = TypeAdapter(model)
        found = []
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                raw = self._decoded(name, line, number)
                self._warn_unknown(name, raw, model, f"line {number}")
                found.append(self._validated(name, raw, adapter, line, number))
        return tuple(found)

    def complaint(self, name: str, path: JsonPath, message: str) -> MalformedCase:
        """An error about one field of a JSON file that was read before."""
        line = line_of(self.text(name) or "null", path)
        return MalformedCase(f"{self._where(name)}, line {line}, field {_dotted(path)}: {message}")

    def _decoded(self, name: str, text: str, first_line: int) -> object:
        try:
            return json.loads(text)
        except RecursionError as error:
            raise MalformedCase(f"{self._where(name)}, line {first_line}: nested too deeply") from error
        except json.JSONDecodeError as error:
            line = first_line + error.lineno - 1
            raise MalformedCase(f"{self._where(name)}, line {line}: not JSON: {error.msg} (column {error.colno})") from error

    def _validated(self, name: str, raw: object, adapter: TypeAdapter[T], text: str, line: int | None = None) -> T:
        try:
            return adapter.validate_python(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            path = first["loc"]
            where = line if line is not None else line_of(text, path)
            raise MalformedCase(f"{self._where(name)}, line {where}, field {_dotted(path)}: {first['msg']}") from error

    def _unknown_keys(self, name: str, raw: object, path: str, model: type[BaseModel]) -> None:
        for where, row in _walk(raw, [p for p in path.split(".") if p], ""):
            self._warn_unknown(name, row, model, where or "the top level")

    def _warn_unknown(self, name: str, row: object, model: type[BaseModel], where: str) -> None:
        if not isinstance(row, dict) or len(self.warnings) >= MAX_WARNINGS:
            return
        known = set(model.model_fields) | {str(f.alias) for f in model.model_fields.values() if f.alias}
        for key in row.keys() - known:
            self.warnings.append(f"{self._where(name)}, {where}: unknown key {key!r} ignored")

    def _where(self, name: str) -> str:
        return f"{self.folder.name}/{name}"


def line_of(text: str, path: JsonPath) -> int:
    """The line on which the value at `path` begins, or the deepest part of the path that exists. `text` is valid JSON."""
    position = _skip(text, 0)
    for part in path:
        below = next((at for key, at in _members(text, position) if key == part), None)
        if below is None:
            break
        position = below
    return text.count("\n", 0, position) + 1


def _members(text: str, position: int) -> Iterator[tuple[int | str, int]]:
    """(key or index, position of the value) of the object or array that begins at `position`."""
    opening = text[position]
    if opening not in "{[":
        return
    at, index = _skip(text, position + 1), 0
    while text[at] not in "}]":
        key: int | str = index
        if opening == "{":
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        yield key, at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
        index += 1


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _walk(raw: object, path: list[str], where: str) -> Iterator[tuple[str, object]]:
    if not path:
        yield where, raw
        return
    head, rest = path[0], path[1:]
    if head == "*" and isinstance(raw, list):
        for i, item in enumerate(raw):
            yield from _walk(item, rest, f"{where}[{i}]")
    elif isinstance(raw, dict):
        for key in list(raw) if head == "*" else [head]:
            if key in raw:
                yield from _walk(raw[key], rest, f"{where}.{key}".lstrip("."))


def _dotted(path: JsonPath) -> str:
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    return text or "(the whole file)"
