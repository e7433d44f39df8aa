"""The contents of a case's standard files, to put evidence on and to take it from again. No I/O here.

What is put here is found again by its `Place`, to the word. A payload that does not fit a standard file is refused (None): it
then stands in evidence.jsonl itself.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sre_agent.evidence.ai.quality import ModelError, ModelUse, PromptVersion, Score
from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.series import Series
from sre_agent.replay.case_shapes import ChangeRow, JsonObject, MasterRows, TopologyFile

METRICS, OBJECTS, CHANGES = "metrics.jsonl", "kubernetes.json", "changes.json"
QUALITY, REDIS, POSTGRES, TOPOLOGY = "langfuse.json", "redis.json", "postgres.json", "topology.json"
STANDARD = frozenset({METRICS, OBJECTS, CHANGES, QUALITY, REDIS, POSTGRES, TOPOLOGY})
# Names of namespaces, pods and containers are foreign text: what is no plain name never becomes part of a path.
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"
_LOG = re.compile(rf"logs/({_PART})/({_PART})/({_PART})\.log")
_QUALITY: dict[str, type[BaseModel]] = {"scores": Score, "prompts": PromptVersion, "models": ModelUse, "errors": ModelError}
_RENAMED = {"from_version": "from", "to_version": "to"}
_RENAMED_BACK = {new: old for old, new in _RENAMED.items()}


class Place(BaseModel):
    """Where in the standard files a payload stands.

    `rows`: of a list, counted from 0; `parts`: of several lists by name; `key`: under which name. `rest`: what the payload
    says besides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    rows: tuple[int, ...] | None = None
    parts: dict[str, tuple[int, ...]] | None = None
    key: str | None = None
    rest: JsonObject = {}


def is_log(file: str) -> bool:
    """Whether the name is that of a log in a case."""
    return _LOG.fullmatch(file) is not None


def written(value: object) -> str:
    """One text for one value, in the order of its keys."""
    return json.dumps(value, separators=(",", ":"))


