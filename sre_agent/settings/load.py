"""Reading the settings: the file, the environment, and what is wrong with them in words a person can use."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import PydanticBaseSettingsSource

from sre_agent.incident.errors import ConfigurationError
from sre_agent.intake.signatures import SCHEMES
from sre_agent.settings.effective import Reasoner, Settings


class _Fixed(Settings):
    """Settings that look neither at the environment nor at a file."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the constructor was given."""
        return (sources["init_settings"],)


def variables() -> dict[str, str]:
    """Every variable and the field that holds it, in reading order."""
    return {str(field.validation_alias): name for name, field in Settings.model_fields.items()}


def load(config: Path | None = None, past: Reasoner | None = None) -> Settings:
    """The settings of this process. Raises ConfigurationError naming what is wrong and where.

    `past`: for looking at the past, with this reasoner. Who only does that needs nothing for writing, asking or signing in.
    """
    return _build(Settings, _read(config) if config else {}, str(config) if config else "the environment", past)


def fixed(values: Mapping[str, object]) -> Settings:
    """Exactly these variables and otherwise defaults, whatever the environment says. Raises ConfigurationError."""
    return _build(_Fixed, values, "the given values")


def _build(kind: type[Settings], values: Mapping[str, object], origin: str, past: Reasoner | None = None) -> Settings:
    """Validate, and say what is wrong in the words of the person who has to mend it."""
    unknown = sorted(set(values) - set(variables()))
    if unknown:
        raise ConfigurationError(f"{origin}: unknown setting {', '.join(unknown)}; docs/settings.md lists all of them")
    given: dict[str, Any] = {key: value for key, value in values.items() if value not in (None, "")}
    try:
        settings = kind(**given)
    except ValidationError as problem:
        # SAFETY: only the messages are shown, never the input: it may be a secret.
        wrong = [
            f"{error['loc'][0]}: {error['msg'].removeprefix('Value error, ')}" for error in problem.errors(include_input=False)
        ]
        raise ConfigurationError(f"wrong settings ({origin}): {'; '.join(wrong)}") from None
    if past is not None:
        settings = settings.model_copy(update={"reasoner": past})
    contradictions = list(_contradictions(settings) if past is None else _reasoner_contradictions(settings))
    if contradictions:
        raise ConfigurationError(f"wrong settings ({origin}): {'; '.join(contradictions)}")
    return settings


def _contradictions(settings: Settings) -> Iterator[str]:
    """Settings that are each fine and together are not."""
    yield from _reasoner_contradictions(settings)
    if settings.pagerduty_api_token and not settings.pagerduty_from_email:
        yield "PAGERDUTY_FROM_EMAIL: PagerDuty accepts no note without it; set it beside PAGERDUTY_API_TOKEN"
    if settings.langfuse_host and not (settings.langfuse_public_key and settings.langfuse_secret_key):
        yield "LANGFUSE_HOST: needs LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"
    yield from _sign_in_contradictions(settings)
    yield from _door_contradictions(settings)
    if bool(settings.redis_cluster_nodes) != bool(settings.redis_cluster_name):
        yield "REDIS_CLUSTER_NAME: goes with REDIS_CLUSTER_NODES; an alert's label must name this very cluster"
    if settings.redis_cluster_write_username and not settings.redis_cluster_write_password:
        yield "REDIS_CLUSTER_WRITE_PASSWORD: missing beside REDIS_CLUSTER_WRITE_USERNAME; the reading password is never used"
    if settings.patroni_write_username and not settings.patroni_write_password:
        yield "PATRONI_WRITE_PASSWORD: missing beside PATRONI_WRITE_USERNAME"
    if settings.redis_write_username and not settings.redis_write_password:
        yield "REDIS_WRITE_PASSWORD: missing beside REDIS_WRITE_USERNAME; the hands never use the reading password"


def _reasoner_contradictions(settings: Settings) -> Iterator[str]:
    if settings.effective_reasoner is Reasoner.OPENAI:
        if not (settings.openai_api_key or settings.openai_base_url):
            yield "SRE_AGENT_REASONER: openai needs OPENAI_API_KEY or OPENAI_BASE_URL"
        if not settings.openai_model:
            yield "OPENAI_MODEL: the reasoner openai needs a model name"


def _door_contradictions(settings: Settings) -> Iterator[str]:
    """What the alert doors need together."""
    jsm = {"JSM_CLOUD_ID": settings.jsm_cloud_id, "JSM_EMAIL": settings.jsm_email, "JSM_API_TOKEN": settings.jsm_api_token}
    if any(jsm.values()) and not all(jsm.values()):
        yield f"{next(name for name, value in jsm.items() if not value)}: JSM_CLOUD_ID, JSM_EMAIL and JSM_API_TOKEN go together"
    # A door that only rings is of no use where nobody may look at who rang.
    if settings.opsgenie_door_token and not settings.opsgenie_api_key:
        yield "OPSGENIE_API_KEY: Opsgenie's webhook has no labels; set it beside SRE_AGENT_OPSGENIE_TOKEN to fetch the alerts"
    if settings.jsm_door_token and not settings.jsm_api_token:
        yield "JSM_API_TOKEN: JSM's webhook has no labels; set it beside SRE_AGENT_JSM_TOKEN to fetch the alerts"
    strangers = sorted(set(settings.webhook_signing_secrets) - set(SCHEMES))
    if strangers:
        yield f"SRE_AGENT_WEBHOOK_SIGNING_SECRETS: unknown sender {', '.join(strangers)}; there are {', '.join(SCHEMES)}"


def _sign_in_contradictions(settings: Settings) -> Iterator[str]:
    """What the pages' sign-in needs together."""
    if settings.oidc_issuer and not (settings.oidc_client_id and settings.public_url):
        yield "SRE_AGENT_OIDC_ISSUER: needs SRE_AGENT_OIDC_CLIENT_ID, and SRE_AGENT_PUBLIC_URL to send people back to"
    if settings.trusted_proxies and not settings.public_url:
        yield "SRE_AGENT_TRUSTED_PROXIES: needs SRE_AGENT_PUBLIC_URL, the address at which people reach the proxy"
    # SAFETY: a short key could be found from any one cookie.
    if settings.session_key is not None and len(settings.session_key.get_secret_value()) < 32:
        yield "SRE_AGENT_SESSION_KEY: needs at least 32 characters, as `openssl rand -hex 32` makes"


def _read(path: Path) -> dict[str, object]:
    """The YAML file as a mapping. Raises ConfigurationError naming file and line."""
    try:
        parsed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ConfigurationError(f"{path}: cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{where}: broken YAML: {getattr(problem, 'problem', problem)}") from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise ConfigurationError(f"{path}: expected a mapping of variable names to values")
    return {str(key): value for key, value in parsed.items()}
