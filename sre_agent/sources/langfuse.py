"""Prompt versions, quality scores, and the use of models, from Langfuse's public API (v2 prompts, v2 metrics, v3 scores, v2
observations). GET only.

Emits LANGFUSE evidence (shapes in evidence/quality.py) and CHANGES evidence of kinds prompt and model. There is no public
history of labels: a switch is dated by the production version's `updatedAt`, and never later than the hour in which the
version first appears in traffic. Few calls: one list, one call per touched prompt, two metric queries, and only where there is
something to read the scores that carry no version and the messages of failed calls.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from sre_agent.evidence.ai.quality import ModelUse, PromptVersion, Score
from sre_agent.evidence.ai.turnover import Seen, Turnover, model_turnovers, turnovers
from sre_agent.evidence.change import Change, ChangeKind, web_link
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import Permanent
from sre_agent.sources.langfuse_api import PROMPTS, SCORES, Json, LangfuseApi, instant, iso, number, rows_of
from sre_agent.sources.langfuse_api import LangfuseProject as LangfuseProject
from sre_agent.sources.langfuse_calls import errors_said, uses_of_models

MAX_PROMPTS = 40
MAX_PAGES = 10
MAX_SCORES = 1000
MAX_SCORE_NAMES = 5
MAX_MESSAGE = 300

HOUR = timedelta(hours=1)
M = TypeVar("M", PromptVersion, Score)


class LangfuseSource:
    """EvidenceSource over one Langfuse project."""

    name = "langfuse"
    kind = EvidenceKind.LANGFUSE

    def __init__(self, project: LangfuseProject) -> None:
        self._project = project
        self._url = project.host.rstrip("/")

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """Always two pieces of evidence, LANGFUSE and CHANGES; each NO_DATA when there is nothing.

        Raises Transient (429, 5xx, network) or Permanent (keys, an API version this adapter does not speak). The messages of
        failed calls are a supplement: when they cannot be had, the evidence says so and stands.
        """
        window = scope.change_window
        async with LangfuseApi.client(self._project) as client:
            api = LangfuseApi(self._project, client)
            (prompts, many), (uses, traffic, cut_uses), (scores, cut_scores) = await _all(
                _prompts(api, self._url, window.start, None if self._project.past else window.end),
                uses_of_models(api, window.start, window.end),
                _scores(api, window.start, window.end),
            )
            errors, missing = await errors_said(api, scope, uses)
        if self._project.past:
            prompts, unknown = _then(prompts, traffic, scope.now)
            many = many or bool(unknown)
            since = (f"prompt {name} was changed since, and no traffic shows its version then" for name in unknown)
            missing = "; ".join(filter(None, (missing, *since)))[:500]
        changes = [c for c in _changes(prompts, traffic, uses) if window.start <= c.at <= window.end]
        told = {"scores": scores, "prompts": prompts, "models": uses, "errors": errors}
        bare = ("models", "errors")  # many rows, of which each says little
        payload = {k: [row.model_dump(mode="json", exclude_none=k in bare) for row in each] for k, each in told.items()}
        quality = _evidence(EvidenceKind.LANGFUSE, scope, payload, any(told.values()))
        cut = {"truncated": cut_uses or cut_scores or many, "link": self._url, "error": missing}
        switched = _evidence(EvidenceKind.CHANGES, scope, [c.model_dump(mode="json") for c in changes], bool(changes))
        # SAFETY: prompts that were not looked at may have changed; a feed that is cut covers nothing.
        return quality.model_copy(update=cut), switched.model_copy(update={"truncated": many or cut_uses})


async def _all(*asked: Coroutine[Any, Any, Any]) -> list[Any]:
    """All answers; the first failure once every question has ended, so that none is left behind."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


async def _prompts(api: LangfuseApi, url: str, since: datetime, until: datetime | None) -> tuple[list[PromptVersion], bool]:
    """(the production version of every prompt touched since, whether there are more). One that is not live is left out.

    `until` None: whenever it was touched last; a prompt is listed by its last change alone, and would be missed otherwise.
    """
    touched: list[Json] = []
    pages = 1
    for page in range(1, MAX_PAGES + 1):
        span = {"fromUpdatedAt": iso(since)} | ({} if until is None else {"toUpdatedAt": iso(until)})
        query = {**span, "page": str(page), "limit": "50"}
        answer = await api.get(PROMPTS, query)
        touched += [row for row in rows_of(answer) if row.get("name")]
        pages = int(number((answer.get("meta") or {}).get("totalPages")) or 1)
        if page >= pages or len(touched) >= MAX_PROMPTS:
            break
    asked = [_live(api, url, row) for row in touched[:MAX_PROMPTS]]
    return [p for p in await _all(*asked) if p is not None], len(touched) > MAX_PROMPTS or page < pages


