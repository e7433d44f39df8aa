"""What acts: verbs with write credentials. Built only where the role has hands."""

import asyncio
import secrets

from sre_agent.adapters.bullmq import QueueWriter
from sre_agent.adapters.kubernetes import KubernetesDeploymentHands, KubernetesNodeHands, KubernetesPodHands
from sre_agent.adapters.patroni import PatroniWriter
from sre_agent.adapters.redis import RedisWriter
from sre_agent.adapters.redis_cluster import RedisClusterWriter
from sre_agent.execution.executor import Tools
from sre_agent.execution.hands import Hands
from sre_agent.policy.declarations import Targets
from sre_agent.settings import Settings
from sre_agent.wiring.readers import Eyes, cluster_access, queue_access, redis_access


def hands(settings: Settings, declared: Targets | None = None) -> Hands:
    """The verbs this process has credentials for. SAFETY: never the reading ones instead."""
    access, to_cluster = redis_access(settings, write=True), cluster_access(settings, write=True)
    cluster, to_queues = settings.write_kubeconfig, queue_access(settings, declared, write=True)
    return Hands(
        pods=KubernetesPodHands(cluster) if cluster else None,
        deployments=KubernetesDeploymentHands(cluster) if cluster else None,
        nodes=KubernetesNodeHands(cluster) if cluster else None,
        redis=RedisWriter(access) if access else None,
        redis_cluster=RedisClusterWriter(to_cluster) if to_cluster else None,
        patroni=_patroni(settings),
        queues=QueueWriter(to_queues) if to_queues else None,
    )


def _patroni(settings: Settings) -> PatroniWriter | None:
    user, password = settings.patroni_write_username, settings.patroni_write_password
    if not settings.patroni_urls or user is None or password is None:
        return None
    return PatroniWriter(settings.patroni_urls, user, password.get_secret_value())


def tools(settings: Settings, looking: Eyes, declared: Targets | None = None) -> Tools:
    """What every action of this process is given."""
    return Tools(hands=hands(settings, declared), readers=looking.readers, sleep=asyncio.sleep)


def new_id(prefix: str) -> str:
    """An unguessable id: 96 random bits."""
    return f"{prefix}_{secrets.token_hex(12)}"
