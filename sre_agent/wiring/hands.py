"""What acts: verbs with write credentials. Built only where the role has hands."""

import asyncio
import secrets

from sre_agent.adapters.kubernetes import KubernetesPodHands
from sre_agent.adapters.redis import RedisWriter
from sre_agent.execution.executor import Tools
from sre_agent.execution.hands import Hands
from sre_agent.settings import Settings
from sre_agent.wiring.readers import Eyes, redis_access


def hands(settings: Settings) -> Hands:
    """The verbs this process has credentials for. SAFETY: never the reading ones instead."""
    access = redis_access(settings, write=True)
    return Hands(
        pods=KubernetesPodHands(settings.write_kubeconfig) if settings.write_kubeconfig else None,
        redis=RedisWriter(access) if access else None,
    )


def tools(settings: Settings, looking: Eyes) -> Tools:
    """What every action of this process is given."""
    return Tools(hands=hands(settings), readers=looking.readers, sleep=asyncio.sleep)


def new_id(prefix: str) -> str:
    """An unguessable id: 96 random bits."""
    return f"{prefix}_{secrets.token_hex(12)}"
