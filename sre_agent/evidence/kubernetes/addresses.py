"""Addresses in settings: which host and port an environment variable or a ConfigMap names, and what a host means here. Pure.

Only what plainly is an address counts: a URL, host:port, or a bare name in a variable that says it holds a host.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, text

LONGEST = 500
NEAR = 0.75
"""From this likeness on (Ratcliff and Obershelp, 0..1) one name may be a slip of the pen for the other."""
_URL = re.compile(r"^[a-z][a-z0-9+.-]{1,20}://(?:[^\s/@]{0,200}@)?([A-Za-z0-9_.-]{1,253})(?::(\d{1,5}))?(?:[/?,].*)?$")
_PAIR = re.compile(r"^([A-Za-z][A-Za-z0-9-]{0,62}(?:\.[A-Za-z0-9-]{1,63}){0,6}):(\d{2,5})$")
_BARE = re.compile(r"^[a-z][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){0,6}$")
_SAYS_HOST = re.compile(r"(?:^|[_.-])(?:host|hostname|addr|address|server|endpoint)$", re.IGNORECASE)
_SAYS_PORT = re.compile(r"^(.{1,80}?)[_.-]port$", re.IGNORECASE)
_LOCAL = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "host", "none", "null", "true", "false"})  # noqa: S104


@dataclass(frozen=True)
class Address:
    """One address in the settings. `variable` names where it stands ("DB_HOST", "configmap/app key db.url"); port 0: none."""

    variable: str
    host: str
    port: int


def addresses(spec: object, configs: Mapping[str, JsonObject]) -> tuple[Address, ...]:
    """The addresses that the containers of a pod's spec are given. `configs`: the namespace's ConfigMaps by name."""
    found: list[Address] = []
    for container in (*entries(spec, "initContainers"), *entries(spec, "containers")):
        variables = {text(e, "name"): text(e, "value") for e in entries(container, "env") if text(e, "value")}
        for each in entries(container, "env"):
            at = dig(each, "valueFrom", "configMapKeyRef")
            if value := text(configs.get(text(at, "name")), "data", text(at, "key")):
                variables[text(each, "name")] = value
        for each in entries(container, "envFrom"):
            data = dig(configs.get(text(each, "configMapRef", "name")), "data")
            variables = {**{k: v for k, v in (data if isinstance(data, dict) else {}).items() if isinstance(v, str)}, **variables}
        found += _in_variables(variables)
    return tuple(dict.fromkeys(found))


def _in_variables(variables: Mapping[str, str]) -> Iterator[Address]:
    ports = {m[1].lower(): v for k, v in variables.items() if (m := _SAYS_PORT.match(k)) and v.isdecimal()}
    for name, value in variables.items():
        if len(value) > LONGEST:
            continue
        for part in value.split(","):
            if (address := _read(name, part.strip())) is None or address.host.lower() in _LOCAL:
                continue
            stem = re.sub(r"[_.-][^_.-]+$", "", name).lower()
            port = address.port or int(ports.get(stem, "0")[:6])
            yield Address(name, address.host.lower().rstrip("."), port)


def _read(name: str, value: str) -> Address | None:
    if (url := _URL.match(value)) is not None:
        return Address(name, url[1], int(url[2] or 0))
    if (pair := _PAIR.match(value)) is not None:
        return Address(name, pair[1], int(pair[2]))
    return Address(name, value, 0) if _SAYS_HOST.search(name[-80:]) and _BARE.match(value) else None


def service_named(host: str, namespace: str, known: Mapping[tuple[str, str], object]) -> tuple[str, str] | None:
    """The (namespace, Service) that a host name means for a pod in `namespace`; None when no known Service is meant.

    "name", "name.namespace", "name.namespace.svc...", and "pod.name" or "pod.name.namespace" of a headless Service.
    """
    parts = host.removesuffix(".").split(".")
    here = parts[1] if len(parts) > 1 else namespace
    choices = [(here, parts[0])]
    if len(parts) > 1:
        choices.append((parts[2] if len(parts) > 2 else namespace, parts[1]))
    return next((c for c in choices if c in known), None)


def inside(host: str, namespace: str) -> str | None:
    """The Service name that a host must mean in this very namespace, if it can only mean one here; None for all other hosts."""
    parts = host.split(".")
    if len(parts) == 1 or (parts[1:2] == [namespace] and (len(parts) == 2 or parts[2] == "svc")):
        return parts[0]
    return None


def nearest(name: str, known: list[str]) -> str | None:
    """The known name that this one is most likely meant to be; None when none is near."""
    if len(name) < 2 or len(name) > 63:
        return None
    scored = [(likeness(name, other), other) for other in known if other != name and abs(len(other) - len(name)) <= 12]
    best = max(scored, default=(0.0, ""))
    return best[1] if best[0] >= NEAR else None


def likeness(a: str, b: str) -> float:
    """0..1. A name inside the other at a hyphen ("redis" and "redis-master") counts as near."""
    short, long = sorted((a, b), key=len)
    if len(short) >= 3 and (long.startswith(f"{short}-") or long.endswith(f"-{short}")):
        return 0.8
    if 2 * len(short) < NEAR * (len(a) + len(b)):
        return 0.0
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= NEAR else 0.0
