"""Finds what was added as a file: detectors and actions. The only place that imports by name.

Discovery is harmless: an action that no policy names is refused, a detector that raises is left out.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from pydantic import BaseModel

import sre_agent.actions
import sre_agent.detectors
from sre_agent.execution.action import Action, NoParameters
from sre_agent.execution.rights import Right
from sre_agent.investigation.examine import Detector


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in sorted(pkgutil.walk_packages(package.__path__, package.__name__ + "."), key=lambda m: m.name):
        yield importlib.import_module(found.name)


def detectors() -> tuple[Detector, ...]:
    """Every `detect` in detectors/, by module name."""
    return tuple(m.detect for m in _modules(sre_agent.detectors) if hasattr(m, "detect"))


def actions() -> dict[str, Action]:
    """Every class in actions/ that is an Action (has name, tier, undo and effect), by its name."""
    found: dict[str, Action] = {}
    for module in _modules(sre_agent.actions):
        for value in vars(module).values():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and all(hasattr(value, a) for a in ("name", "tier", "undo", "effect", "recover")):
                action: Action = value()
                found[action.name] = action
    return found


def parameters() -> dict[str, type[BaseModel]]:
    """What a runbook may give to each action: nothing, where it does not say."""
    return {name: getattr(action, "parameters", NoParameters) for name, action in actions().items()}


def rights() -> dict[str, tuple[Right, ...]]:
    """What each action needs in a cluster: nothing, where it does not say."""
    return {name: tuple(getattr(action, "rights", ())) for name, action in actions().items()}
