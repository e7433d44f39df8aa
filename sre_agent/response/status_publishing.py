"""Publishes what a person says shall be published, once.

INVARIANT: this is the only way to a status page, and it takes a person of teams.yaml, proved by their own token, for each draft.
A draft is claimed by compare-and-set before anything is sent. Where no answer came nothing is sent again: its page is looked at.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sre_agent.approval.teams import Teams
from sre_agent.handback.status_page import DraftState, KeptDraft, StatusDrafts, StatusPages, StatusPhase, ended, open_at
from sre_agent.incident.errors import ConfigurationError, Conflict, OutcomeUnknown, Permanent, Refused, SreAgentError
from sre_agent.response import lifecycle
from sre_agent.response.record import IncidentRecord, JobKind, Step
from sre_agent.response.status_updates import is_over
from sre_agent.response.walk import Walk

STALE_AFTER: Final = timedelta(minutes=2)
"""After that nobody is publishing any more who said so: their process died, and the outcome is unknown."""

_KINDS: Final = {
    DraftState.PUBLISHED: "status_published",
    DraftState.DISCARDED: "status_discarded",
    DraftState.UNKNOWN: "status_unknown",
}


@dataclass(frozen=True)
class StatusPublisher:
    """What people do with drafts. `pages` None: no Statuspage is configured, so drafts can only be read and discarded.

    Raises Refused (not proved), Conflict (somebody was first, or it fits no more), Permanent (no such draft), ConfigurationError,
    Transient (not published, try again), and OutcomeUnknown.
    """

    walk: Walk
    drafts: StatusDrafts
    teams: Teams
    pages: StatusPages | None = None

    async def get(self, draft_id: str) -> KeptDraft:
        """One draft. Permanent when there is none."""
        kept = await self.drafts.get(draft_id)
        if kept is None:
            raise Permanent(f"there is no draft {draft_id}; `sre-agent status-page list` shows those that wait")
        return kept

    async def publish(self, draft_id: str, person: str, token: str) -> KeptDraft:
        """Publish a draft that waits; of one whose outcome is unknown, look whether its page shows it, and send nothing."""
        self._proved(person, token)
        kept = await self.get(draft_id)
        if self.pages is None:
            raise ConfigurationError("no status page is configured: set STATUSPAGE_API_KEY and STATUSPAGE_PAGES")
        if kept.state is DraftState.PENDING:
            return await self._send(kept, person, self.pages)
        if self._in_doubt(kept):
            return await self._settle(kept, person, self.pages)
        raise self._too_late(kept)

    async def discard(self, draft_id: str, person: str, token: str, why: str = "") -> KeptDraft:
        """A draft that nobody shall publish, or one in doubt that a person has settled at the page."""
        self._proved(person, token)
        kept = await self.get(draft_id)
        if kept.state is not DraftState.PENDING and not self._in_doubt(kept):
            raise self._too_late(kept)
        return await self._move(kept, DraftState.DISCARDED, person, why or "discarded")

    async def _send(self, kept: KeptDraft, person: str, pages: StatusPages) -> KeptDraft:
        there = await self._there(kept)
        claimed = await self._move(kept, DraftState.PUBLISHING, person, "")
        try:
            identity = await pages.publish(kept.draft, there)
        except OutcomeUnknown as unknown:
            await self._move(claimed, DraftState.UNKNOWN, person, str(unknown))
            raise
        except SreAgentError as failed:  # certainly not published: it waits again
            await self._move(claimed, DraftState.PENDING, person, str(failed))
            raise
        return await self._move(claimed, DraftState.PUBLISHED, person, "", identity)

    async def _settle(self, kept: KeptDraft, person: str, pages: StatusPages) -> KeptDraft:
        found = await pages.look(kept.draft, await self._there(kept))
        if found is not None:
            return await self._move(kept, DraftState.PUBLISHED, person, "found at its page", found)
        raise Conflict(
            f"nobody knows whether {kept.draft.id} was published, and its page does not show it: it is never sent again. "
            "Look at the page, write there what is missing, and discard it here."
        )

    async def _there(self, kept: KeptDraft) -> str:
        """The incident at the page that the draft is about; "" for one that opens it."""
        first = open_at(await self.drafts.of_incident(kept.draft.incident_id)).get(kept.draft.audience)
        if kept.draft.phase is StatusPhase.RESOLVED:
            if first is None:
                raise Conflict(f"{kept.draft.id}: its page tells of no open incident, so there is none to end")
            return first.page_incident
        if first is not None:
            raise Conflict(f"{kept.draft.id}: its page tells of the incident already ({first.draft.id})")
        return ""

    def _in_doubt(self, kept: KeptDraft) -> bool:
        dead = kept.state is DraftState.PUBLISHING and self.walk.clock.now() - kept.changed_at > STALE_AFTER
        return dead or kept.state is DraftState.UNKNOWN

    def _too_late(self, kept: KeptDraft) -> Conflict:
        doing = "is being published" if kept.state is DraftState.PUBLISHING else f"was {kept.state.value}"
        return Conflict(f"{kept.draft.id} {doing} by {self.teams.name_of(kept.by)} at {kept.changed_at:%Y-%m-%d %H:%M:%S} UTC")

    def _proved(self, person: str, token: str) -> None:
        # SAFETY: what customers read is said by a person who answers for it.
        if not self.teams.proves(person, token):
            raise Refused("status-unproved", f"the token does not belong to {person!r} (teams.yaml, cli_token_sha256)")

    async def _move(self, before: KeptDraft, state: DraftState, person: str, why: str, page_incident: str = "") -> KeptDraft:
        now = self.walk.clock.now()
        changes = {"state": state, "by": person, "why": why, "page_incident": page_incident, "changed_at": now}
        after = before.model_copy(update=changes)
        await self.drafts.move(before, after)
        if state in _KINDS:
            record = await self.walk.advance(after.draft.incident_id, lambda r: _told(r, after))
            if state is DraftState.PUBLISHED and after.draft.phase is StatusPhase.INVESTIGATING and is_over(record, ()):
                await self.drafts.keep([ended(after.draft, record.round)], now)  # it ended while this was published
        return after


def _told(record: IncidentRecord, kept: KeptDraft) -> Step:
    """On the timeline for people, and in the audit with what was said to customers."""
    said = f"{kept.draft.id}{f': {kept.why}' if kept.why else ''}"
    return lifecycle.Narration(record, kept.changed_at).step(
        record.state,
        _KINDS[kept.state],
        f"status page update {kept.state.value}, {said}",
        actor=kept.by,
        detail={"draft": kept.draft.model_dump(mode="json"), "page_incident": kept.page_incident},
        jobs=(lifecycle.job(JobKind.PUBLISH, record.id),),
    )
