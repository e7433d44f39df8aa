"""Whose API a series is about: a model provider, a model, or a tool; by its labels first, by well-known names last. Pure.

A provider of speech, of telephony or of embeddings is a provider like any other.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from sre_agent.evidence.ai.answer import plain
from sre_agent.evidence.series import Series

TOOL_LABELS = ("tool_name", "tool", "integration", "gen_ai_tool_name", "mcp_tool", "mcp_tool_name")
_PROVIDER_LABEL = re.compile(
    r"(api|llm|model|ai|ls|stt|tts|asr|speech|voice|telephony|embeddings?|gen_ai)_(provider|vendor)(_name)?"
    r"|provider(_name)?|vendor|carrier|gen_ai_system"
)
_MODEL_LABEL = re.compile(r"(gen_ai_(request|response)_|llm_|litellm_|requested_|ls_|provided_|stt_|tts_)?model(_name|_id)?")
# Disks and other devices have a model, too.
_DEVICE_LABELS = frozenset({"device", "disk", "serial", "serial_number", "gpu", "model_family"})
_KNOWN = (
    "azure_openai|openai|anthropic|bedrock|vertex_?ai|gemini|mistral|cohere|groq|together_?ai|fireworks_?ai|openrouter|deepseek|xai"
    "|deepgram|elevenlabs|eleven_labs|assemblyai|cartesia|playht|speechmatics|gladia|twilio|telnyx|vonage|plivo|livekit"
)
_NAME_PREFIX = re.compile(rf"({_KNOWN})_")
_HOST = re.compile(rf"(?:^|[.-])({_KNOWN})[.-]")
_HOST_LABELS = ("server_address", "peer_service", "net_peer_name", "host", "upstream", "destination")
_UPSTREAM_LABELS = ("upstream", "gateway", "mcp_server", "mcp_server_name", "server_address", "host", "base_url", "egress")


@dataclass(frozen=True)
class Outside:
    """The other side: `provider` or `model` or both, as written in the labels."""

    provider: str | None
    model: str | None

    @property
    def name(self) -> str:
        """The provider where it is known, else the model."""
        return self.provider or self.model or ""


class _Role(StrEnum):
    """What a label's name says that its value is."""

    TOOL = "tool"
    PROVIDER = "provider"
    MODEL = "model"
    DEVICE = "device"
    HOST = "host"
    NOTHING = "nothing"


@lru_cache(maxsize=4096)
def _role(label: str) -> _Role:
    """Asked for every label of every series, and there are few names of labels."""
    name = plain(label)
    if name in TOOL_LABELS:
        return _Role.TOOL
    if name in _DEVICE_LABELS:
        return _Role.DEVICE
    if _PROVIDER_LABEL.fullmatch(name):
        return _Role.PROVIDER
    if _MODEL_LABEL.fullmatch(name):
        return _Role.MODEL
    return _Role.HOST if name in _HOST_LABELS else _Role.NOTHING


def _roles(series: Series) -> dict[_Role, str]:
    """The first value of each role, in the order of the labels' names."""
    found: dict[_Role, str] = {}
    for label in sorted(series.labels):
        role = _role(label)
        if role is not _Role.NOTHING and series.labels[label]:
            found.setdefault(role, series.labels[label])
    return found


def tool_of(series: Series) -> str | None:
    """The tool a series is about."""
    return _roles(series).get(_Role.TOOL)


def provider_of(series: Series) -> Outside | None:
    """The provider or model a series is about; None for a tool's series, or when nothing says."""
    roles = _roles(series)
    if _Role.TOOL in roles or _Role.DEVICE in roles:
        return None
    provider, model = roles.get(_Role.PROVIDER), roles.get(_Role.MODEL)
    if provider is None and model is None:
        known = _NAME_PREFIX.match(series.name.lower()) or _HOST.search(roles.get(_Role.HOST, "").lower())
        provider = known[1] if known else None
    return Outside(provider, model) if provider or model else None


def upstream_of(series: Series) -> str | None:
    """What a tool's calls go through, where a label names it."""
    labels = {plain(k): v for k, v in series.labels.items() if v}
    return next((labels[n] for n in _UPSTREAM_LABELS if n in labels), None)
