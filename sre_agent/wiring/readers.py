"""What looks: every configured source and read-only view, with read credentials."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from sre_agent.adapters.pagerduty.tracker import PagerDuty, connect
from sre_agent.adapters.pagerduty.transport import Credentials
from sre_agent.evidence.redis.access import ClusterAccess, QueueAccess, QueuePlace, RedisAccess
from sre_agent.evidence.source import EvidenceSource
from sre_agent.execution.action import Readers
from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.declarations import Targets
from sre_agent.response.every_tracker import EveryTracker
from sre_agent.settings import Settings
from sre_agent.sources.alertmanager import AlertmanagerEndpoint, AlertmanagerSource
from sre_agent.sources.bullmq import QueueSource
from sre_agent.sources.changes import ChangesSource
from sre_agent.sources.kubernetes import KubernetesCluster, KubernetesSource
from sre_agent.sources.langfuse import LangfuseProject, LangfuseSource
from sre_agent.sources.loki import LokiEndpoint, LokiSource
from sre_agent.sources.own_alerts import OwnAlertsSource
from sre_agent.sources.pagerduty import PastIncidentsSource
from sre_agent.sources.patroni import PatroniSource
from sre_agent.sources.postgres import PostgresSource
from sre_agent.sources.prometheus import PrometheusEndpoint, PrometheusSource
from sre_agent.sources.redis import RedisSource
from sre_agent.sources.redis_cluster import RedisClusterSource
from sre_agent.sources.topology import TopologySource, load_calls
from sre_agent.verification.probe import Probes

SHARE: Final = 0.8
"""How much of a source's deadline one request may take."""


@dataclass(frozen=True)
class Eyes:
    """Sources for the investigation; readers for facts and actions; probes for verification."""

    sources: tuple[EvidenceSource, ...]
    readers: Readers
    probes: Probes
    langfuse: bool


def tracker(settings: Settings) -> PagerDuty:
    """PagerDuty over REST. ConfigurationError without a token: webhooks alone carry no labels."""
    if settings.pagerduty_api_token is None or settings.pagerduty_from_email is None:
        raise ConfigurationError("PAGERDUTY_API_TOKEN and PAGERDUTY_FROM_EMAIL are needed to fetch incidents and write notes")
    token = settings.pagerduty_api_token.get_secret_value()
    url = settings.pagerduty_api_url or "https://api.pagerduty.com"
    return connect(Credentials(token=token, from_email=settings.pagerduty_from_email, api_url=url))


def redis_access(settings: Settings, *, write: bool) -> RedisAccess | None:
    """How to reach Redis as the reading or the writing user; None when it is not configured.

    SAFETY: the hands never fall back to the reading identity.
    """
    if not settings.redis_sentinels or (write and settings.redis_write_username is None):
        return None
    username = settings.redis_write_username if write else settings.redis_username
    password = settings.redis_write_password if write else settings.redis_password
    sentinel = settings.redis_sentinel_password
    return RedisAccess(
        sentinels=_written(settings.redis_sentinels),
        username=username,
        password=password.get_secret_value() if password else None,
        sentinel_password=sentinel.get_secret_value() if sentinel else None,
        tls=settings.redis_tls,
        ca=str(settings.redis_ca) if settings.redis_ca else None,
    )


def cluster_access(settings: Settings, *, write: bool) -> ClusterAccess | None:
    """How to reach the Redis Cluster as the reading or the writing user; None when it is not configured.

    SAFETY: the hands never fall back to the reading identity.
    """
    if not (settings.redis_cluster_nodes and settings.redis_cluster_name):
        return None
    if write and settings.redis_cluster_write_username is None:
        return None
    password = settings.redis_cluster_write_password if write else settings.redis_cluster_password
    return ClusterAccess(
        name=settings.redis_cluster_name,
        nodes=_written(settings.redis_cluster_nodes),
        username=settings.redis_cluster_write_username if write else settings.redis_cluster_username,
        password=password.get_secret_value() if password else None,
        tls=settings.redis_tls,
        ca=str(settings.redis_ca) if settings.redis_ca else None,
    )


def queue_access(settings: Settings, declared: Targets | None, *, write: bool) -> QueueAccess | None:
    """How to reach the queues that owners declared as the reading or the writing user; None when there are none.

    SAFETY: the hands never fall back to the reading identity, and no place comes from anywhere but a declaration.
    """
    if write and settings.redis_write_username is None:
        return None
    keyed = {k.removeprefix("queue/"): d for k, d in (declared.root if declared else {}).items() if k.startswith("queue/")}
    places = {name: QueuePlace(d.redis, d.key_prefix) for name, d in keyed.items() if d.redis and d.managed}
    if not places:
        return None
    password = settings.redis_write_password if write else settings.redis_password
    return QueueAccess(
        queues=places,
        username=settings.redis_write_username if write else settings.redis_username,
        password=password.get_secret_value() if password else None,
        tls=settings.redis_tls,
        ca=str(settings.redis_ca) if settings.redis_ca else None,
    )


