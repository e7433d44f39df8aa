"""One situation and its neighbours: the same with one thing different, named as the policies name it.

Paths are "context.facts.x", "context.claims.x" and "resource.x". What a policy reads beyond these cannot be varied.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel, ValidationError

from sre_agent.policy.bundle import Bundle, Declared
from sre_agent.policy.checked import ENGINE_FAULTS, check_probes
from sre_agent.policy.declarations import ENVIRONMENTS, environment_of
from sre_agent.policy.facts import BOUND, GuardRequest, Situation
from sre_agent.policy.request import remediation, workload
from sre_agent.runbook.resolve import TARGET_KINDS

Value = bool | int | str | tuple[str, ...]

_DECLARED = {"env": "environment", "owner": "team", "stateful": "stateful", "has_prompts": "has_prompts"}
"""Attributes of a resource that come from its declaration, and the declaration's own name for them."""
_OF_TARGET = ("kind", "namespace", "uid")
SOMETHING_ELSE = "(another)"
"""Stands for any other text, where a policy compares text."""


@dataclass(frozen=True)
class Varied:
    """A situation whose single things can be read and replaced by path."""

    situation: Situation

    def value(self, path: str) -> Value | None:
        """What stands at a path now; None when the path cannot be varied."""
        model, name = self._place(path)
        found: object = None
        if model is not None:
            found = getattr(model, name)
        elif path.startswith("resource."):
            found = workload(self.situation.proposal, self.situation.declaration)["attrs"].get(name)
        match found:
            case Enum(value=str(text)) | {"id": str(text)}:
                return text
            case bool() | int() | str():
                return found
            case tuple():
                return tuple(str(item) for item in found)
            case _:
                return None

    def with_one(self, path: str, value: Value) -> "Varied | None":
        """The same with one thing different; None when that is not a valid situation."""
        return self.with_all({path: value})

    def with_all(self, changes: Mapping[str, Value]) -> "Varied | None":
        """The same with several things different; None when that is not a valid situation."""
        body = self.situation.model_dump(mode="json")
        for path, value in changes.items():
            _put(body, path, value)
        try:
            return Varied(Situation.model_validate(body, strict=False))
        except ValidationError:
            return None

    def _place(self, path: str) -> tuple[BaseModel | None, str]:
        """The model and field behind a path into the context."""
        head, _, name = path.rpartition(".")
        model = {"context.facts": self.situation.facts, "context.claims": self.situation.claims}.get(head)
        return (model, name) if model is not None and name in type(model).model_fields else (None, name)


def _put(body: dict[str, Any], path: str, value: Value) -> None:
    head, _, name = path.rpartition(".")
    if head in ("context.facts", "context.claims"):
        body[head.removeprefix("context.")][name] = value
    elif name in _OF_TARGET:
        body["proposal"]["target"][name] = value
    else:
        body["declaration"][_DECLARED.get(name, name)] = value
    if path == "resource.stateful" and not value:
        body["declaration"]["dataset"] = None  # a target with a dataset is stateful whatever it says


def choices(varied: Varied, path: str, declared: Declared) -> tuple[Value, ...]:
    """The other values that one path may have, where they can be counted."""
    now = varied.value(path)
    model, name = varied._place(path)
    if model is not None and isinstance(member := getattr(model, name), Enum):
        return tuple(m.value for m in type(member) if m is not member)
    match path, now:
        case _, bool():
            return (not now,)
        case _, tuple():
            return ((),) if now else ((SOMETHING_ELSE,),)
        case "resource.env", _:
            here = environment_of(varied.situation.declaration)
            return tuple(e for e in ENVIRONMENTS if e != here)
        case "resource.owner", _:
            return tuple(t for t in sorted(declared.people.teams) if t != now)
        case "resource.kind", _:
            return tuple(k for k in sorted(TARGET_KINDS) if k != now)
        case _, str():
            return (SOMETHING_ELSE,)
    return ()


def number_at(varied: Varied, path: str) -> tuple[int, int, int] | None:
    """(value now, least, most) of a path that holds a number; None for any other."""
    model, name = varied._place(path)
    now = None if model is None else getattr(model, name)
    if model is None or not isinstance(now, int) or isinstance(now, bool):
        return None
    low, high = 0, BOUND
    for limit in type(model).model_fields[name].metadata:
        low, high = getattr(limit, "ge", low), getattr(limit, "le", high)
    return now, low, high


def nearest_numbers(now: int, low: int, high: int, turned: Callable[[int], bool]) -> Iterator[int]:
    """The nearest number below and the nearest above `now` at which `turned` holds: steps that double, then halving.

    Exact for a policy that compares a number with a limit; for anything odder a number where it turns, if steps meet one.
    """
    for end in (low, high):
        sign, step, before = (1 if end >= now else -1), 1, now
        while before != end:
            at = max(low, min(high, now + sign * step))
            if turned(at):
                yield _turning_point(before, at, turned)
                break
            before, step = at, step * 2


def _turning_point(before: int, at: int, turned: Callable[[int], bool]) -> int:
    while abs(at - before) > 1:
        middle = (before + at) // 2
        before, at = (before, middle) if turned(middle) else (middle, at)
    return at


def ask(bundle: Bundle, varied: Varied, agent: str) -> tuple[frozenset[str], ...] | None:
    """The ids behind the engine's answer at 0, 1 and 2 approvals; None when it gave none that can be believed."""
    s = varied.situation
    request = GuardRequest(agent=agent, proposal=s.proposal, declaration=s.declaration, facts=s.facts, claims=s.claims, approvals=0)
    try:
        question = remediation(request)
        probes = bundle.engine.evaluate(question).probes
        check_probes(question, probes, bundle.rules)
    except ENGINE_FAULTS:
        return None
    return tuple(frozenset(p.policy_ids) for p in probes)
