"""The guard's facts about a BullMQ queue, read live with read credentials. Anything unclear is unmet."""

from sre_agent.evidence.redis.queue_health import unmet_for_pause, unmet_for_resume
from sre_agent.evidence.redis.queue_state import identity
from sre_agent.evidence.source import QueueReader
from sre_agent.policy.facts import FactContext

_JUDGES = {"pause_queue": unmet_for_pause, "resume_queue": unmet_for_resume}


class QueueFacts:
    """FactCollector for targets of kind Queue; {} for any other kind. Raises Transient or Permanent as the reader does."""

    name = "queue"

    def __init__(self, reader: QueueReader) -> None:
        self._reader = reader

    async def collect(self, context: FactContext) -> dict[str, object]:
        """target_resolved, unmet, touches_behaviour (never: the same workers take the same jobs, later)."""
        target = context.proposal.target
        if target.kind != "Queue":
            return {}
        state = await self._reader.read(target.name)
        judge = _JUDGES.get(context.proposal.action)
        return {
            "target_resolved": bool(target.uid) and identity(state) == target.uid,
            "unmet": judge(state, target.uid or "") if judge else ("action-unknown",),
            "touches_behaviour": judge is None,
        }
