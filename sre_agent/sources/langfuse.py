"""Prompt versions and quality scores from Langfuse's public API (v2 prompts, v2 metrics, v3 scores). GET only.

Emits LANGFUSE evidence ({"scores", "prompts"}, shapes in evidence/quality.py) and CHANGES evidence of kind prompt.
There is no public history of labels: a switch is dated by the production version's `updatedAt`, and never later than
the hour in which the version first appears in traffic. Source: https://api.reference.langfuse.com
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from sre_agent.evidence.change import Change, ChangeKind
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.quality import PromptVersion, Score
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import Permanent, Transient

if TYPE_CHECKING:
    import httpx

MAX_PROMPTS = 20
MAX_PAGES = 10
MAX_SCORES = 1000
MAX_BODY = 8_000_000
_HOUR = timedelta(hours=1)

Json = dict[str, Any]
M = TypeVar("M", PromptVersion, Score)


@dataclass(frozen=True)
class LangfuseProject:
    """One project: its address and key pair (read rights are enough). `timeout_s` in seconds, per request."""

    host: str
    public_key: str
    secret_key: str
    timeout_s: float = 10.0


@dataclass(frozen=True)
class _Traffic:
    """When a prompt's version was first used inside the window (start of that hour)."""

    version: str
    first: datetime


