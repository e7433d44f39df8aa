"""The list of settings. Each line gives the variable, its default, what it is, why that default, and the unit."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import PydanticBaseSettingsSource, SettingsConfigDict

from sre_agent.policy.facts import Mode
from sre_agent.settings.doors import DoorSettings
from sre_agent.settings.paging import PagingSettings
from sre_agent.settings.people import PeopleSettings
from sre_agent.settings.setting import Addresses, Count, NamedUrls, Seconds, Secret, Secrets, Url, Urls, default_data_dir, env
from sre_agent.settings.shipped import shipped


class Reasoner(StrEnum):
    """Who thinks: code alone, or a model with code as its fallback."""

    RULES = "rules"
    OPENAI = "openai"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(DoorSettings, PagingSettings, PeopleSettings):
    """The effective settings, immutable. Build with `load` (environment and file) or `fixed` (tests, demo)."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_ignore_empty=True, populate_by_name=False, hide_input_in_errors=True
    )

    # how far it may go
    mode: Mode = env(
        "SRE_AGENT_MODE", Mode.OBSERVE, "off, observe, approve or auto", "A fresh install looks and tells; it never acts."
    )
    policies: Path | None = env("SRE_AGENT_POLICIES", None, "folder of the Cedar bundle", "Unset means the shipped bundle.")
    policy_data: Path | None = env(
        "SRE_AGENT_POLICY_DATA",
        None,
        "folder with your own targets, teams, routing, freezes and protected objects",
        "Each file there replaces the shipped one of the same name; the bundle's hash covers what is in force.",
    )
    runbooks: Path | None = env("SRE_AGENT_RUNBOOKS", None, "folder of runbooks", "Unset means the shipped runbooks.")

    # state
    database_url: Secret = env(
        "DATABASE_URL",
        None,
        "PostgreSQL to keep everything in",
        "Unset starts a private embedded PostgreSQL in SRE_AGENT_DATA_DIR.",
        "URL",
    )
    data_dir: Path = env(
        "SRE_AGENT_DATA_DIR", default_data_dir, "where the embedded PostgreSQL lives", "As root it is the system's state directory."
    )
    redaction_key: Secret = env(
        "SRE_AGENT_REDACTION_KEY",
        None,
        "key of the tags in placeholders of redacted values",
        "Unset makes one in SRE_AGENT_DATA_DIR at first start; processes on several machines need the same to tag alike.",
    )

    # PagerDuty
    pagerduty_api_token: Secret = env(
        "PAGERDUTY_API_TOKEN", None, "REST API key", "Webhooks carry no labels, so without it nothing can be classified."
    )
    pagerduty_from_email: str | None = env(
        "PAGERDUTY_FROM_EMAIL",
        None,
        "user whose name stands on notes",
        "Writes need it; make it a bot of its own, so its events are known.",
    )
    pagerduty_api_url: Url = env(
        "PAGERDUTY_API_URL", "https://api.pagerduty.com", "REST address", "https://api.eu.pagerduty.com for the EU region.", "URL"
    )
    pagerduty_webhook_secret: Secret = env(
        "PAGERDUTY_WEBHOOK_SECRET",
        None,
        "signing secret of the only webhook subscription",
        "Without any secret deliveries get 503, so they are retried.",
    )
    pagerduty_webhook_secrets: Secrets = env(
        "PAGERDUTY_WEBHOOK_SECRETS",
        {},
        "signing secrets by subscription",
        "Two at once allow a rotation.",
        'JSON {"<subscription id>": "<secret>"}',
    )

    # who thinks
    reasoner: Reasoner | None = env(
        "SRE_AGENT_REASONER",
        None,
        "rules or openai",
        "Unset means openai when OPENAI_API_KEY or OPENAI_BASE_URL is set, else rules.",
    )
    openai_api_key: Secret = env(
        "OPENAI_API_KEY", None, "key of the model endpoint", "No model is called without a key or a base URL."
    )
    openai_base_url: Url = env(
        "OPENAI_BASE_URL", None, "any OpenAI-compatible endpoint", "Unset means the client library's own.", "URL"
    )
    openai_model: str | None = env(
        "OPENAI_MODEL", None, "model name", "The reasoner openai needs one; names age too fast for a default."
    )
    model_max_calls: Annotated[int, Field(gt=0, le=100)] = env(
        "SRE_AGENT_MODEL_MAX_CALLS",
        8,
        "model calls for one incident",
        "A plan, a few looks and an answer fit; loops do not.",
        "calls",
    )
    model_max_tokens: Annotated[int, Field(gt=0, le=10_000_000)] = env(
        "SRE_AGENT_MODEL_MAX_TOKENS",
        60_000,
        "input tokens for one incident, over all its investigations",
        "A typical incident takes ten thousand.",
        "tokens",
    )
    model_max_seconds: Seconds = env(
        "SRE_AGENT_MODEL_MAX_SECONDS",
        45.0,
        "time the model and its looks get in one incident",
        "With 10 s for the sources, the rules still answer within the minute a page is worth.",
        "seconds",
    )
    model_max_usd: Annotated[float, Field(gt=0, le=1000)] = env(
        "SRE_AGENT_MODEL_MAX_USD", 0.5, "money for one incident", "An alert storm of 100 incidents then costs 50.", "USD"
    )
    model_usd_per_million_input: Annotated[float, Field(ge=0)] = env(
        "SRE_AGENT_MODEL_USD_PER_M_INPUT",
        5.0,
        "price of input tokens",
        "Deliberately high: a wrong price stops early.",
        "USD per million",
    )
    model_usd_per_million_output: Annotated[float, Field(ge=0)] = env(
        "SRE_AGENT_MODEL_USD_PER_M_OUTPUT",
        20.0,
        "price of output tokens",
        "Deliberately high: a wrong price stops early.",
        "USD per million",
    )
    trace_url: Url = env(
        "SRE_AGENT_TRACE_URL",
        None,
        "OTLP/HTTP endpoint for spans of the agent's own work",
        "Unset: none are sent. Spans hold no content. Langfuse takes them at /api/public/otel; needs the extra `tracing`.",
        "URL",
    )
    trace_headers: Secrets = env(
        "SRE_AGENT_TRACE_HEADERS",
        {},
        "headers for SRE_AGENT_TRACE_URL",
        "Most endpoints want an Authorization.",
        'JSON {"<header>": "<value>"}',
    )

    # evidence
    prometheus_url: Url = env(
        "PROMETHEUS_URL", None, "Prometheus HTTP API", "Unset: no metrics, and most findings need two kinds.", "URL"
    )
    prometheus_min_step: Seconds = env(
        "SRE_AGENT_PROMETHEUS_MIN_STEP", 15.0, "finest resolution asked of Prometheus", "The usual scrape interval.", "seconds"
    )
    prometheus_token: Secret = env("PROMETHEUS_TOKEN", None, "bearer token for PROMETHEUS_URL", "Unset: none is sent.")
    prometheus_tenant: str | None = env("PROMETHEUS_TENANT", None, "X-Scope-OrgID for PROMETHEUS_URL", "Mimir needs one.")
    alertmanager_url: Url = env(
        "ALERTMANAGER_URL", None, "Alertmanager, for what else fires and is silenced", "Unset: not asked.", "URL"
    )
    alertmanager_token: Secret = env("ALERTMANAGER_TOKEN", None, "bearer token for ALERTMANAGER_URL", "Unset: none is sent.")
    alertmanager_tenant: str | None = env("ALERTMANAGER_TENANT", None, "X-Scope-OrgID for ALERTMANAGER_URL", "Mimir needs one.")
    loki_url: Url = env("LOKI_URL", None, "Loki, for the logs of what an alert names", "Unset: only the cluster's own logs.", "URL")
    loki_token: Secret = env("LOKI_TOKEN", None, "bearer token for LOKI_URL", "Unset: none is sent.")
    loki_tenant: str | None = env("LOKI_TENANT", None, "X-Scope-OrgID for LOKI_URL", "A multi-tenant Loki needs one.")
    topology: Path | None = env(
        "SRE_AGENT_TOPOLOGY",
        None,
        "file that says who calls whom: calls: [[caller, callee], ...]",
        "Unset: only what traces and the mesh counted into Prometheus.",
        "YAML or JSON file",
    )
    kubeconfig: Path | None = env(
        "KUBECONFIG",
        None,
        "credentials for reading Kubernetes",
        "Unset: the in-cluster service account, when there is one.",
        "file",
    )
    write_kubeconfig: Path | None = env(
        "SRE_AGENT_WRITE_KUBECONFIG",
        None,
        "credentials of the hands",
        "Its own identity; the read one is never used instead.",
        "file",
    )
    langfuse_host: Url = env(
        "LANGFUSE_HOST", None, "Langfuse, for prompt versions and scores", "Unset: no model-quality evidence.", "URL"
    )
    langfuse_public_key: str | None = env("LANGFUSE_PUBLIC_KEY", None, "Langfuse public key", "Goes with LANGFUSE_HOST.")
    langfuse_secret_key: Secret = env("LANGFUSE_SECRET_KEY", None, "Langfuse secret key", "Goes with LANGFUSE_HOST.")
    lookback: Seconds = env(
        "SRE_AGENT_LOOKBACK",
        1800.0,
        "how long before the onset metrics are read",
        "Half an hour of quiet is a baseline; changes are always read for 24 h.",
        "seconds",
    )
    source_deadline: Seconds = env(
        "SRE_AGENT_SOURCE_DEADLINE",
        10.0,
        "time one evidence source gets",
        "Sources run side by side; the slowest one sets the pace.",
        "seconds",
    )

    # Redis
    redis_sentinels: Addresses = env(
        "REDIS_SENTINELS", (), "all sentinels", "Every one is asked, because one alone can be wrong.", "host:port,host:port,..."
    )
    redis_username: str | None = env("REDIS_USERNAME", None, "user for reading", "Unset: the default user.")
    redis_password: Secret = env("REDIS_PASSWORD", None, "password for reading", "Unset: no authentication.")
    redis_write_username: str | None = env(
        "REDIS_WRITE_USERNAME", None, "user of the hands", "Never falls back to the reading user."
    )
    redis_write_password: Secret = env(
        "REDIS_WRITE_PASSWORD", None, "password of the hands", "Never falls back to the reading password."
    )
    redis_sentinel_password: Secret = env("REDIS_SENTINEL_PASSWORD", None, "password of the sentinels", "Unset: no authentication.")
    redis_tls: bool = env("REDIS_TLS", False, "speak TLS to Redis and the sentinels", "Off, as in Redis itself.", "true or false")
    redis_ca: Path | None = env("REDIS_CA", None, "certificate authority for REDIS_TLS", "Unset: the system's.", "file")

    # Redis Cluster (REDIS_TLS and REDIS_CA hold for it too)
    redis_cluster_name: str | None = env(
        "REDIS_CLUSTER_NAME",
        None,
        "the cluster's name, as alerts' redis_cluster gives it",
        "Goes with REDIS_CLUSTER_NODES.",
    )
    redis_cluster_nodes: Addresses = env(
        "REDIS_CLUSTER_NODES",
        (),
        "some nodes of the cluster",
        "Two or three are enough to find the rest, when one of them is down.",
        "host:port,host:port,...",
    )
    redis_cluster_username: str | None = env("REDIS_CLUSTER_USERNAME", None, "user for reading", "Unset: the default user.")
    redis_cluster_password: Secret = env("REDIS_CLUSTER_PASSWORD", None, "password for reading", "Unset: no authentication.")
    redis_cluster_write_username: str | None = env(
        "REDIS_CLUSTER_WRITE_USERNAME", None, "user of the hands", "Never falls back to the reading user."
    )
    redis_cluster_write_password: Secret = env(
        "REDIS_CLUSTER_WRITE_PASSWORD", None, "password of the hands", "Never falls back to the reading password."
    )

    # PostgreSQL under Patroni
    patroni_urls: Urls = env(
        "PATRONI_URLS", (), "REST address of every member of one Patroni cluster", "One view alone can be wrong.", "URL,URL,..."
    )
    patroni_write_username: str | None = env(
        "PATRONI_WRITE_USERNAME",
        None,
        "user of the hands for POST /switchover",
        "Reading needs none; unset: nothing is switched.",
    )
    patroni_write_password: Secret = env("PATRONI_WRITE_PASSWORD", None, "password of the hands", "Goes with the user.")

    # PostgreSQL that is watched
    postgres_urls: NamedUrls = env(
        "POSTGRES_URLS",
        {},
        "databases to look at, by the name that alerts give them",
        "Never the agent's own; a user with pg_monitor that may write nothing.",
        'name=postgresql://...,... or JSON {"<name>": "<URL>"}',
    )

    # the agent itself
    heartbeat_url: Url = env(
        "SRE_AGENT_HEARTBEAT_URL",
        None,
        "pinged every minute while healthy",
        "A dead-man's switch: someone else notices silence.",
        "URL",
    )
    public_url: Url = env(
        "SRE_AGENT_PUBLIC_URL",
        None,
        "address at which people open the pages",
        "Unset: notes carry no links to the agent, and nobody signs in by an issuer or a proxy.",
        "URL",
    )
    worker_concurrency: Annotated[int, Field(gt=0, le=64)] = env(
        "SRE_AGENT_WORKER_CONCURRENCY", 4, "jobs one worker runs at a time", "Jobs mostly wait for other systems.", "jobs"
    )
    recordings_max_mb: Count = env(
        "SRE_AGENT_RECORDINGS_MAX_MB", 500, "what all recordings may take together", "The oldest go first; 0: none are made.", "MB"
    )
    recordings_keep_days: Count = env("SRE_AGENT_RECORDINGS_KEEP_DAYS", 90, "how long one is kept", "Older ones go.", "days")
    recording_max_mb: Count = env("SRE_AGENT_RECORDING_MAX_MB", 20, "evidence of one, unpacked", "More is thinned.", "MB")
    log_level: LogLevel = env(
        "SRE_AGENT_LOG_LEVEL", LogLevel.INFO, "debug, info, warning or error", "One line for each transition."
    )

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the constructor was given, which is the file."""
        return sources["env_settings"], sources["init_settings"]

    @property
    def effective_reasoner(self) -> Reasoner:
        """Which reasoner runs, after the rule for an unset one."""
        if self.reasoner is not None:
            return self.reasoner
        return Reasoner.OPENAI if self.openai_api_key or self.openai_base_url else Reasoner.RULES

    @property
    def policies_dir(self) -> Path:
        """The folder of the Cedar bundle."""
        return self.policies or shipped("policies")

    @property
    def runbooks_dir(self) -> Path:
        """The folder of runbooks."""
        return self.runbooks or shipped("runbooks")

    @property
    def webhook_secrets(self) -> dict[str, str]:
        """Secret by subscription id; under "" the one that serves any subscription. Empty: not configured."""
        secrets = {key: value.get_secret_value() for key, value in self.pagerduty_webhook_secrets.items()}
        if self.pagerduty_webhook_secret:
            secrets[""] = self.pagerduty_webhook_secret.get_secret_value()
        return secrets
