"""The fault matrix: real processes killed, stopped, raced and drained around a real failover; the same promises after each.

Every scenario plays one incident from its signed webhook to its end on a database of its own; see `agent_under_test` for
the named points, `plots` for what happens there and `verdict` for what must hold afterwards.
"""

import asyncio
import signal
import time
from dataclasses import dataclass

import pytest

from sre_agent.execution.ledger import IntentState
from sre_agent.policy.decision import Verdict
from sre_agent.response.record import IncidentRecord, State
from sre_agent.testing.prometheus import Fault
from tests.faults import plots
from tests.faults.fuse import Fuse
from tests.faults.theatre import Theatre
from tests.faults.verdict import Seen, before, seen

pytestmark = pytest.mark.faults

GUARD_S = 120.0
ATTEMPTS = 3
DONE, NOT_DONE, FAILED = IntentState.DONE, IntentState.NOT_DONE, IntentState.FAILED


@dataclass(frozen=True)
class Scenario:
    """`tells` is what happens, in words. `closed`: how the ledger's row may end, None for no row at all."""

    tells: str
    point: str = ""
    plot: plots.Plot = plots.replaced
    deed: signal.Signals = signal.SIGKILL
    agents: int = 1
    procedure: str = "fenced"
    closed: frozenset[IntentState | None] = frozenset({DONE})
    ends: frozenset[State] = frozenset({State.RECOVERED})
    own_server: bool = False


def killed(tells: str, point: str, **more) -> Scenario:
    return Scenario(f"killed {tells}", point, **more)


def stopped(tells: str, point: str, plot: plots.Plot, **more) -> Scenario:
    return Scenario(tells, point, plot, signal.SIGSTOP, **more)


HANDED = frozenset({State.HANDED_BACK})
NOTHING = {"closed": frozenset({NOT_DONE}), "ends": HANDED}
NO_ROW = {"closed": frozenset({None}), "ends": HANDED}
# A pause that outlives down-after-milliseconds makes Sentinel act by itself; then the fence is closed behind its failover.
EITHER = {"closed": frozenset({NOT_DONE, FAILED}), "ends": HANDED}
# The request was written; whether it was sent nobody can know, so whatever moved is taken for ours.
PERHAPS = {"closed": frozenset({NOT_DONE, DONE}), "ends": HANDED | {State.RECOVERED}}
COORDINATED = {"procedure": "auto"}
OTHERS_END = plots.slept_until(*(s for s in State if s.final))
RESTART = plots.database_restarted
OWN = {"own_server": True}
BESIDE = {"plot": plots.survived, "agents": 2}

