"""A PostgreSQL cluster under Patroni, read only: what every member says, and how fast it answers.

Only GET /cluster and GET /patroni are ever asked. Source: https://patroni.readthedocs.io/en/latest/rest_api.html
"""

import asyncio
import time
from typing import Any

import httpx
from pydantic import ValidationError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.postgres.patroni import SOURCE, PatroniMember, PatroniState, PatroniView
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import Permanent

CALL_S = 1.5
ASKS = 4
"""How often a member is timed; one after the other, so that a host that is stopped in turns is caught."""
MOST_BYTES = 1_000_000
FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, KeyError, AttributeError)


class PatroniSource:
    """EvidenceSource and PatroniReader over the REST addresses of one cluster's members."""

    name = SOURCE
    kind = EvidenceKind.POSTGRES

    def __init__(self, urls: tuple[str, ...], call_s: float = CALL_S) -> None:
        self._urls = urls
        self._call_s = call_s

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One Evidence per distinct alert label `patroni_cluster`; an empty tuple when no alert names one."""
        names = sorted(scope.incident.label_values("patroni_cluster"))
        return tuple(await asyncio.gather(*(self._evidence(n, scope) for n in names)))

    async def read(self, cluster: str) -> PatroniState:
        """Ask every member, and time it. Permanent when none of those that answer belongs to this cluster."""
        return await self._look(cluster, ASKS)

    async def glance(self, cluster: str) -> PatroniState:
        """Ask every member once; `answers_ms` holds one answer."""
        return await self._look(cluster, 1)

    async def members(self) -> tuple[PatroniView, ...]:
        """What every configured member says, asked once, whatever cluster it belongs to."""
        limits = httpx.Timeout(self._call_s)
        async with httpx.AsyncClient(timeout=limits, follow_redirects=False, trust_env=False) as client:
            return tuple(await asyncio.gather(*(self._view(client, url, 1) for url in self._urls)))

    async def _look(self, cluster: str, asks: int) -> PatroniState:
        limits = httpx.Timeout(self._call_s)
        async with httpx.AsyncClient(timeout=limits, follow_redirects=False, trust_env=False) as client:
            views = await asyncio.gather(*(self._view(client, url, asks) for url in self._urls))
        # SAFETY: the label says which cluster is meant; the configured members may be another's.
        scopes = {v.scope for v in views if v.scope}
        if scopes and cluster not in scopes:
            raise Permanent(f"the Patroni cluster {cluster!r} is not configured here (PATRONI_URLS)")
        return PatroniState(name=cluster, views=tuple(views))

    async def _evidence(self, cluster: str, scope: Scope) -> Evidence:
        state = await self.read(cluster)
        error = "" if state.answering else next((v.error for v in state.views if v.error), "no member is configured (PATRONI_URLS)")
        return Evidence(
            id="",
            source=self.name,
            kind=self.kind,
            query=f"GET /cluster and timed GET /patroni on every member of {cluster}",
            status=EvidenceStatus.OK if state.answering else EvidenceStatus.ERROR,
            observed_at=scope.now,
            payload=state.model_dump(mode="json"),
            error=error,
        )

    async def _view(self, client: httpx.AsyncClient, url: str, asks: int) -> PatroniView:
        taken: list[float | None] = []
        own: dict[str, Any] = {}
        try:
            for _ in range(asks):
                began = time.monotonic()
                try:
                    own = await self._ask(client, f"{url}/patroni")
                except httpx.TimeoutException:
                    taken.append(None)
                else:
                    taken.append(round((time.monotonic() - began) * 1000, 1))
            return _read(url, own, await self._ask(client, f"{url}/cluster"), tuple(taken))
        except (*FAILURES, ValidationError) as failure:
            return PatroniView(url=url, answers_ms=tuple(taken), error=f"{type(failure).__name__}: {failure}"[:300])

    async def _ask(self, client: httpx.AsyncClient, url: str) -> dict[str, Any]:
        answer = await client.get(url)
        # /patroni answers 503 where its PostgreSQL is not running, with the same body.
        if answer.status_code not in (200, 503) or len(answer.content) > MOST_BYTES:
            raise ValueError(f"GET {url}: {answer.status_code}")
        body = answer.json()
        if not isinstance(body, dict):
            raise ValueError(f"GET {url}: not an object")  # noqa: TRY004
        return body


def _read(url: str, own: dict[str, Any], cluster: dict[str, Any], taken: tuple[float | None, ...]) -> PatroniView:
    about = own["patroni"]
    return PatroniView(
        url=url,
        name=str(about["name"]),
        scope=str(about["scope"]),
        system=str(own.get("database_system_identifier", "")),
        state=str(own.get("state", "")),
        watchdog_failed=bool(own.get("watchdog_failed")),
        members=tuple(_member(m) for m in cluster["members"]),
        paused=bool(cluster.get("pause") or own.get("pause")),
        scheduled=bool(cluster.get("scheduled_switchover")),
        answers_ms=taken,
    )


def _member(row: dict[str, Any]) -> PatroniMember:
    lag = row.get("lag")
    return PatroniMember(
        name=str(row["name"]),
        role=str(row.get("role", "")),
        state=str(row.get("state", "")),
        timeline=row.get("timeline"),
        lag=lag if isinstance(lag, int) and not isinstance(lag, bool) else None,
        tags=row.get("tags") or {},
    )
