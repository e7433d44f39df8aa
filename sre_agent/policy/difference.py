"""What changes between two bundles: rules, declared data, verdicts. Pure.

An edit of data says itself whether it gives more room; an edit of a rule only says that it might: whether it does is for
the recorded decisions and the prover to show.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sre_agent.policy.bundle import Bundle, Declared, Rule
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.facts import Mode, Situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.lock import SCHEMA
from sre_agent.policy.modes import UNLISTED, strictest

AGENT = "policy-diff"

Entry = dict[str, Any] | tuple[str, ...] | str


class Edit(BaseModel):
    """One thing that was added, removed or changed. `room` is "more" for an edit that gives more room for sure, "maybe"
    for a rule or schema whose effect has to be looked at, "no" otherwise. `file` is relative to the policies folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Literal["added", "removed", "changed"]
    file: str
    name: str
    before: str = ""
    after: str = ""
    room: Literal["more", "maybe", "no"]


class Judged(BaseModel):
    """A verdict, as far as two of them are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    approvals_required: int | None = None
    policy_ids: tuple[str, ...] = ()

    @property
    def room(self) -> int:
        """How far it lets the agent go: 0 not at all, 1 with two people, 2 with one, 3 alone."""
        if self.verdict is Verdict.ALLOW:
            return 3
        return 3 - (self.approvals_required or 2) if self.verdict is Verdict.NEEDS_APPROVAL else 0


class VerdictChange(BaseModel):
    """One recorded request that the two bundles judge differently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    before: Judged
    after: Judged

    @property
    def wider(self) -> bool:
        """True when the new bundle lets the agent go further."""
        return self.after.room > self.before.room


def changed_verdict(name: str, before: Judged, after: Judged) -> VerdictChange | None:
    """The change, or None when the verdict is the same; other ids for the same verdict are no change."""
    same = (before.verdict, before.approvals_required) == (after.verdict, after.approvals_required)
    return None if same else VerdictChange(name=name, before=before, after=after)


def rejudged(old: Bundle, new: Bundle, asked: Iterable[tuple[str, Situation]]) -> Iterator[VerdictChange]:
    """Named requests that the two bundles judge differently."""
    guards = Guard(old, AGENT, b""), Guard(new, AGENT, b"")
    for name, situation in asked:
        before, after = (_judged(guard.decide(situation)) for guard in guards)
        if (change := changed_verdict(name, before, after)) is not None:
            yield change


def _judged(decision: Decision) -> Judged:
    return Judged(verdict=decision.verdict, approvals_required=decision.approvals_required, policy_ids=decision.policy_ids)


def edits(old: Bundle, new: Bundle) -> tuple[Edit, ...]:
    """Every rule and declaration that differs. Layout, comments and the file a rule stands in do not count."""
    return (*_schema(old, new), *_rules(old.rules, new.rules), *_data(old.declared, new.declared))


def _schema(old: Bundle, new: Bundle) -> Iterator[Edit]:
    if old.files.get(SCHEMA) != new.files.get(SCHEMA):
        yield Edit(what="changed", file=SCHEMA, name="the vocabulary", room="maybe")


def _rules(old: Mapping[str, Rule], new: Mapping[str, Rule]) -> Iterator[Edit]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            room = "maybe" if after.effect == "permit" else "no"
            yield Edit(what="added", file=_file(after), name=name, after=after.text, room=room)
        elif after is None and before is not None:
            room = "maybe" if before.effect == "forbid" and not before.shadow else "no"
            yield Edit(what="removed", file=_file(before), name=name, before=before.text, room=room)
        elif before is not None and after is not None and (before.text, before.shadow) != (after.text, after.shadow):
            room = "no" if before.shadow else "maybe"
            yield Edit(what="changed", file=_file(after), name=name, before=before.text, after=after.text, room=room)


def _file(rule: Rule) -> str:
    parts = rule.file.split("/")
    return "/".join(parts[-2:] if rule.shadow else parts[-1:])


def _data(old: Declared, new: Declared) -> Iterator[Edit]:
    before, after = dict(_entries(old)), dict(_entries(new))
    for place in sorted(before.keys() | after.keys()):
        was, now = before.get(place), after.get(place)
        if was != now:
            file, name = place
            what: Literal["added", "removed", "changed"] = "added" if was is None else "removed" if now is None else "changed"
            room: Literal["more", "no"] = "more" if _gives_room(place, was, now, new) else "no"
            yield Edit(what=what, file=f"data/{file}", name=name, before=_shown(was, now), after=_shown(now, was), room=room)


def _entries(declared: Declared) -> Iterator[tuple[tuple[str, str], Entry]]:
    """(file, name) -> what is said there."""
    for key, target in declared.targets.root.items():
        yield ("targets.yaml", key), target.model_dump(mode="json")
    for listed in declared.modes.modes:
        yield ("modes.yaml", f"{listed.action} on {listed.service}"), listed.mode.value
    for person in declared.people.people:
        yield ("teams.yaml", f"person {person.id}"), person.model_dump(mode="json")
    for team, members in declared.people.teams.items():
        yield ("teams.yaml", f"team {team}"), tuple(sorted(members))
    for window in declared.freezes.windows:
        yield ("freezes.yaml", window.id), window.model_dump(mode="json", by_alias=True)
    for namespace in declared.protected.namespaces:
        yield ("protected.yaml", f"namespace {namespace}"), "protected"
    for item in declared.protected.objects:
        yield ("protected.yaml", item), "protected"
    for section, told in declared.ownership.model_dump(mode="json").items():
        for name, value in told.items() if isinstance(told, dict) else [("", told)]:
            yield ("routing.yaml", f"{section} {name}".strip()), str(value)
    for alert_class, told in declared.handovers.root.items():
        yield ("handback.yaml", alert_class.value), told.model_dump(mode="json")


def _gives_room(place: tuple[str, str], was: Any, now: Any, new: Declared) -> bool:
    """True when the agent may do more, or more people may let it, than before."""
    file, name = place
    match file:
        case "targets.yaml":
            return bool(now["managed"]) if now is not None else _covered(name, new)
        case "modes.yaml":
            before, after = (UNLISTED if mode is None else Mode(mode) for mode in (was, now))
            return strictest(before, after) is not after
        case "teams.yaml" if name.startswith("team "):
            return not set(now or ()) <= set(was or ())
        case "teams.yaml":
            return was is not None and now is not None  # another identity may now answer as this person
        case "freezes.yaml" | "protected.yaml":
            return was is not None
        case _:
            return False


def _covered(key: str, new: Declared) -> bool:
    """Whether a broader managed declaration speaks for a target whose own was removed."""
    kind, *rest = key.split("/")
    if kind in ("redis", "namespace"):
        return False
    declared = new.targets.root
    broader = (
        {f"{kind}/{rest[-1]}", f"namespace/{rest[0]}"} if len(rest) == 2 else {k for k in declared if k.startswith("namespace/")}
    )
    return any(declared[k].managed for k in broader if k in declared)


def _shown(this: Any, other: Any) -> str:
    """One side of a change: of two mappings only what differs."""
    if this is None:
        return ""
    if isinstance(this, dict):
        differing = {k: v for k, v in this.items() if not isinstance(other, dict) or other.get(k) != v}
        kept = {k: v for k, v in differing.items() if isinstance(other, dict) or v not in (None, False, "", {})}
        return ", ".join(f"{k}: {v}" for k, v in kept.items())
    return ", ".join(this) if isinstance(this, tuple) else str(this)