async def _live(api: LangfuseApi, url: str, listed: Json) -> PromptVersion | None:
    """The version labelled production. Who wrote it, what they said and in which project it is are not documented: optional."""
    name = str(listed["name"])
    row = await api.get(f"{PROMPTS}/{quote(name, safe='')}", {"label": "production"}, absent_ok=True)
    if not row:
        return None
    versions = [int(n) for v in listed.get("versions") or () if (n := number(v)) is not None]
    found = {"name": name, "version": row.get("version"), "labels": row.get("labels") or ["production"]}
    found |= {"created_at": row.get("createdAt"), "updated_at": row.get("updatedAt"), "newest": max(versions, default=None)}
    author = row.get("createdBy")
    said = {"created_by": str(author)[:100] if author else None, "link": _page(url, row, name)}
    message = row.get("commitMessage")
    return _valid(PromptVersion, found | said | {"message": str(message)[:MAX_MESSAGE] if message else None})


def _then(prompts: Sequence[PromptVersion], seen: dict[str, list[Seen]], at: datetime) -> tuple[list[PromptVersion], list[str]]:
    """(the prompts that are live as they were at `at`, the names of those of which nobody knows what was live then).

    There is no history of labels. What was touched later is known from the versions in the traffic alone; a prompt whose first
    version is younger did not exist.
    """
    kept: list[PromptVersion] = []
    unknown: list[str] = []
    for p in prompts:
        if max((t for t in (p.created_at, p.updated_at) if t is not None), default=at) <= at:
            kept.append(p.model_copy(update={"newest": None}))
        elif not seen.get(p.name) and not (str(p.version) == "1" and p.created_at is not None and p.created_at > at):
            unknown.append(p.name)
    return kept, unknown


def _page(url: str, row: Json, name: str) -> str:
    """The version's own page, "" where the answer does not say in which project it is."""
    project, version = row.get("projectId"), number(row.get("version"))
    if not isinstance(project, str) or not re.fullmatch(r"[\w-]{1,64}", project) or version is None:
        return ""
    return web_link(f"{url}/project/{project}/prompts/{quote(name, safe='')}?version={int(version)}")


async def _scores(api: LangfuseApi, start: datetime, end: datetime) -> tuple[list[Score], bool]:
    """(hourly means per score, prompt and version; single scores where no version is known; whether some are missing)."""
    query = {
        "view": "scores-numeric",
        "metrics": [{"measure": "value", "aggregation": "avg"}, {"measure": "count", "aggregation": "count"}],
        "dimensions": [{"field": "name"}, {"field": "observationPromptName"}, {"field": "observationPromptVersion"}],
        "filters": [],
        "timeDimension": {"granularity": "hour"},
    }
    rows, cut = await api.metrics(query, start, end)
    means = [_mean(row) for row in rows if number(row.get("avg_value")) is not None]
    versioned = [s for s in means if s.prompt and s.version]
    named = {s.name for s in versioned}
    loose: dict[str, list[Score]] = defaultdict(list)
    for score in means:
        if score.name not in named:
            loose[score.name].append(score)
    few = sorted(n for n, each in loose.items() if sum(s.count for s in each) <= MAX_SCORES)[:MAX_SCORE_NAMES]
    single = await _all(*(_single_scores(api, name, start, end) for name in few))
    for name, (found, more) in zip(few, single, strict=True):
        # Hourly means are all there is when the single ones cannot be had whole.
        loose[name] = found if found and not more else loose[name]
    return [*versioned, *(s for _, each in sorted(loose.items()) for s in each)], cut


def _mean(row: Json) -> Score:
    prompt, version = row.get("observationPromptName"), row.get("observationPromptVersion")
    known = bool(prompt) and version is not None
    return Score(
        name=str(row.get("name")),
        timestamp=instant(row.get("time_dimension")),
        value=number(row.get("avg_value")) or 0.0,
        prompt=str(prompt) if known else None,
        version=str(version) if known else None,
        count=max(0, int(number(row.get("count_count")) or 0)),
    )


