"""Checkpoints in a real PostgreSQL, with the graph itself."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.checkpoints import Checkpoints, migrate_checkpoints
from sre_agent.evidence.budget import Spend
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.chat import ChatReply
from sre_agent.investigation.graph import build_investigator, thread_id
from sre_agent.investigation.model_reasoner import ModelReasoner
from sre_agent.investigation.reasoner import Dialogue, Opinion, Turn
from sre_agent.testing.reasoning import ScriptedChat
from sre_agent.triage.triage import Triage

SAID = ChatReply(
    text='{"statements": [], "alert_class": "unknown", "confidence_percent": 10, "veto": null, "runbook": null}',
    finish="stop",
    input_tokens=10,
    output_tokens=5,
)
NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
pytestmark = pytest.mark.slow


class Killed(BaseException):
    """The process dies here."""


class CountingReasoner:
    """Takes two turns; dies in the turn numbered `dies_in` if told to."""

    name = "counting"

    def __init__(self, dies_in=0):
        self.turns = []
        self._dies_in = dies_in

    def prepare(self, brief, dialogue, answers, looked_s):
        return Turn(dialogue=dialogue)

    async def ask(self, dialogue):
        number = dialogue.spent.calls + 1
        self.turns.append(number)
        if number == self._dies_in:
            raise Killed
        return Turn(dialogue=Dialogue(spent=Spend(calls=number)), opinion=Opinion() if number == 2 else None)


def die(request):
    raise Killed


class Dying(ModelReasoner):
    """Dies right before or right after its first call."""

    def __init__(self, chat, when):
        super().__init__(chat, [], lambda: 0.0)
        self._when = when

    async def ask(self, dialogue):
        if self._when == "before":
            raise Killed
        await super().ask(dialogue)
        raise Killed


def scope():
    window = Window.before(NOW, timedelta(hours=1))
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=NOW,
        service=Reference(id="P"),
        alerts=(Alert(labels={"alert_type": "infra"}),),
    )
    return Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)


def triage():
    return Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd-platform")


async def investigate(saver, reasoner, thread="Q1/1"):
    built = build_investigator([], [], reasoner, [], source_deadline_s=1.0, checkpointer=saver)
    return await built.investigate(scope(), triage(), thread)


async def test_a_crash_in_the_second_turn_costs_no_second_first_turn_and_pruning_forgets(empty_database_url):
    await migrate_checkpoints(empty_database_url)
    await migrate_checkpoints(empty_database_url)  # again: harmless
    before = Checkpoints(empty_database_url)
    with pytest.raises(Killed):
        await investigate(await before.open(), CountingReasoner(dies_in=2))
    await before.close()

    after = Checkpoints(empty_database_url)
    saver, second = await after.open(), CountingReasoner()
    done = await investigate(saver, second)
    assert second.turns == [2]
    assert done.reason == "not-enough-data"

    nobody = CountingReasoner(dies_in=1)
    assert await investigate(saver, nobody) == done
    assert nobody.turns == []

    await after.prune("Q1/1")
    assert await saver.aget_tuple({"configurable": {"thread_id": thread_id("Q1/1")}}) is None
    fresh = CountingReasoner()
    await investigate(saver, fresh)
    assert fresh.turns == [1, 2]
    await after.close()


async def test_a_call_that_a_crash_swallowed_is_charged_by_whoever_continues(empty_database_url):
    await migrate_checkpoints(empty_database_url)
    for when in ("before", "during", "after"):
        before = Checkpoints(empty_database_url)
        chat = ScriptedChat([die if when == "during" else SAID])
        with pytest.raises(Killed):
            await investigate(await before.open(), Dying(chat, when), f"{when}/1")
        await before.close()

        after = Checkpoints(empty_database_url)
        saver, again = await after.open(), ScriptedChat([SAID])
        built = build_investigator([], [], ModelReasoner(again, [], lambda: 0.0), [], source_deadline_s=1.0, checkpointer=saver)
        owed = await built.spent(f"{when}/1")
        assert (owed.calls, owed.lost) == (1, 1), when
        usage = (await investigate(saver, ModelReasoner(again, [], lambda: 0.0), f"{when}/1")).diagnosis.usage
        assert (len(again.requests), usage.calls, usage.answered, usage.lost) == (1, 2, 1, 1), when
        nobody = ScriptedChat([die])
        await investigate(saver, ModelReasoner(nobody, [], lambda: 0.0), f"{when}/1")
        assert nobody.requests == [], when
        await after.close()
