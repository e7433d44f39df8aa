"""The cluster's rules for the agent, as YAML: made from the actions that are registered and the kinds that are read."""

from collections.abc import Sequence

import yaml

from sre_agent.execution.rights import Footprint, Manifest, manifests, union
from sre_agent.policy.bundle import Declared
from sre_agent.sources.kubernetes import RIGHTS
from sre_agent.wiring import discovery

HOME = "sre-agent"
HEAD = """\
# Written by `sre-agent rbac` from the registered actions; do not edit, write it again.
# acts in: {namespaces}
"""


def footprint(declared: Declared, namespaces: Sequence[str], home: str = HOME) -> Footprint:
    """What the manifests are made for. Without `namespaces`: those of the managed targets.

    Raises ConfigurationError for a protected namespace.
    """
    return Footprint(
        read=union([RIGHTS]),
        write=union(discovery.rights().values()),
        home=home,
        namespaces=tuple(sorted(set(namespaces))) or managed_namespaces(declared),
        protected=tuple(sorted(declared.protected.namespaces)),
        objects=tuple(declared.protected.objects),
    )


def managed_namespaces(declared: Declared) -> tuple[str, ...]:
    """The namespaces that managed targets name, sorted."""
    keys = (key.split("/") for key, target in declared.targets.root.items() if target.managed)
    return tuple(sorted({k[1] for k in keys if len(k) == 3 or k[0] == "namespace"}))


def as_yaml(made: Footprint) -> str:
    """All manifests as one YAML text, each with a line that says what it is for."""
    documents = "".join(_document(why, manifest) for why, manifest in manifests(made))
    return HEAD.format(namespaces=", ".join(made.namespaces) or "no namespace; declare targets or name one") + documents


def as_list(made: Footprint) -> Manifest:
    """All manifests as one Kubernetes List."""
    return {"apiVersion": "v1", "kind": "List", "items": [manifest for _, manifest in manifests(made)]}


def _document(why: str, manifest: Manifest) -> str:
    text = yaml.safe_dump(manifest, sort_keys=False, width=10_000, default_flow_style=False)
    return f"---\n{f'# {why}' + chr(10) if why else ''}{text}"
