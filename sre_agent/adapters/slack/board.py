"""handback.board.QuestionBoard over one Slack channel: posted once, updated in place from then on."""

from dataclasses import dataclass
from typing import Final

from sre_agent.adapters.slack.blocks import question_message
from sre_agent.adapters.slack.client import SlackApi
from sre_agent.adapters.slack.digest import digest_message
from sre_agent.adapters.slack.failure import SlackSaidNo
from sre_agent.adapters.slack.mrkdwn import Json
from sre_agent.handback.board import DigestView, Place, Question
from sre_agent.incident.errors import OutcomeUnknown, Transient

GONE: Final = frozenset({"message_not_found", "cant_update_message"})
"""Slack's words for a message that somebody deleted, or that is not ours to change."""
LOOK_AGAIN_S: Final = 5.0


@dataclass(frozen=True)
class _Key:
    """The metadata by which a message is found again."""

    event_type: str
    name: str
    value: str

    @property
    def metadata(self) -> Json:
        return {"event_type": self.event_type, "event_payload": {self.name: self.value}}


class SlackBoard:
    """Raises what the client raises. `channel` is an id: Slack takes names for posting, and not for updating."""

    def __init__(self, api: SlackApi, channel: str) -> None:
        self._api, self._channel = api, channel

    async def show(self, question: Question, place: Place | None, *, tried: bool = False) -> Place | None:
        """See the protocol."""
        key = _Key("sre_agent_ask", "ask", question.request.id)
        return await self._stand(question_message(question), key, place, (tried, question.open))

    async def show_digest(self, digest: DigestView, place: Place | None, *, tried: bool = False) -> Place | None:
        """See the protocol."""
        key = _Key("sre_agent_digest", "digest", digest.id)
        return await self._stand(digest_message(digest), key, place, (tried, bool(digest.waiting)))

    async def _stand(self, message: tuple[str, list[Json]], key: _Key, place: Place | None, may: tuple[bool, bool]) -> Place | None:
        """Update in place; where that is not possible, look for it if it was `tried`, and post if it is `wanted`."""
        tried, wanted = may
        if place is not None and await self._updated(place, message):
            return place
        if place is not None or tried:
            # Gone, or perhaps posted before: another of the same may stand there all the same.
            found = await self._find(key)
            if found is not None and found != place and await self._updated(found, message):
                return found
        return await self._post(message, key) if wanted else None

    async def _updated(self, place: Place, message: tuple[str, list[Json]]) -> bool:
        """False: the message is gone. An update may be repeated, so an unknown outcome is simply tried again."""
        try:
            await self._api.update(place.channel, place.message, *message)
        except SlackSaidNo as no:
            if no.code in GONE:
                return False
            raise
        return True

    async def _post(self, message: tuple[str, list[Json]], key: _Key) -> Place:
        try:
            ts = await self._api.post(self._channel, *message, key.metadata)
        except OutcomeUnknown as error:
            # INVARIANT: a message that may stand in the channel is looked for, never posted again on a guess.
            found = await self._find(key)
            if found is None:
                raise Transient(f"{error}; the message was looked for and is not there", LOOK_AGAIN_S) from error
            return found
        return Place(channel=self._channel, message=ts)

    async def _find(self, key: _Key) -> Place | None:
        ts = await self._api.find(self._channel, key.event_type, key.name, key.value)
        return None if ts is None else Place(channel=self._channel, message=ts)
