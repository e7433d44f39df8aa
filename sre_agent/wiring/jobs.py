"""Which job goes to which desk, and what becomes of an incident whose job failed for good."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sre_agent.adapters.jobs import Handler
from sre_agent.adapters.postgres.queue import INBOX
from sre_agent.asking.announce import Announcer
from sre_agent.replay.recording.recorder import Recorder
from sre_agent.response.follow_up import FollowUp
from sre_agent.response.operate import Operator
from sre_agent.response.paging import Paging
from sre_agent.response.record import JobKind
from sre_agent.response.responder import Responder
from sre_agent.response.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Desks:
    """The halves of the walk that this process has. `operator` None: no hands here."""

    store: Store
    responder: Responder
    follow_up: FollowUp
    operator: Operator | None
    announcer: Announcer
    recorder: Recorder
    paging: Paging

    def handlers(self) -> Mapping[str, Handler]:
        """Job name to what runs it."""
        handlers: dict[str, Handler] = {
            INBOX: self._take,
            JobKind.INVESTIGATE.value: self.responder.investigate,
            JobKind.EXPIRE_APPROVAL.value: self.responder.expire,
            JobKind.VERIFY.value: self.follow_up.verify,
            JobKind.ANNOUNCE.value: self.announcer.announce,
            JobKind.PUBLISH.value: self.follow_up.publish,
            JobKind.HAND_BACK.value: self.follow_up.hand_back,
            JobKind.MARK.value: self.follow_up.mark,
            JobKind.RECORD.value: self.recorder.record,
            JobKind.PAGE.value: self.paging.page,
        }
        if self.operator is not None:
            handlers[JobKind.EXECUTE.value] = self.operator.execute
        return handlers

    async def _take(self, row: int) -> None:
        await self.responder.take(await self.store.inbox(row))

    async def given_up(self, name: str, arguments: Mapping[str, Any], error: Exception) -> None:
        """A job will not be tried again: close what was begun, and hand the incident to a person with the reason."""
        reason = f"{name} failed for good: {type(error).__name__}: {error}"
        log.error("job_given_up", extra={"job": name, "arguments": dict(arguments), "reason": reason})
        incident_id = arguments.get("incident_id")
        if name == INBOX:
            incident_id = (await self.store.inbox(int(arguments["row"]))).incident_id
        if incident_id is None:
            return
        if self.operator is not None and name == JobKind.EXECUTE.value:
            await self.operator.abandon(incident_id, reason)
        await self.responder.give_up(incident_id, reason, None if name == INBOX else JobKind(name))