class LangfuseSource:
    """EvidenceSource over one Langfuse project."""

    name = "langfuse"
    kind = EvidenceKind.LANGFUSE

    def __init__(self, project: LangfuseProject) -> None:
        self._project = project
        self._url = project.host.rstrip("/")

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """Always two pieces of evidence, LANGFUSE and CHANGES; each NO_DATA when there is nothing.

        Raises Transient (429, 5xx, network) or Permanent (keys, an API version this adapter does not speak).
        """
        window = scope.change_window
        span = {"fromTimestamp": _iso(window.start), "toTimestamp": _iso(window.end)}
        async with self._client() as client:
            prompts = await self._prompts(client, window.start, window.end)
            traffic = await self._traffic(client, span)
            by_version = await self._scores_by_version(client, span)
            raw, cut = await self._raw_scores(client, span)
        scores = [*by_version, *(s for s in raw if s.name not in {b.name for b in by_version})]
        changes = [c for c in (_switch(p, traffic.get(p.name, [])) for p in prompts) if c and window.start <= c.at <= window.end]
        payload = {"scores": [s.model_dump(mode="json") for s in scores], "prompts": [p.model_dump(mode="json") for p in prompts]}
        quality = _evidence(EvidenceKind.LANGFUSE, scope, payload, bool(scores or prompts))
        return (
            quality.model_copy(update={"truncated": cut, "link": self._url}),
            _evidence(EvidenceKind.CHANGES, scope, [c.model_dump(mode="json") for c in changes], bool(changes)),
        )

    async def _prompts(self, client: "httpx.AsyncClient", since: datetime, until: datetime) -> list[PromptVersion]:
        """The production version of every prompt touched since; a prompt without one is not live and left out."""
        names: list[str] = []
        for page in range(1, MAX_PAGES + 1):
            query = {"fromUpdatedAt": _iso(since), "toUpdatedAt": _iso(until), "page": str(page), "limit": "50"}
            answer = await self._get(client, "/api/public/v2/prompts", query)
            names += [str(row["name"]) for row in _rows(answer) if row.get("name")]
            if page >= int((answer.get("meta") or {}).get("totalPages") or 1):
                break
        live = []
        for name in names[:MAX_PROMPTS]:
            row = await self._get(client, f"/api/public/v2/prompts/{quote(name, safe='')}", {"label": "production"}, absent_ok=True)
            if row:
                dates = {"created_at": row.get("createdAt"), "updated_at": row.get("updatedAt")}
                found = {"name": name, "version": row.get("version"), "labels": row.get("labels") or ["production"]}
                live.append(_valid(PromptVersion, found | dates))
        return live

    async def _traffic(self, client: "httpx.AsyncClient", span: Mapping[str, str]) -> dict[str, list[_Traffic]]:
        """Per prompt, the versions seen in generations, in the order in which they first appeared."""
        query = {
            "view": "observations",
            "metrics": [{"measure": "count", "aggregation": "count"}],
            "dimensions": [{"field": "promptName"}, {"field": "promptVersion"}],
            "filters": [],
            "timeDimension": {"granularity": "hour"},
            **span,
        }
        first: dict[tuple[str, str], datetime] = {}
        for row in await self._metrics(client, query):
            if row.get("promptName") and row.get("promptVersion") is not None and _number(row.get("count_count")) > 0:
                key, at = (str(row["promptName"]), str(row["promptVersion"])), _instant(row.get("time_dimension"))
                first[key] = min(first.get(key, at), at)
        traffic: dict[str, list[_Traffic]] = {}
        for (prompt, version), at in sorted(first.items(), key=lambda item: item[1]):
            traffic.setdefault(prompt, []).append(_Traffic(version, at))
        return traffic

    async def _scores_by_version(self, client: "httpx.AsyncClient", span: Mapping[str, str]) -> list[Score]:
        """Hourly means per score, prompt and version: the one place where a score and a version meet."""
        query = {
            "view": "scores-numeric",
            "metrics": [{"measure": "value", "aggregation": "avg"}, {"measure": "count", "aggregation": "count"}],
            "dimensions": [{"field": "name"}, {"field": "observationPromptName"}, {"field": "observationPromptVersion"}],
            "filters": [],
            "timeDimension": {"granularity": "hour"},
            **span,
        }
        return [
            Score(
                name=str(row.get("name")),
                timestamp=_instant(row.get("time_dimension")),
                value=_number(row.get("avg_value")),
                prompt=str(row["observationPromptName"]),
                version=str(row["observationPromptVersion"]),
                count=int(_number(row.get("count_count"))),
            )
            for row in await self._metrics(client, query)
            if row.get("observationPromptName") and row.get("observationPromptVersion") is not None
        ]

    async def _raw_scores(self, client: "httpx.AsyncClient", span: Mapping[str, str]) -> tuple[list[Score], bool]:
        """(scores of the window, whether there were more than MAX_SCORES). They carry no prompt version."""
        found: list[Score] = []
        cursor = ""
        while True:
            query = {**span, "dataType": "NUMERIC", "limit": "100", **({"cursor": cursor} if cursor else {})}
            answer = await self._get(client, "/api/public/v3/scores", query)
            found += [
                _valid(Score, {k: row.get(k) for k in ("name", "timestamp", "value")})
                for row in _rows(answer)
                if isinstance(row.get("value"), int | float)
            ]
            cursor = str((answer.get("meta") or {}).get("cursor") or "")
            if not cursor or len(found) >= MAX_SCORES:
                return found[:MAX_SCORES], bool(cursor) or len(found) > MAX_SCORES

    async def _metrics(self, client: "httpx.AsyncClient", query: Json) -> list[Json]:
        return _rows(
            await self._get(client, "/api/public/v2/metrics", {"query": json.dumps({**query, "config": {"row_limit": 1000}})})
        )

    def _client(self) -> "httpx.AsyncClient":
        import httpx

        # The keys go to the configured host only, so redirects are not followed.
        return httpx.AsyncClient(
            auth=(self._project.public_key, self._project.secret_key), timeout=self._project.timeout_s, follow_redirects=False
        )

    async def _get(self, client: "httpx.AsyncClient", path: str, query: Mapping[str, str], absent_ok: bool = False) -> Json:
        """One JSON object. {} for a 404 when `absent_ok`, unless the 404 says that the route itself is gone."""
        import httpx

        try:
            response = await client.get(self._url + path, params=dict(query))
        except httpx.InvalidURL as error:
            raise Permanent(f"LANGFUSE_HOST {self._url!r} is not an address: {error}") from error
        except httpx.TimeoutException as error:
            raise Transient(f"Langfuse at {self._url} did not answer within {self._project.timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise Transient(f"Langfuse at {self._url} cannot be reached: {error or type(error).__name__}") from error
        return _judged(response, f"Langfuse at {self._url}{path.partition('?')[0]}", absent_ok)


def _judged(response: "httpx.Response", where: str, absent_ok: bool) -> Json:
    status = response.status_code
    try:
        answer = json.loads(response.content) if len(response.content) <= MAX_BODY else None
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and answer.get("_deprecation") and status >= 400:
        notice = answer["_deprecation"]
        advice = notice.get("replacement") or notice.get("message") if isinstance(notice, dict) else notice
        raise Permanent(f"{where} is gone: upgrade this adapter to the server's API ({advice})")
    if status == 200 and isinstance(answer, dict):
        return answer
    text = str(answer.get("message") or answer.get("error") or "") if isinstance(answer, dict) else response.text[:200].strip()
    if status == 404 and absent_ok and isinstance(answer, dict):
        return {}
    if status == 429 or status >= 500:
        retry_after = response.headers.get("retry-after", "")
        raise Transient(f"{where} answered {status}: {text}", retry_after=float(retry_after) if retry_after.isdigit() else None)
    if status in (401, 403):
        raise Permanent(f"{where} answered {status}: check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY ({text})")
    raise Permanent(f"{where} answered {status} with something other than its API: {text or 'not a JSON object'}")


def _switch(prompt: PromptVersion, traffic: list[_Traffic]) -> Change | None:
    """The production version going live, or None when nothing dates it."""
    first = next((t.first for t in traffic if t.version == prompt.version), None)
    before = [t for t in traffic if t.version != prompt.version and first is not None and t.first < first]
    at = prompt.live_since
    if first is not None and before and (at is None or at > first + _HOUR):
        at = first  # touched again later (a tag, a note): traffic had switched before that
    if at is None:
        return None
    return Change(
        at=at,
        kind=ChangeKind.PROMPT,
        target=f"prompt/{prompt.name}",
        summary=f"version {prompt.version} of prompt {prompt.name} is labelled production",
        from_version=before[-1].version if before else None,
        to_version=prompt.version,
        source="langfuse",
    )


def _evidence(kind: EvidenceKind, scope: Scope, payload: object, filled: bool) -> Evidence:
    query = f"{'prompt switches' if kind is EvidenceKind.CHANGES else 'prompts and scores'} since {_iso(scope.change_window.start)}"
    return Evidence(
        id="",
        source="langfuse",
        kind=kind,
        query=query,
        status=EvidenceStatus.OK if filled else EvidenceStatus.NO_DATA,
        observed_at=scope.now,
        window=scope.change_window,
        payload=payload,
        size_bytes=len(json.dumps(payload)),
    )


def _rows(answer: Json) -> list[Json]:
    rows: Iterable[Any] = answer.get("data") or ()
    return [row for row in rows if isinstance(row, dict)]


def _valid(model: type[M], row: Json) -> M:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise Permanent(f"Langfuse sent a malformed {model.__name__}: {error.errors()[0]['msg']}") from error


def _number(value: object) -> float:
    """A count or mean; the server sends some numbers as strings."""
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _instant(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Permanent(f"Langfuse sent {value!r} as a time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
