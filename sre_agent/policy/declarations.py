"""What owners declare about targets, and what nobody may touch. Missing always means no."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, RootModel

from sre_agent.incident.target import Target
from sre_agent.policy.facts import TargetDeclaration

ENVIRONMENTS = ("prod", "staging", "dev")
"""The environments the policies know. Any other name is treated as the strictest, prod."""

_PREFIXES = {"RedisMaster": "redis"}

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:\[\]/@]+):\d{1,5}")

# Kubernetes builds random suffixes from an alphabet without vowels and look-alikes, so they can be told from words.
_POD_NAMES = (
    ("deployment", re.compile(r"^(?P<owner>.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$")),
    ("statefulset", re.compile(r"^(?P<owner>.+)-\d+$")),
    ("daemonset", re.compile(r"^(?P<owner>.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$")),
)


@dataclass(frozen=True)
class Problem:
    """Something wrong in a data file: where (path of keys and indexes), what, and which names would be right."""

    path: tuple[str | int, ...]
    message: str
    known: tuple[str, ...] = ()


def environment_of(declaration: TargetDeclaration) -> str:
    """The declared environment, or prod for one the policies do not know."""
    return declaration.environment if declaration.environment in ENVIRONMENTS else "prod"


def keys_of(target: Target) -> tuple[str, ...]:
    """The keys under which a target may be declared, most specific first.

    A pod is declared by the workload that owns it; the owner's name is read from the pod's name. (The live owner
    is checked by the collectors: a pod without a controller is never restarted.)
    """
    kind = _PREFIXES.get(target.kind, target.kind.lower())
    owners = [(kind, target.name)]
    if target.kind == "Pod":
        owners += [(k, m["owner"]) for k, pattern in _POD_NAMES if (m := pattern.match(target.name))]
    keys: list[str] = []
    for owner_kind, name in owners:
        keys += [f"{owner_kind}/{target.namespace}/{name}"] if target.namespace else []
        keys.append(f"{owner_kind}/{name}")
    return (*keys, *([f"namespace/{target.namespace}"] if target.namespace else []))


class Targets(RootModel[dict[str, TargetDeclaration]]):
    """data/targets.yaml: key to declaration."""

    model_config = ConfigDict(frozen=True)

    def find(self, target: Target) -> TargetDeclaration:
        """The most specific declaration of a target; an unmanaged one when there is none."""
        return next((self.root[k] for k in keys_of(target) if k in self.root), TargetDeclaration())

    def problems(self, teams: tuple[str, ...]) -> Iterator[Problem]:
        """What the schema cannot say: key shape, known environment, known team."""
        for key, declared in self.root.items():
            if not re.fullmatch(r"[a-z]+(/[^/\s]+){1,2}", key):
                yield Problem((key,), f"key {key!r} is not kind/name or kind/namespace/name with the kind in lower case")
            if declared.environment not in ENVIRONMENTS:
                yield Problem((key, "environment"), f"unknown environment {declared.environment!r}", ENVIRONMENTS)
            if declared.redis and not _ADDRESS.fullmatch(declared.redis):
                yield Problem((key, "redis"), f"{declared.redis!r} is not host:port")
            if not re.fullmatch(r"[^\s:][^\s]*", declared.key_prefix):
                yield Problem((key, "key_prefix"), f"{declared.key_prefix!r} is not a prefix of keys")
            if declared.managed and declared.team not in teams:
                yield Problem((key, "team"), f"unknown team {declared.team!r}: a managed target needs one that can approve", teams)


class Protected(BaseModel):
    """data/protected.yaml: never touched, whoever asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespaces: tuple[str, ...]
    objects: tuple[str, ...] = ()

    def covers(self, target: Target) -> bool:
        """True when the target, its owner or its namespace is protected."""
        return target.namespace in self.namespaces or not set(keys_of(target)).isdisjoint(self.objects)

    def problems(self) -> Iterator[Problem]:
        """Nothing beyond the schema but the shape of the keys."""
        for i, key in enumerate(self.objects):
            if not re.fullmatch(r"[a-z]+(/[^/\s]+){1,2}", key):
                yield Problem(("objects", i), f"{key!r} is not kind/name or kind/namespace/name with the kind in lower case")


class Blocking(BaseModel):
    """data/breakers.yaml: alerts and priorities of incidents that stop every action while they last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blocking_alerts: tuple[str, ...]
    major_priorities: tuple[str, ...]

    def problems(self) -> Iterator[Problem]:
        """Names go into a query as they are written, so they are plain words; an empty priority would match none."""
        for i, name in enumerate(self.blocking_alerts):
            if not re.fullmatch(r"[A-Za-z_][\w:-]*", name, re.ASCII):
                yield Problem(("blocking_alerts", i), f"{name!r} is not the name of an alerting rule")
        for i, name in enumerate(self.major_priorities):
            if not name.strip():
                yield Problem(("major_priorities", i), "an empty priority; write its name, or leave it out")

    @property
    def query(self) -> str:
        """PromQL for those that fire; "" when none is declared."""
        return f'ALERTS{{alertstate="firing",alertname=~"{"|".join(self.blocking_alerts)}"}}' if self.blocking_alerts else ""

    def major(self, priority: str | None) -> bool:
        """Whether an incident of this priority stops everything; case does not matter."""
        return priority is not None and priority.strip().casefold() in {p.strip().casefold() for p in self.major_priorities}
