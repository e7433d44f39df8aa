"""What one setting is: its variable, unit, default and why; and how the text of a variable becomes a value."""

import json
import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

from platformdirs import PlatformDirs
from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

MASK = "********"
"""What stands for a secret wherever settings are shown."""


def default_data_dir() -> Path:
    """The platform's data directory; as root the system's, because the embedded database then runs as a user
    of its own, who cannot pass through a closed home directory."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return PlatformDirs("sre-agent").site_state_path
    return PlatformDirs("sre-agent", appauthor=False).user_data_path


def env(variable: str, default: Any, what: str, why: str, unit: str = "") -> Any:
    """One setting: the variable it is read from and the three things a reader wants to know about it."""
    extra: dict[str, Any] = {"what": what, "why": why, "unit": unit}
    text = f"{what}{f' [{unit}]' if unit else ''}. Default: {_said(default)}. {why}"
    if callable(default):
        return Field(default_factory=default, validation_alias=variable, description=text, json_schema_extra=extra)
    return Field(default, validation_alias=variable, description=text, json_schema_extra=extra)


def _said(default: object) -> str:
    """A default in words, the same on every machine."""
    if default is None or default == {} or default == ():
        return "unset"
    if callable(default):
        return "the platform's data directory"
    return str(default)


def parse_object(value: object) -> object:
    """A JSON object given as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as problem:
        raise ValueError(f'is not a JSON object like {{"<id>": "<value>"}}: {problem}') from None


def parse_named_urls(value: object) -> object:
    """`name=postgresql://...,name=postgresql://...` or a JSON object, as URLs by name. Commas inside a URL are kept."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return parse_object(value)
    found: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in re.split(r",(?=\s*[\w.-]+=postgres(?:ql)?://)", value))):
        name, equals, url = part.partition("=")
        # The part is a secret: what is wrong is said without it.
        if not equals or not url.startswith(("postgres://", "postgresql://")):
            raise ValueError("is not name=postgresql://...,name=postgresql://...")
        found[name.strip()] = url
    return found


def parse_addresses(value: object) -> object:
    """`host:port,host:port` as pairs; an IPv6 host stands in brackets."""
    if not isinstance(value, str):
        return value
    pairs = []
    for part in filter(None, (p.strip() for p in value.split(","))):
        host, _, port = part.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"{part!r} is not host:port")
        pairs.append((host.strip("[]"), int(port)))
    return tuple(pairs)


def parse_url(value: object) -> object:
    """An absolute http(s) URL without its closing slash, so that paths can be appended."""
    if value is not None and not str(value).startswith(("http://", "https://")):
        raise ValueError("is not a URL that starts with http:// or https://")
    return value if value is None else str(value).rstrip("/")


def parse_urls(value: object) -> object:
    """`http://a:8008,http://b:8008` as a tuple of addresses without closing slashes."""
    if not isinstance(value, str):
        return value
    return tuple(parse_url(part.strip()) for part in value.split(",") if part.strip())


def parse_networks(value: object) -> object:
    """`10.0.0.0/8,::1` as networks; a bare address is a network of one."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(parse_networks)]
"""Networks in CIDR form."""

Urls = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_urls)]
"""http(s) addresses without closing slashes."""

Url = Annotated[str | None, BeforeValidator(parse_url)]
"""http(s) address without a closing slash."""

Seconds = Annotated[float, Field(gt=0, le=86_400)]
"""A duration of at most a day."""

Count = Annotated[int, Field(ge=0, le=1_000_000)]
"""A whole number that may be zero."""

Addresses = Annotated[tuple[tuple[str, int], ...], NoDecode, BeforeValidator(parse_addresses)]
"""(host, port) pairs."""

Secrets = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(parse_object)]
"""Secrets by name."""

Names = Annotated[dict[str, str], NoDecode, BeforeValidator(parse_object)]
"""Names by name."""

NamedUrls = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(parse_named_urls)]
"""Database URLs by name; secrets, because a URL may hold a password."""

Secret = SecretStr | None
"""Never printed, never logged."""