@dataclass
class Shelves:
    """`lists` and `quality` by file or part; of each row its place is known, so that equal ones stand there once."""

    lists: dict[str, list[Any]] = field(default_factory=dict)
    quality: dict[str, list[Any]] = field(default_factory=dict)
    masters: dict[str, Any] = field(default_factory=dict)
    whole: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, list[str]] = field(default_factory=dict)
    _known: dict[tuple[str, str], int] = field(default_factory=dict)

    def put(self, kind: EvidenceKind, payload: Any) -> Place | None:
        """The place of a payload from now on; None when no standard file can hold it."""
        try:
            place = self._put(kind, payload)
        except (ValidationError, AttributeError, KeyError, TypeError, ValueError):
            return None
        return place if place is not None and written(self.payload(place)) == written(payload) else None

    def payload(self, place: Place) -> Any:
        """What stands there. Raises LookupError where nothing does."""
        if is_log(place.file):
            return {**place.rest, "lines": list(self.logs[place.file])}
        match place.file:
            case "metrics.jsonl":
                return [self.lists[METRICS][i] for i in _each(place.rows)]
            case "kubernetes.json":
                return {"items": [self.lists[OBJECTS][i] for i in _each(place.rows)], **place.rest}
            case "changes.json":
                return [_renamed(self.lists[CHANGES][i], _RENAMED_BACK) for i in _each(place.rows)]
            case "langfuse.json":
                return {part: [self.quality[part][i] for i in _each(rows)] for part, rows in (place.parts or {}).items()}
            case "redis.json":
                return {"name": place.key, **self.masters[place.key or ""]}
            case "postgres.json" | "topology.json":
                return self.whole[place.file]
        raise LookupError(place.file)

    def _put(self, kind: EvidenceKind, payload: Any) -> Place | None:
        match kind:
            case EvidenceKind.METRICS:
                return Place(file=METRICS, rows=self._rows(METRICS, [_fits(row, Series) for row in payload]))
            case EvidenceKind.KUBERNETES:
                rest = {k: v for k, v in payload.items() if k != "items"}
                items = [dict(item) for item in payload["items"]]
                return Place(file=OBJECTS, rows=self._rows(OBJECTS, items), rest=rest)
            case EvidenceKind.CHANGES:
                rows = [_fits(_renamed(row, _RENAMED), ChangeRow) for row in payload]
                return Place(file=CHANGES, rows=self._rows(CHANGES, rows))
            case EvidenceKind.LANGFUSE:
                return self._put_quality(payload)
            case EvidenceKind.REDIS:
                return self._put_master(payload)
            case EvidenceKind.LOGS:
                return self._put_log(payload)
            case EvidenceKind.POSTGRES if {"replication", "activity"} & payload.keys():
                return self._put_whole(POSTGRES, dict(payload))
            case EvidenceKind.TOPOLOGY:
                return self._put_whole(TOPOLOGY, _fits(payload, TopologyFile))
        return None

    def _rows(self, name: str, rows: list[Any], into: list[Any] | None = None) -> tuple[int, ...]:
        shelf = self.lists.setdefault(name, []) if into is None else into
        places = []
        for row in rows:
            place = self._known.setdefault((name, written(row)), len(shelf))
            if place == len(shelf):
                shelf.append(row)
            places.append(place)
        return tuple(places)

    def _put_quality(self, payload: Any) -> Place:
        shapes = {part: _QUALITY[part] for part in payload}
        parts = {part: [_fits(row, shapes[part]) for row in rows] for part, rows in payload.items()}
        known = {part: self._rows(f"{QUALITY}:{part}", rows, self.quality.setdefault(part, [])) for part, rows in parts.items()}
        return Place(file=QUALITY, parts=known)

    def _put_master(self, payload: Any) -> Place | None:
        """A Sentinel master; a cluster and a queue have other shapes."""
        rows = {k: v for k, v in payload.items() if k != "name"}
        _fits(rows, MasterRows)
        held = self.masters.setdefault(payload["name"], rows)
        return Place(file=REDIS, key=payload["name"]) if held == rows and rows else None

    def _put_whole(self, name: str, payload: Any) -> Place | None:
        return Place(file=name) if self.whole.setdefault(name, payload) == payload else None

    def _put_log(self, payload: Any) -> Place | None:
        previous, lines = payload.get("previous") is True, payload["lines"]
        name = f"logs/{payload['namespace']}/{payload['pod']}/{payload['container']}{'.previous' if previous else ''}.log"
        if not is_log(name) or payload["container"].endswith(".previous") or not all(map(_one_line, lines)):
            return None
        if any(held.lower() == name.lower() and held != name for held in self.logs):
            return None  # one file on some disks
        rest = {k: v for k, v in payload.items() if k != "lines"}
        held = self.logs.setdefault(name, list(lines))
        return Place(file=name, rest=rest) if held == list(lines) else None

    def files(self) -> dict[str, str]:
        """The text of every file that holds something, by its name in the case."""
        found = {}
        for name, rows in self.lists.items():
            found[name] = {
                METRICS: lambda r: "".join(f"{written(row)}\n" for row in r),
                OBJECTS: lambda r: _pretty({"apiVersion": "v1", "kind": "List", "items": r}),
                CHANGES: _pretty,
            }[name](rows)
        if self.quality:
            found[QUALITY] = _pretty(self.quality)
        if self.masters:
            found[REDIS] = _pretty({"masters": self.masters})
        found |= {name: _pretty(value) for name, value in self.whole.items()}
        return found | {name: "".join(f"{line}\n" for line in lines) for name, lines in self.logs.items()}

    def load(self, file: str, text: str) -> None:
        """The shelves of one file again, from its text. Raises ValueError or LookupError for what is not as `files` writes it."""
        if is_log(file):
            lines = text.split("\n")
            self.logs[file] = lines if lines[-1] else lines[:-1]
        elif file == METRICS:
            self.lists[file] = [json.loads(line) for line in text.split("\n") if line.strip()]
        elif file == OBJECTS:
            self.lists[file] = list(json.loads(text)["items"])
        elif file == CHANGES:
            self.lists[file] = list(json.loads(text))
        elif file == QUALITY:
            self.quality = dict(json.loads(text))
        elif file == REDIS:
            self.masters = dict(json.loads(text)["masters"])
        elif file in (POSTGRES, TOPOLOGY):
            self.whole[file] = json.loads(text)
        else:
            raise LookupError(file)


def _each(rows: tuple[int, ...] | None) -> tuple[int, ...]:
    if rows is None or any(i < 0 for i in rows):
        raise LookupError("no rows")
    return rows


def _fits(row: Any, shape: type[BaseModel]) -> Any:
    """The row, if a reader of the case takes all of it. Raises ValidationError or ValueError."""
    shape.model_validate(row)
    known = set(shape.model_fields) | {f.alias for f in shape.model_fields.values() if f.alias}
    if row.keys() - known:
        raise ValueError("has keys that the format does not have")
    return row


def _renamed(row: JsonObject, names: dict[str, str]) -> JsonObject:
    return {names.get(k, k): v for k, v in row.items()}


def _one_line(line: object) -> bool:
    return isinstance(line, str) and not re.search("[\r\n\ud800-\udfff]", line)


def _pretty(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