SCENARIOS = (
    Scenario("nothing happens", plot=plots.nothing),
    Scenario("nothing happens to the coordinated way", plot=plots.nothing, **COORDINATED),
    # around the action
    Scenario("killed while a source is asked", plot=plots.killed_while_gathering),
    killed("when investigated and nothing is stored", "state:awaiting_approval:before"),
    killed("while waiting for approval", "state:awaiting_approval:after"),
    killed("when the note is written and its id is not", "note:before", **BESIDE),
    killed("in the verification", "sample:after"),
    killed("in the verification beside another", "sample:after", **BESIDE),
    killed("when recovered and nothing is stored", "state:recovered:before", **BESIDE),
    # in the action
    killed("before anything is decided", "look:before", **BESIDE),
    killed("before the intent", "intent:before"),
    killed("after the intent", "intent:after", **NOTHING),
    killed("with the pause written and not sent", "step:pause:after", **NOTHING),
    killed("with the pause sent", "step:drain:before", **EITHER),
    killed("while draining", "step:drain:after", **BESIDE, **EITHER),
    killed("with the failover written and not sent", "step:failover:after", **BESIDE, **PERHAPS),
    killed("with the failover sent", "step:agree:before"),
    killed("with the failover sent beside another", "step:agree:before", **BESIDE),
    killed("while the sentinels agree", "step:agree:after", **BESIDE),
    killed("before the old primary is demoted", "step:demote:after", **BESIDE),
    killed("with the old primary demoted", "step:unpause:before"),
    killed("before writes flow again", "step:unpause:after", **BESIDE),
    killed("when writes flow again", "step:verify:before"),
    killed("while looking at the result", "step:verify:after", **BESIDE),
    killed("after the effect", "close:before"),
    killed("after the close", "close:after", **BESIDE),
    killed("with a coordinated failover written and not sent", "step:coordinated:after", **COORDINATED, **NOTHING),
    killed("with a coordinated failover sent", "step:agree:before", **COORDINATED, **BESIDE),
    killed("after a coordinated effect", "close:before", **COORDINATED),
    # asleep: stopped for longer than the lease of its jobs and locks, and then awake again
    stopped("asleep before the verdict is stored", "state:awaiting_approval:before", OTHERS_END, agents=2),
    stopped("asleep after the intent", "intent:after", OTHERS_END, agents=2, **NOTHING),
    stopped("asleep with the pause written", "step:pause:after", OTHERS_END, agents=2, **NOTHING),
    stopped("asleep with the pause sent", "step:drain:before", OTHERS_END, agents=2, **EITHER),
    stopped("asleep after the last look", "glance:failover:after", OTHERS_END, agents=2, **PERHAPS),
    stopped("asleep with the failover sent", "step:agree:before", OTHERS_END, agents=2),
    stopped("asleep before the old primary is demoted", "step:demote:after", plots.slept(11.0), agents=2),
    stopped("asleep after the effect", "close:before", OTHERS_END, agents=2),
    stopped("asleep in the verification", "sample:after", OTHERS_END, agents=2),
    stopped(
        "asleep after the last look of a coordinated failover",
        "glance:coordinated:after",
        OTHERS_END,
        agents=2,
        **COORDINATED,
        **NOTHING,
    ),
    stopped("dozing while draining until Sentinel acts itself", "step:drain:after", plots.slept(6.0), **EITHER),
    stopped(
        "dozing with the failover written and waking beside the other",
        "step:failover:after",
        plots.slept(11.0),
        agents=2,
        **PERHAPS,
    ),
    # the database restarts
    stopped("the database restarts before the verdict is stored", "state:awaiting_approval:before", RESTART, **OWN),
    stopped("the database restarts after the intent", "intent:after", RESTART, **OWN, **NOTHING),
    stopped("the database restarts while draining", "step:drain:after", RESTART, **OWN, **EITHER),
    stopped("the database restarts when the failover is sent", "step:agree:before", RESTART, **OWN),
    stopped("the database restarts under the fence", "step:agree:after", plots.database_restarted_under_way, **OWN),
    stopped("the database is away from the drain on", "step:drain:after", plots.database_away, **OWN, **NOTHING),
    stopped("the database is away from the failover on", "step:agree:before", plots.database_away, **OWN),
    stopped("the database restarts in the verification", "sample:after", RESTART, **OWN),
    # SIGTERM, the kill switch, people, and a race
    stopped("drained in the middle of the fence", "step:drain:after", plots.drained),
    stopped("drained in the middle of a coordinated failover", "step:coordinated:after", plots.drained, **COORDINATED),
    stopped("halted between approval and execution", "look:before", plots.halted, **NO_ROW),
    stopped("halted between the permit and the intent", "intent:before", plots.halted, **NO_ROW),
    stopped("halted while draining", "step:drain:after", plots.halted, **NOTHING),
    stopped("halted in the middle of the fence", "step:agree:before", plots.halted),
    Scenario(
        "resolved by a person while waiting",
        plot=plots.resolved_before_the_answer,
        **(NO_ROW | {"ends": frozenset({State.CANCELLED})}),
    ),
    stopped("resolved by a person right before the last look", "look:before", plots.resolved_at_the_fuse, **NO_ROW),
    stopped(
        "resolved by a person right before the pause", "step:pause:after", plots.resolved_and_heard_at_the_fuse, agents=2, **NOTHING
    ),
    Scenario("two hands race for one execution", plot=plots.raced, agents=2),
)


