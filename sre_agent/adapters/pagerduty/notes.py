"""One living note per incident: found again by its marker, updated in place, never doubled.

    note id known   PUT; gone (a person deleted it): go on as if unknown
    unknown         list and look for the marker; found: PUT, or nothing when it says the same; else POST
    no answer       list and look again; there: done; not there: Transient, and the next call looks first

A write is never sent twice within one call, so a dropped connection costs a look, not a second note.
"""

from typing import Final

from sre_agent.adapters.pagerduty.failure import NotFound
from sre_agent.adapters.pagerduty.gateway import Gateway
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Transient
from sre_agent.intake.untrusted import fields, pagerduty_id, storable

RETRY_AFTER_S: Final = 5.0
MAX_CONTENT: Final = 25_000
"""Characters of a note; longer text is cut rather than refused."""


class Notes:
    """Writes notes through a gateway. Raises what the gateway raises."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def write(self, incident_id: str, marker: str, text: str, note_id: str | None) -> str:
        """Create or update the note with `marker`; returns its id."""
        if not marker.strip():
            raise Permanent("a note without a marker could not be found again; none was written")
        content = with_marker(text, marker)
        if note_id is not None:
            try:
                return await self._update(incident_id, note_id, content)
            except NotFound:
                pass
        existing = await self._find(incident_id, marker)
        if existing is None:
            return await self._create(incident_id, marker, content)
        found_id, found_content = existing
        return found_id if found_content.strip() == content else await self._update(incident_id, found_id, content)

    async def _create(self, incident_id: str, marker: str, content: str) -> str:
        """POST, and when no answer comes (or one without an id), look."""
        problem = "PagerDuty answered without a note"
        try:
            answer = await self._gateway.write("POST", f"/incidents/{incident_id}/notes", {"note": {"content": content}})
            identity = pagerduty_id(fields(answer.get("note")).get("id"))
            if identity is not None:
                return identity
        except OutcomeUnknown as error:
            problem = str(error)
        existing = await self._find(incident_id, marker)
        if existing is not None:
            return existing[0]
        raise Transient(f"{problem}; the note was looked for and is not there", RETRY_AFTER_S)

    async def _update(self, incident_id: str, note_id: str, content: str) -> str:
        """PUT, and when no answer comes, look whether it took."""
        try:
            await self._gateway.write("PUT", f"/incidents/{incident_id}/notes/{note_id}", {"note": {"content": content}})
        except OutcomeUnknown as error:
            if content not in [c.strip() for i, c in await self._listed(incident_id) if i == note_id]:
                raise Transient(f"{error}; the note was read again and is as it was", RETRY_AFTER_S) from error
        return note_id

    async def _find(self, incident_id: str, marker: str) -> tuple[str, str] | None:
        """(id, content) of the first note that begins with the marker."""
        return next((note for note in await self._listed(incident_id) if _carries(note[1], marker)), None)

    async def _listed(self, incident_id: str) -> list[tuple[str, str]]:
        """(id, content) of every note."""
        listed = await self._gateway.get(f"/incidents/{incident_id}/notes")
        notes = listed.get("notes")
        if not isinstance(notes, list):
            raise Permanent(f"PagerDuty: GET /incidents/{incident_id}/notes: the answer has no list of notes")
        read = [(pagerduty_id(note.get("id")), note.get("content")) for note in map(fields, notes)]
        return [(identity, content) for identity, content in read if identity is not None and isinstance(content, str)]


def with_marker(text: str, marker: str) -> str:
    """The text, storable and short enough, with the marker as its first line."""
    body = storable(text).strip()
    content = body if _carries(body, marker) else f"{marker.strip()}\n{body}".strip()
    return content if len(content) <= MAX_CONTENT else content[: MAX_CONTENT - 20].rstrip() + "\n[note shortened]"


def _carries(content: str, marker: str) -> bool:
    """Whether the note's first line is the marker: telemetry quoted further down cannot pass for it."""
    return content.strip().split("\n", 1)[0].strip() == marker.strip()