async def _single_scores(api: LangfuseApi, name: str, start: datetime, end: datetime) -> tuple[list[Score], bool]:
    """(every score of one name in the window, whether there were more than MAX_SCORES). They carry no prompt version."""
    found: list[Score] = []
    cursor = ""
    for _ in range(MAX_PAGES + 1):
        span = {"fromTimestamp": iso(start), "toTimestamp": iso(end)}
        query = {**span, "name": name, "dataType": "NUMERIC", "limit": "100", **({"cursor": cursor} if cursor else {})}
        answer = await api.get(SCORES, query)
        found += [
            _valid(Score, {k: row.get(k) for k in ("name", "timestamp", "value")})
            for row in rows_of(answer)
            if row.get("name") == name and number(row.get("value")) is not None
        ]
        cursor = str((answer.get("meta") or {}).get("cursor") or "")
        if not cursor or len(found) >= MAX_SCORES:
            break
    return found[:MAX_SCORES], bool(cursor) or len(found) > MAX_SCORES


def _changes(prompts: Sequence[PromptVersion], traffic: dict[str, list[Seen]], uses: Sequence[ModelUse]) -> list[Change]:
    """Prompt versions that went live by their label or by traffic alone, and models that took over."""
    turned = {name: turnovers(seen) for name, seen in traffic.items()}
    labelled = {p.name: _switch(p, traffic.get(p.name, []), turned.get(p.name, ())) for p in prompts}
    found = [c for c in labelled.values() if c is not None]
    for name, turns in sorted(turned.items()):
        known = labelled.get(name)
        late = [t for t in turns if known is None or t.after != known.to_version]
        found += [_by_traffic(ChangeKind.PROMPT, f"prompt/{name}", t) for t in late[-1:]]
    by_prompt: dict[str, list[ModelUse]] = defaultdict(list)
    for use in uses:
        by_prompt[use.prompt or ""].append(use)
    models = {t.after: t for name, each in sorted(by_prompt.items()) for t in model_turnovers(each, whole_application=not name)}
    return [*found, *(_by_traffic(ChangeKind.MODEL, f"model/{after}", t) for after, t in sorted(models.items()))]


def _switch(prompt: PromptVersion, seen: Sequence[Seen], turns: Sequence[Turnover]) -> Change | None:
    """The production version going live, or None when nothing dates it."""
    took_over = [t for t in turns if t.after == prompt.version]
    first = took_over[-1].at if took_over else min((s.at for s in seen if s.version == prompt.version), default=None)
    earlier = [s for s in seen if s.version != prompt.version and first is not None and s.at < first]
    at = prompt.live_since
    if first is not None and earlier and (at is None or at > first + HOUR):
        at = first  # touched again later (a tag, a note): traffic had switched before that
    if at is None:
        return None
    back = prompt.newest is not None and int(prompt.newest) > int(number(prompt.version) or 0)
    wrote = prompt.created_at is not None and timedelta() <= at - prompt.created_at <= HOUR
    return Change(
        at=at,
        kind=ChangeKind.PROMPT,
        target=f"prompt/{prompt.name}",
        summary=f"version {prompt.version} of prompt {prompt.name} is labelled production"
        + (f", though there is a version {prompt.newest}" if back else ""),
        from_version=max(earlier, key=lambda s: s.at).version if earlier else None,
        to_version=prompt.version,
        # Who wrote a version long ago need not be who made it live.
        author=prompt.created_by if wrote else None,
        source="langfuse",
        message=prompt.message,
        link=prompt.link,
    )


def _by_traffic(kind: ChangeKind, target: str, turn: Turnover) -> Change:
    return Change(
        at=turn.at,
        kind=kind,
        target=target,
        summary=f"{turn.before} -> {turn.after} in the calls, {turn.share:.0%} of the newest hour",
        from_version=turn.before,
        to_version=turn.after,
        source="langfuse",
    )


def _evidence(kind: EvidenceKind, scope: Scope, payload: object, filled: bool) -> Evidence:
    what = "prompt and model switches" if kind is EvidenceKind.CHANGES else "prompts, scores and use of models"
    return Evidence(
        id="",
        source="langfuse",
        kind=kind,
        query=f"{what} since {iso(scope.change_window.start)}",
        status=EvidenceStatus.OK if filled else EvidenceStatus.NO_DATA,
        observed_at=scope.now,
        window=scope.change_window,
        payload=payload,
        size_bytes=len(json.dumps(payload)),
    )


def _valid(model: type[M], row: Json) -> M:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise Permanent(f"Langfuse sent a malformed {model.__name__}: {error.errors()[0]['msg']}") from error