def _written(addresses: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """ "host:port" each, an IPv6 host in brackets."""
    return tuple(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in addresses)


def metrics_source(settings: Settings, *, past: bool = False) -> PrometheusSource | None:
    """The Prometheus that is configured. A request gives up before the source's own deadline, so that it can say why."""
    if not settings.prometheus_url:
        return None
    return PrometheusSource(
        PrometheusEndpoint(
            settings.prometheus_url,
            token=_plain(settings.prometheus_token),
            tenant=settings.prometheus_tenant or "",
            timeout_s=SHARE * settings.source_deadline,
            rules_s=SHARE * settings.source_deadline / 2,
            min_step_s=settings.prometheus_min_step,
            baseline_s=settings.lookback,
            past=past,
        )
    )


def _told_of(settings: Settings, metrics: PrometheusSource | None) -> Iterator[EvidenceSource]:
    """Alerts, logs and the call graph, as far as they are configured. ConfigurationError for a call graph that cannot be read."""
    if settings.alertmanager_url:
        token, tenant = _plain(settings.alertmanager_token), settings.alertmanager_tenant or ""
        timeout_s = SHARE * settings.source_deadline
        yield AlertmanagerSource(AlertmanagerEndpoint(settings.alertmanager_url, token, tenant, timeout_s))
    yield from logs_and_topology(settings, metrics)


def logs_and_topology(settings: Settings, metrics: PrometheusSource | None) -> Iterator[EvidenceSource]:
    """Logs and the call graph, as far as they are configured. ConfigurationError for a call graph that cannot be read."""
    if settings.loki_url:
        timeout_s = SHARE * settings.source_deadline
        yield LokiSource(LokiEndpoint(settings.loki_url, _plain(settings.loki_token), settings.loki_tenant or "", timeout_s))
    if settings.topology or metrics:
        yield TopologySource(load_calls(settings.topology) if settings.topology else (), metrics)


def langfuse_source(settings: Settings, *, past: bool = False) -> LangfuseSource | None:
    """The Langfuse project that is configured."""
    if not (settings.langfuse_host and settings.langfuse_public_key and settings.langfuse_secret_key):
        return None
    secret = settings.langfuse_secret_key.get_secret_value()
    return LangfuseSource(LangfuseProject(settings.langfuse_host, settings.langfuse_public_key, secret, past=past))


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def eyes(settings: Settings, changes: PagerDuty | EveryTracker, declared: Targets | None = None) -> Eyes:
    """Everything that is configured, and the queues that are declared; what is not is simply not asked."""
    sources: list[EvidenceSource] = [ChangesSource(changes), PastIncidentsSource(changes)]
    redis = cluster = None
    metrics = metrics_source(settings)
    sources.extend([metrics] if metrics else [])
    sources.extend(_told_of(settings, metrics))
    access = redis_access(settings, write=False)
    if access is not None:
        redis = RedisSource(access)
        sources.append(redis)
    to_cluster = cluster_access(settings, write=False)
    shards = RedisClusterSource(to_cluster) if to_cluster else None
    sources.extend([shards] if shards else [])
    members = PatroniSource(settings.patroni_urls) if settings.patroni_urls else None
    sources.extend([members] if members else [])
    watched = {name: url.get_secret_value() for name, url in settings.postgres_urls.items()}
    sources.extend([PostgresSource(watched)] if watched else [])
    to_queues = queue_access(settings, declared, write=False)
    queues = QueueSource(to_queues) if to_queues else None
    sources.extend([queues] if queues else [])
    if settings.kubeconfig is not None or "KUBERNETES_SERVICE_HOST" in os.environ:
        cluster = KubernetesCluster(settings.kubeconfig)
        sources.append(KubernetesSource(cluster))
    quality = langfuse_source(settings)
    sources.extend([quality] if quality else [])
    sources.append(OwnAlertsSource())  # last: nobody's evidence id depends on it
    return Eyes(
        sources=tuple(sources),
        readers=Readers(redis=redis, kubernetes=cluster, redis_cluster=shards, patroni=members, queues=queues),
        probes=Probes(metrics=metrics, redis=redis, kubernetes=cluster, redis_cluster=shards, patroni=members, queues=queues),
        langfuse=settings.langfuse_host is not None,
    )
