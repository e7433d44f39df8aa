"""AlertDesk over Opsgenie or JSM. Writes are asynchronous there: 202 with the id of a request, which is then asked about.

note        look for the marker; there: done. Else POST and ask about the request
reassign    read the alert; the team is there: done. Else POST and ask about the request
no answer   look again, a few times; there: done. Else OutcomeUnknown, and the next call looks first
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from sre_agent.adapters.opsgenie.connection import Connection, NotThere, basic, genie_key
from sre_agent.adapters.opsgenie.dialect import Dialect, is_team_id, jsm, opsgenie
from sre_agent.handback.alert_desk import ToldAlert
from sre_agent.incident.errors import OutcomeUnknown, Permanent
from sre_agent.intake.opsgenie import OWN_USER
from sre_agent.intake.opsgenie import alert_id as safe_id
from sre_agent.intake.opsgenie_alert import alerts_from_desk
from sre_agent.intake.untrusted import fields, items, moment, storable, text

LONGEST_NOTE: Final = 25_000
"""Characters of a note; longer text is cut rather than refused."""

_LOOKS: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds before each look at something that was asked for and is not there yet."""
_PAGES: Final = 5


Pause = Callable[[float], Awaitable[None]]
"""Sleeps (seconds)."""


class Desk:
    """One account's alerts. `teams` maps receivers of routing.yaml to the teams there."""

    def __init__(self, connection: Connection, teams: Mapping[str, str] | None = None, pause: Pause = asyncio.sleep) -> None:
        self._api = connection
        self._teams = dict(teams or {})
        self._pause = pause

    @property
    def dialect(self) -> Dialect:
        """Which of the two it speaks."""
        return self._api.dialect

    async def aclose(self) -> None:
        """Close its connections."""
        await self._api.aclose()

    async def alert(self, alert_id: str) -> ToldAlert:
        """See AlertDesk."""
        dialect = self._api.dialect
        answer = await self._api.read(f"/{_path_id(alert_id)}")
        raw = fields(answer.get(dialect.one)) if dialect.one else answer
        if raw.get("id") != alert_id:
            raise Permanent(f"{dialect.name}: GET {dialect.alerts}/{alert_id}: the answer is about something else")
        teams = [text(fields(r).get("id"), 100) for r in items(raw.get("responders")) if fields(r).get("type") == "team"]
        teams += [text(fields(t).get("id"), 100) for t in items(raw.get("teams"))]
        return ToldAlert(
            id=alert_id,
            alerts=alerts_from_desk(raw, dialect.labels_in),
            title=text(raw.get("message"), 200),
            link=dialect.link.format(id=alert_id),
            is_open=raw.get("status") != "closed",
            acknowledged=raw.get("acknowledged") is True,
            owner=text(raw.get("owner"), 320),
            teams=tuple(dict.fromkeys(filter(None, teams))),
            alias=text(raw.get("alias"), 512),
            priority=text(raw.get("priority"), 10),
            created_at=moment(raw.get("createdAt")),
        )

    async def look(self) -> str:
        """Read one alert of the list, as a check; what is to be said of it."""
        answer = await self._api.read("", {"limit": "1", "size": "1"})
        return "there are some" if items(answer.get(self._api.dialect.many)) else "there are none"

    async def note(self, alert_id: str, marker: str, text: str) -> bool:
        """See AlertDesk."""
        if not marker.strip():
            raise Permanent("a note without a marker could not be found again; none was written")
        path, content = f"/{_path_id(alert_id)}/notes", _with_marker(text, marker)
        if await self._noted(path, marker):
            return False
        body = {"note": content, "user": OWN_USER, "source": OWN_USER}
        await self._done(path, body, lambda: self._noted(path, marker))
        return True

    async def reassign(self, alert_id: str, team: str) -> bool:
        """See AlertDesk."""
        there = self._teams.get(team, team)
        if team not in self._teams and not is_team_id(team):
            return False  # nobody said which team that receiver is there
        body = self._api.dialect.team(there, OWN_USER)
        if await self._answers(alert_id, there):
            return False
        await self._done(f"/{_path_id(alert_id)}/responders", body, lambda: self._answers(alert_id, there))
        return True

    async def _done(self, path: str, body: Mapping[str, object], there: Callable[[], Awaitable[bool]]) -> None:
        """Send one write and see it done. Raises OutcomeUnknown when that cannot be seen, Permanent when it was refused."""
        try:
            request = text((await self._api.write(path, body)).get("requestId"), 100).strip()
        except OutcomeUnknown:
            for wait in _LOOKS:
                await self._pause(wait)
                if await there():
                    return
            raise
        for wait in _LOOKS:
            await self._pause(wait)
            if await (self._processed(request, path) if safe_id(request) else there()):
                return
        raise OutcomeUnknown(f"{self._api.dialect.name}: POST {path}: accepted, and not seen done; look before sending it again")

    async def _processed(self, request: str, path: str) -> bool:
        """Whether a request was carried out. Raises Permanent when it was refused."""
        dialect = self._api.dialect
        try:
            answer = await self._api.read(f"/requests/{request}")
        except NotThere:
            return False
        status = fields(answer.get(dialect.one)) if dialect.one else answer
        if status.get("isSuccess") is True or status.get("success") is True:
            return True
        if status.get("isSuccess") is False or status.get("success") is False:
            raise Permanent(f"{dialect.name}: POST {path}: accepted and then refused: {text(status.get('status'), 200)}")
        return False

    async def _noted(self, path: str, marker: str) -> bool:
        """Whether a note begins with the marker, among the newest few hundred."""
        params: dict[str, str] | None = {"limit": "100", "order": "desc"}
        for _ in range(_PAGES):
            answer = await self._api.read(path, params)
            notes = [fields(n).get("note") for n in items(answer.get(self._api.dialect.many))]
            if any(isinstance(n, str) and _carries(n, marker) for n in notes):
                return True
            params = _next(answer)
            if params is None or not notes:
                break
        return False

    async def _answers(self, alert_id: str, team: str) -> bool:
        return team in (await self.alert(alert_id)).teams


