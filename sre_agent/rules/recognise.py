"""What kind of file it is, by its content: Prometheus rules, rules as a Kubernetes object, or Alertmanager's configuration."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sre_agent.incident.errors import ConfigurationError
from sre_agent.rules.document import Document, Mapping, Node

EXPECTED: Final = (
    "expected Prometheus rules (groups:), a PrometheusRule object (kind: PrometheusRule), or an Alertmanager configuration (route:)"
)
_HINTS: Final = (
    ("scrape_configs", "this is Prometheus' own configuration: give the files that its rule_files names"),
    ("rule_files", "this is Prometheus' own configuration: give the files that it names"),
    ("templates", "this looks like part of an Alertmanager configuration without its route:"),
)


@dataclass(frozen=True)
class RuleFile:
    """Groups of rules: `holder` is the mapping whose `groups` they are."""

    document: Document
    holder: Mapping


@dataclass(frozen=True)
class AlertmanagerFile:
    """An Alertmanager configuration: `root` is the whole of it."""

    document: Document
    root: Mapping


Recognised = RuleFile | AlertmanagerFile


def recognised(document: Document) -> tuple[Recognised, ...]:
    """What a file holds, one of each YAML document (several of a Kubernetes list). Raises ConfigurationError for anything else."""
    if not document.roots:
        raise ConfigurationError(f"{document.path}:1: the file is empty; {EXPECTED}")
    return tuple(part for root in document.roots for part in _parts(document, root))


def _parts(document: Document, root: Node) -> Iterator[Recognised]:
    if not isinstance(root, Mapping):
        raise _strange(document, root, "this is no mapping")
    kind = root.text("kind")
    if kind == "PrometheusRule":
        spec = root.mapping("spec")
        if spec is None:
            raise _strange(document, root, "this PrometheusRule has no spec")
        yield RuleFile(document, spec)
    elif kind in ("List", "PrometheusRuleList"):
        for item in root.items("items"):
            yield from _parts(document, item)
    elif kind:
        raise _strange(document, root, f"this is a Kubernetes object of kind {kind[:60]}")
    elif root.entry("groups"):
        yield RuleFile(document, root)
    elif root.entry("route") or root.entry("receivers"):
        yield AlertmanagerFile(document, root)
    else:
        raise _strange(document, root, next((hint for key, hint in _HINTS if root.entry(key)), "this is neither"))


def _strange(document: Document, root: Node, what: str) -> ConfigurationError:
    return ConfigurationError(f"{document.path}:{root.place.line}: {what}; {EXPECTED}")