def _id(scenario: Scenario) -> str:
    return scenario.tells.replace(" ", "-")


class NotReached(Exception):
    """The guard refused on its evidence, which a busy machine can spoil: nothing was attempted, so nothing is shown. Again."""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_id)
async def test_one_effect_or_provably_none_when(scenario, topology, postgres, own_server, tmp_path, record_property):
    server = own_server() if scenario.own_server else postgres
    for attempt in range(ATTEMPTS):
        await asyncio.to_thread(topology.wait_healthy)
        folder = tmp_path / str(attempt)
        folder.mkdir()
        began = time.monotonic()
        fuse = Fuse(scenario.point, scenario.deed, folder / "fuse")
        async with Theatre(topology, server, folder, fuse, scenario.procedure) as theatre:
            try:
                found = await _found(theatre, scenario)
            except NotReached:
                if attempt + 1 == ATTEMPTS:
                    raise
                continue
        record_property("took", f"{time.monotonic() - began:.1f}")
        record_property("seen", _line(found) + (f" (attempt {attempt + 1})" if attempt else ""))
        assert found.record.state in scenario.ends, found.record.reason
        assert found.closed_as in scenario.closed, found.record.reason
        return


async def _found(theatre: Theatre, scenario: Scenario) -> Seen:
    """Play the scenario and look; the promises of every scenario hold, or the agents' logs are printed."""
    try:
        start = before(theatre)
        await _play(theatre, scenario)
        found = await seen(theatre, start)
        found.assert_sound()
    except BaseException:
        record = await theatre.record()
        print(theatre.words(), *(record.timeline if record else ()), sep="\n")
        raise
    return found


async def _play(theatre: Theatre, scenario: Scenario) -> None:
    """Make the primary sick, page, approve, let it happen, and see the incident to its end."""
    for _ in range(scenario.agents):
        theatre.start_agent()
    theatre.writer.start()
    theatre.sickness.start()
    await theatre.ready()
    await theatre.shows()
    if scenario.plot is plots.killed_while_gathering:
        theatre.prometheus.fail(Fault.SLOW, 2.0)
    theatre.page()
    plot = asyncio.create_task(scenario.plot(theatre))
    try:
        await _see_through(theatre, plot, approve=scenario.plot is not plots.resolved_before_the_answer)
    finally:
        plot.cancel()


async def _see_through(theatre: Theatre, plot: asyncio.Task[None], *, approve: bool) -> None:
    approved = ""
    deadline = time.monotonic() + GUARD_S
    while True:
        record = await theatre.record()
        if plot.done() and plot.exception() is not None:
            plot.result()
        if record is not None and record.state.final and _refused(record):
            raise NotReached(record.decision)
        if record is not None and record.state.final and plot.done():
            return
        assert time.monotonic() < deadline, f"stuck: {record.state if record else 'no record'}, plot over: {plot.done()}"
        if approve and _asks(record) and approved != record.approval_id:
            approved = record.approval_id
            await theatre.approve(approved)
        if record is not None and record.state is State.VERIFYING:
            theatre.pagerduty.clear_alerts(theatre.incident)
        await asyncio.sleep(0.1)


def _refused(record: IncidentRecord) -> bool:
    return record.decision is not None and record.decision.verdict not in (Verdict.ALLOW, Verdict.NEEDS_APPROVAL)


def _asks(record: IncidentRecord | None) -> bool:
    return record is not None and record.state is State.AWAITING_APPROVAL


def _line(found: Seen) -> str:
    row = found.closed_as.value if found.closed_as else "no row"
    return f"{found.record.state.value}, ledger {row}, epoch +{found.moved}, FAILOVER x{found.asked}, lost {found.lost}"
