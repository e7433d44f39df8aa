"""Which mode holds for an (action, service) now: implements policy.facts.ModeSource."""

from datetime import datetime

from sre_agent.incident.errors import SreAgentError
from sre_agent.policy.autonomy import Standing, TrackRecord, standing, unreadable
from sre_agent.policy.facts import Mode
from sre_agent.policy.modes import Modes


class EarnedModes:
    """The strictest of the agent's own mode and modes.yaml; and of that, auto only while it is earned."""

    def __init__(self, overall: Mode, declared: Modes, record: TrackRecord) -> None:
        self.overall = overall
        self._declared = declared
        self._record = record

    async def mode(self, action: str, service: str, now: datetime) -> Mode:
        """The mode in force. Never raises: what cannot be read has not been earned."""
        allowed = self._declared.allowed(self.overall, action, service)
        if allowed is not Mode.AUTO:
            return allowed
        return Mode.AUTO if (await self.standing(action, service, now)).earned else Mode.APPROVE

    async def standing(self, action: str, service: str, now: datetime) -> Standing:
        """What the pair has earned, whether or not it may use it."""
        try:
            return standing(await self._record.history(action, service), action, service, now)
        except (SreAgentError, OSError) as error:
            return unreadable(str(error))


class FixedMode:
    """One mode for everything: replays judge as if all autonomy had been earned."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode

    async def mode(self, action: str, service: str, now: datetime) -> Mode:  # noqa: ARG002
        """Always the same."""
        return self._mode
