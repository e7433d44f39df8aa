"""The fact `mode`: auto only where it is listed, earned and readable."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.audit.record import AuditEntry
from sre_agent.facts.modes import EarnedModes
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.policy.autonomy import AGREEMENTS, LASTS
from sre_agent.policy.facts import Mode
from sre_agent.policy.modes import ModeEntry, Modes
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.memory_track_record import MemoryTrackRecord

NOW = datetime(2026, 11, 23, 3, 11, tzinfo=UTC)
PAIR = ("restart_pod", "voice")
LISTED = Modes(modes=(ModeEntry(action="restart_pod", service="voice", mode=Mode.AUTO),))


async def record(agreements: int, ago: timedelta = timedelta(days=1)) -> MemoryTrackRecord:
    store = MemoryStore()
    request = {"proposal": {"action": "restart_pod"}, "declaration": {"service": "voice"}}
    for n in range(agreements):
        for kind, detail in (("action_permitted", {"request": request, "approvals": 1}), ("recovery_verified", {})):
            await store.append_audit(AuditEntry(at=NOW - ago, incident_id=f"P{n}", kind=kind, detail=detail))
    return MemoryTrackRecord(store)


class Away:
    """A history that cannot be read."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    async def history(self, action: str, service: str) -> tuple[AuditEntry, ...]:
        raise self.failure


@pytest.mark.parametrize(
    ("agreements", "ago", "mode"),
    [
        (AGREEMENTS, timedelta(days=1), Mode.AUTO),
        (AGREEMENTS - 1, timedelta(days=1), Mode.APPROVE),
        (AGREEMENTS, LASTS, Mode.AUTO),
        (AGREEMENTS, LASTS + timedelta(seconds=1), Mode.APPROVE),
    ],
)
async def test_auto_is_what_was_earned_lately(agreements: int, ago: timedelta, mode: Mode) -> None:
    assert await EarnedModes(Mode.AUTO, LISTED, await record(agreements, ago)).mode(*PAIR, NOW) is mode


@pytest.mark.parametrize("overall", [Mode.OFF, Mode.OBSERVE, Mode.APPROVE])
async def test_what_was_earned_does_not_exceed_the_agents_own_mode(overall: Mode) -> None:
    assert await EarnedModes(overall, LISTED, await record(AGREEMENTS)).mode(*PAIR, NOW) is overall


async def test_what_is_not_listed_is_not_auto_whatever_it_earned() -> None:
    assert await EarnedModes(Mode.AUTO, Modes(), await record(AGREEMENTS)).mode(*PAIR, NOW) is Mode.APPROVE
    assert await EarnedModes(Mode.AUTO, LISTED, await record(AGREEMENTS)).mode("restart_pod", "", NOW) is Mode.APPROVE


@pytest.mark.parametrize("failure", [Transient("away"), Permanent("record 7 was changed"), OSError("disk")])
async def test_what_cannot_be_read_has_not_been_earned(failure: Exception) -> None:
    modes = EarnedModes(Mode.AUTO, LISTED, Away(failure))
    assert await modes.mode(*PAIR, NOW) is Mode.APPROVE
    assert str(failure) in (await modes.standing(*PAIR, NOW)).why