def opsgenie_desk(api_url: str, key: str, teams: Mapping[str, str]) -> Desk:
    """Opsgenie's. Raises ConfigurationError for what cannot work."""
    return Desk(Connection(api_url, genie_key(key), opsgenie(api_url)), teams)


def jsm_desk(api_url: str, cloud_id: str, credentials: tuple[str, str], teams: Mapping[str, str]) -> Desk:
    """JSM's. `credentials`: e-mail and API token. Raises ConfigurationError for what cannot work."""
    dialect = jsm(cloud_id)
    for team in teams.values():
        dialect.team(team, OWN_USER)
    return Desk(Connection(api_url, basic(*credentials), dialect), teams)


def _path_id(alert_id: str) -> str:
    """The id, when it may stand in a path. Raises Permanent."""
    if safe_id(alert_id) is None:
        raise Permanent(f"{alert_id[:60]!r} is not the id of an alert")
    return alert_id


def _next(answer: dict[str, object]) -> dict[str, str] | None:
    """The parameters of the next page. SAFETY: of its address only these are taken; a request goes nowhere else."""
    link = text(fields(answer.get("paging")).get("next") or fields(answer.get("links")).get("next"), 4096)
    return dict(parse_qsl(urlsplit(link).query)) or None


def _with_marker(body: str, marker: str) -> str:
    """The text, storable and short enough, with the marker as its first line."""
    content = storable(body).strip()
    content = content if _carries(content, marker) else f"{marker.strip()}\n{content}".strip()
    return content if len(content) <= LONGEST_NOTE else content[: LONGEST_NOTE - 20].rstrip() + "\n[note shortened]"


def _carries(content: str, marker: str) -> bool:
    """Whether the first line is the marker: telemetry quoted further down cannot pass for it."""
    return content.strip().split("\n", 1)[0].strip() == marker.strip()
