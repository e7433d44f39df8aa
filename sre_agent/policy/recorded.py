"""Requests as they lie about: in a decision, an incident's record, an audit line, a policy test's base."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.case import complaint
from sre_agent.policy.facts import Situation

PARTS = ("proposal", "declaration", "facts", "claims")


def situations(text: str, name: str) -> tuple[tuple[str, Situation], ...]:
    """("name:line", request) of every request in a JSON text or in JSON lines; `name` is how messages call the text.

    Raises ConfigurationError when it is not JSON, or a request in it does not have the facts of this version.
    """
    found: list[tuple[str, Situation]] = []
    for line, value in _documents(text, name):
        for body in _requests(value):
            try:
                asked = Situation.model_validate_json(json.dumps({part: body[part] for part in PARTS}))
                found.append((f"{name}:{line}", asked))
            except ValidationError as error:
                raise ConfigurationError(
                    f"{name}:{line}: not a request of this version: {complaint(error, (f'facts.{f}' for f in body['facts']))}"
                ) from error
    return tuple(found)


def _documents(text: str, name: str) -> Iterator[tuple[int, Any]]:
    try:
        yield 1, json.loads(text)
    except ValueError:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except ValueError as error:
                    raise ConfigurationError(f"{name}:{number}: not JSON: {error}") from error


def _requests(value: Any) -> Iterator[dict[str, Any]]:
    """Everything in a JSON value that has the parts of a request, outermost first."""
    if isinstance(value, dict) and all(isinstance(value.get(part), dict) for part in PARTS):
        yield value
        return
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _requests(child)
