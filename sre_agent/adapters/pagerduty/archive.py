"""The account's past incidents: replay.history.entry.IncidentArchive over the REST API. GET only.

Source: PagerDuty REST API reference, "List incidents" (at most six months in one question; offset + limit at most 10,000; times
without an offset are read in the account's zone), "List alerts for an incident", "List log entries for an incident", "List notes".
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound
from sre_agent.adapters.pagerduty.gateway import LAST_ITEM, PAGE, Gateway
from sre_agent.incident.errors import ConfigurationError, Permanent
from sre_agent.intake.untrusted import fields, items, moment, pagerduty_id, text
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.history.entry import HistoryEntry, Span

WINDOW: Final = timedelta(days=180)
"""Of one question. Six months may be as few as 181 days."""
STATUSES: Final = ["triggered", "acknowledged", "resolved"]

Listed = tuple[tuple[JsonObject, ...], str]
"""Items, and why there are none."""


class PagerDutyArchive:
    """Reads through a gateway, at its pace; raises what it raises."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def incidents(self, span: Span) -> AsyncIterator[JsonObject]:
        """See IncidentArchive. Incidents of one second come in the order of their ids, whatever order the API gives them."""
        await self._known(span)
        filters: dict[str, str | list[str]] = {"statuses[]": STATUSES, "sort_by": "created_at:asc", "limit": str(PAGE)}
        filters |= {"service_ids[]": list(span.services)} if span.services else {}
        filters |= {"team_ids[]": list(span.teams)} if span.teams else {}
        second, held = span.since, dict[str, JsonObject]()
        for since, until in _windows(span.since, span.until):
            async for shape in self._listed(since, until, filters):
                identity, began = pagerduty_id(shape.get("id")), moment(shape.get("created_at")) or second
                if identity is None or not span.since <= began < span.until:
                    continue
                if began.replace(microsecond=0) > second:
                    for known in sorted(held):
                        yield held[known]
                    second, held = began.replace(microsecond=0), {}
                # Windows meet, and one is begun again where its 10,000 items end: the second there is listed twice.
                held[identity] = shape
        for known in sorted(held):
            yield held[known]

    async def entry(self, incident: JsonObject) -> HistoryEntry:
        """See IncidentArchive. Raises Transient, and ConfigurationError when the key is not accepted any more."""
        identity = pagerduty_id(incident.get("id"))
        if identity is None:
            raise Permanent(f"{text(incident.get('id'), 60)!r} is not the id of a PagerDuty incident")
        path = f"/incidents/{identity}"
        alerts, log, notes = await asyncio.gather(
            self._read(f"{path}/alerts", "alerts", {"sort_by": "created_at:asc"}),
            self._read(f"{path}/log_entries", "log_entries", {"include[]": ["channels"], "is_overview": "true"}),
            self._notes(f"{path}/notes"),
        )
        told = {"alerts": alerts, "log entries": log, "notes": notes}
        return HistoryEntry(
            incident=incident,
            alerts=alerts[0],
            log_entries=_oldest_first(log[0]),
            notes=_oldest_first(notes[0]),
            problems=tuple(f"{name}: {why}" for name, (_, why) in told.items() if why),
        )

    async def _known(self, span: Span) -> None:
        """Raises Permanent for a service or team that is not there: its incidents would be listed as none at all."""
        for kind, path, identities in (("service", "/services", span.services), ("team", "/teams", span.teams)):
            for identity in identities:
                if pagerduty_id(identity) is None:
                    raise Permanent(
                        f"{identity[:60]!r} is not the id of a PagerDuty {kind} (5 to 20 upper-case letters and digits)"
                    )
                try:
                    await self._gateway.get(f"{path}/{identity}")
                except NotFound as error:
                    raise Permanent(
                        f"PagerDuty knows no {kind} {identity}: it was deleted, or this key may not see it. "
                        f"Leave it out to replay the incidents of every {kind}"
                    ) from error
                except NotAvailable:
                    continue  # a key without the right to look at them may still list incidents by them

    async def _listed(self, since: datetime, until: datetime, filters: dict[str, str | list[str]]) -> AsyncIterator[JsonObject]:
        """The incidents of one window, oldest first; of the second at which a list was begun again, some twice."""
        offset = 0
        while True:
            query = {**filters, "since": _stamp(since), "until": _stamp(until, up=True), "offset": str(offset)}
            try:
                answer = await self._gateway.get("/incidents", query)
            except NotAvailable as error:
                raise Permanent(
                    f"{error}. To replay PagerDuty's history the key of PAGERDUTY_API_TOKEN must be allowed to read incidents "
                    "(a read-only key is enough)"
                ) from error
            page = answer.get("incidents")
            if not isinstance(page, list):
                raise Permanent("PagerDuty: GET /incidents: the answer has no list 'incidents' (a proxy or a sign-in page?)")
            for shape in page:
                yield fields(shape)
            if answer.get("more") is not True:
                return
            offset += len(page)
            if page and offset + PAGE <= LAST_ITEM:
                continue
            newest = moment(fields(page[-1]).get("created_at")) if page else None
            if newest is None or newest.replace(microsecond=0) <= since:
                raise Permanent(
                    f"PagerDuty lists no more than {LAST_ITEM} incidents at once, and more than that began at {_stamp(since)}; "
                    "narrow the replay with --service or --team"
                )
            since, offset = newest.replace(microsecond=0), 0

    async def _read(self, path: str, name: str, params: dict[str, str | list[str]]) -> Listed:
        """Every item of a list; none, and why, where it may not or cannot be read."""
        try:
            return _distinct(await self._gateway.pages(path, name, params)), ""
        except ConfigurationError:
            raise
        except Permanent as error:
            return (), str(error)

    async def _notes(self, path: str) -> Listed:
        """Notes come whole, without pages."""
        try:
            return _distinct(items((await self._gateway.get(path)).get("notes"))), ""
        except ConfigurationError:
            raise
        except Permanent as error:
            return (), str(error)


def _windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The span in pieces that one question may have, oldest first; each ends where the next begins."""
    while since < until:
        end = min(since + WINDOW, until)
        yield since, end
        since = end


def _distinct(found: list[object]) -> tuple[JsonObject, ...]:
    """Objects, each once: a list that grows while its pages are read shows some twice."""
    shapes = [fields(raw) for raw in found if isinstance(raw, dict)]
    return tuple({text(s.get("id"), 100) or f"#{n}": s for n, s in enumerate(shapes)}.values())


def _oldest_first(found: tuple[JsonObject, ...]) -> tuple[JsonObject, ...]:
    """By their own time; the API lists log entries from the newest, and those of one second in no order that it promises."""
    never = datetime.max.replace(tzinfo=UTC)
    return tuple(s for _, s in sorted(enumerate(reversed(found)), key=lambda p: (moment(p[1].get("created_at")) or never, p[0])))


def _stamp(at: datetime, *, up: bool = False) -> str:
    """Whole seconds in UTC with Z: PagerDuty reads anything else in the account's own zone. `up`: the next one if it is none."""
    whole = datetime.fromtimestamp(math.ceil(at.timestamp()) if up else math.floor(at.timestamp()), UTC)
    return whole.strftime("%Y-%m-%dT%H:%M:%SZ")
