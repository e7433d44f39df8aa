"""How far the agent may go, per (action, service): data/modes.yaml. The mode of the whole agent is never exceeded.

Pure. `auto` here is leave to earn it, not the thing itself: see policy.autonomy.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sre_agent.policy.autonomy import Standing
from sre_agent.policy.declarations import Problem
from sre_agent.policy.facts import Mode

UNLISTED = Mode.APPROVE
"""What an (action, service) without an entry may have at most: nobody has said that it may run without people."""

_ORDER = (Mode.OFF, Mode.OBSERVE, Mode.APPROVE, Mode.AUTO)


def strictest(*modes: Mode) -> Mode:
    """The most restrictive of several modes."""
    return min(modes, key=_ORDER.index)


class ModeEntry(BaseModel):
    """One line of the file. `service` is the declared one of targets.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: str
    service: str = Field(min_length=1)
    mode: Mode

    @field_validator("mode", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value


@dataclass(frozen=True)
class ModeRow:
    """One entry as it stands: the mode in force, what was earned, and why it is not auto ("" when it is)."""

    entry: ModeEntry
    mode: Mode
    standing: Standing
    why_not_auto: str


class Modes(BaseModel):
    """data/modes.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modes: tuple[ModeEntry, ...] = ()

    def entry(self, action: str, service: str) -> ModeEntry | None:
        """The one entry of a pair."""
        return next((e for e in self.modes if (e.action, e.service) == (action, service)), None)

    def allowed(self, overall: Mode, action: str, service: str) -> Mode:
        """The most the pair may have under the agent's own mode `overall`. A target without a service has no entry."""
        entry = self.entry(action, service)
        return strictest(overall, UNLISTED if entry is None else entry.mode)

    def problems(self, actions: tuple[str, ...] | None, services: tuple[str, ...] | None) -> Iterator[Problem]:
        """What the schema cannot say: actions that some grant names, services that targets have, one entry for each pair.

        None for either: not known, because another file is wrong; then it is not judged.
        """
        seen: set[tuple[str, str]] = set()
        for i, entry in enumerate(self.modes):
            if actions is not None and entry.action not in actions:
                yield Problem(("modes", i, "action"), f"unknown action {entry.action!r}", actions)
            if services is not None and entry.service not in services:
                # SAFETY: a misspelt service would leave the real one without its restriction.
                yield Problem(("modes", i, "service"), f"no target of targets.yaml is of service {entry.service!r}", services)
            if (entry.action, entry.service) in seen:
                yield Problem(("modes", i), f"{entry.action} on {entry.service} has an entry already")
            seen.add((entry.action, entry.service))
