"""What Langfuse saw of the calls to models: their use per hour, and what failed ones said. Part of the source langfuse.

Two questions at most: one metric query over all models, and one page of failed calls where there are any near the onset.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sre_agent.evidence.ai.quality import ModelError, ModelUse
from sre_agent.evidence.ai.turnover import Seen
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import SreAgentError
from sre_agent.sources.langfuse_api import OBSERVATIONS, Json, LangfuseApi, instant, iso, number, rows_of

MAX_ERRORS = 100
MAX_MESSAGES = 10
MESSAGE_LENGTH = 200
ERRORS_BACK = timedelta(hours=1)
ERRORS_WITHIN_S = 3.0
HOUR = timedelta(hours=1)


async def uses_of_models(api: LangfuseApi, start: datetime, end: datetime) -> tuple[list[ModelUse], dict[str, list[Seen]], bool]:
    """(the use of each model per hour and prompt version, the calls of each prompt by version, whether some are missing)."""
    measures = (("count", "count"), ("latency", "p50"), ("latency", "p95"), ("timeToFirstToken", "p95"))
    query = {
        "view": "observations",
        "metrics": [{"measure": m, "aggregation": a} for m, a in (*measures, ("totalTokens", "sum"), ("totalCost", "sum"))],
        "dimensions": [{"field": f} for f in ("providedModelName", "promptName", "promptVersion", "level")],
        "filters": [],
        "timeDimension": {"granularity": "hour"},
    }
    rows, cut = await api.metrics(query, start, end)
    grouped: dict[tuple[datetime, str, str, str], list[Json]] = defaultdict(list)
    for row in rows:
        if (number(row.get("count_count")) or 0) > 0:
            named = (_text(row, "providedModelName"), _text(row, "promptName"), _text(row, "promptVersion"))
            grouped[(instant(row.get("time_dimension")), *named)].append(row)
    uses: list[ModelUse] = []
    traffic: dict[str, list[Seen]] = defaultdict(list)
    for (at, model, prompt, version), each in sorted(grouped.items()):
        if prompt and version:
            traffic[prompt].append(Seen(version, at, _count(each)))
        if model:
            uses.append(_use(at, model, prompt, version, each))
    return uses, traffic, cut


def _use(at: datetime, model: str, prompt: str, version: str, each: list[Json]) -> ModelUse:
    """One row of all levels. Latency is that of the calls that went well, where there are any: errors come back at once."""
    well = [r for r in each if r.get("level") != "ERROR"] or each
    main = max(well, key=lambda r: number(r.get("count_count")) or 0)
    p50, p95, first = (number(main.get(k)) for k in ("p50_latency", "p95_latency", "p95_timeToFirstToken"))
    return ModelUse(
        model=model,
        timestamp=at,
        prompt=prompt or None,
        version=version or None,
        count=_count(each),
        errors=_count(r for r in each if r.get("level") == "ERROR"),
        latency_p50_s=_seconds(p50),
        latency_p95_s=_seconds(p95),
        first_token_p95_s=_seconds(first),
        tokens=_sum(each, "sum_totalTokens"),
        cost_usd=_sum(each, "sum_totalCost"),
    )


def _count(each: Iterable[Json]) -> int:
    return sum(max(0, int(number(r.get("count_count")) or 0)) for r in each)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None or not 0 <= milliseconds < 1e9 else round(milliseconds / 1000, 6)


def _sum(each: Iterable[Json], key: str) -> float | None:
    told = [v for r in each if (v := number(r.get(key))) is not None and 0 <= v < 1e15]
    return round(sum(told), 6) if told else None


async def errors_said(api: LangfuseApi, scope: Scope, uses: Sequence[ModelUse]) -> tuple[list[ModelError], str]:
    """(what failed calls said near the onset, grouped, the most frequent first; why that could not be had)."""
    since = scope.onset - ERRORS_BACK
    if not any(u.errors for u in uses if u.timestamp >= since - HOUR):
        return [], ""
    span = {"fromStartTime": iso(since), "toStartTime": iso(scope.now)}
    query = {**span, "level": "ERROR", "type": "GENERATION", "fields": "core,basic,model,prompt", "limit": str(MAX_ERRORS)}
    try:
        async with asyncio.timeout(ERRORS_WITHIN_S):
            answer = await api.get(OBSERVATIONS, query)
    except (SreAgentError, TimeoutError) as error:
        return [], f"what failed calls said could not be read: {str(error)[:300] or 'no answer in time'}"
    grouped: dict[tuple[str, str, str, str], list[datetime]] = defaultdict(list)
    for row in rows_of(answer):
        message = _masked(str(row.get("statusMessage") or ""))
        model = _text(row, "providedModelName") or _text(row, "model")
        if message:
            grouped[message, model, _text(row, "promptName"), _text(row, "promptVersion")].append(instant(row.get("startTime")))
    most = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))[:MAX_MESSAGES]
    return [
        ModelError(message=m, timestamp=min(at), count=len(at), model=model or None, prompt=p or None, version=v or None)
        for (m, model, p, v), at in most
    ], ""


def _text(row: Json, key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value)[:MESSAGE_LENGTH]


def _masked(message: str) -> str:
    """One line without ids and long numbers, so that equal errors are equal; HTTP codes stay."""
    line = " ".join(message.split())
    return re.sub(r"\b(?=\w*\d)[\w-]{12,}|\b\d{4,}\b", "*", line)[:MESSAGE_LENGTH]
