"""Moves: what people, the world and accidents do to a crowd of workers, as small frozen values."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from sre_agent.incident.errors import Conflict, OutcomeUnknown, Permanent, SreAgentError, Transient
from sre_agent.incident.event import EventKind
from sre_agent.policy.calendar import Freezes, FreezeWindow
from sre_agent.policy.facts import Mode
from sre_agent.testing.turns import Defect, at_once
from tests.properties.books import TOKENS
from tests.properties.relabelling import relabelled
from tests.properties.stage import Stage
from tests.properties.world import Lies, honest

FALLIBLE = ("store.", "ledger.", "tracker.", "board.", "target.observe")
"""Calls that may fail by their protocol; the others answer whatever happens behind them."""

FREEZE = Freezes(windows=(FreezeWindow.model_validate({"id": "now", "from": "2026-03-01", "to": "2026-04-01", "tz": "UTC"}),))


class Move(Protocol):
    """One thing that happens."""

    def on(self, stage: Stage) -> None:
        """Make it happen."""
        ...


@dataclass(frozen=True)
class Change:
    """The incident is (now) like this in the tracker; nobody is told."""

    incident: str
    what: str

    def on(self, stage: Stage) -> None:
        before = stage.tracker.incidents.get(self.incident) or honest(self.incident, stage.clock.now())
        stage.tracker.put(relabelled(before, self.what, stage.clock.now()))


@dataclass(frozen=True)
class Hear:
    """A webhook about an incident, true or not, in any order."""

    incident: str
    kind: EventKind
    agent: str | None = "PPERSON"

    def on(self, stage: Stage) -> None:
        stage.hear(self.incident, self.kind, self.agent)


@dataclass(frozen=True)
class Again:
    """An earlier delivery once more."""

    which: int

    def on(self, stage: Stage) -> None:
        if stage.events:
            stage.deliver(stage.events[self.which % len(stage.events)])


@dataclass(frozen=True)
class Arrive:
    """An honest incident begins, and its webhook arrives."""

    incident: str

    def on(self, stage: Stage) -> None:
        live = stage.world.of(self.incident)
        live.level = 0.6
        stage.tracker.put(honest(self.incident, stage.clock.now()))
        stage.hear(self.incident, EventKind.TRIGGERED, None)


@dataclass(frozen=True)
class Lie:
    """From now on the reasoner, the detectors and the logs of a place say this."""

    incident: str
    lies: Lies

    def on(self, stage: Stage) -> None:
        stage.world.of(self.incident).lies = self.lies


@dataclass(frozen=True)
class Flaw:
    """A live fact of a place becomes this (None: as good as before)."""

    incident: str
    fact: tuple[str, Any] | None

    def on(self, stage: Stage) -> None:
        live = stage.world.of(self.incident)
        live.flaws = {} if self.fact is None else {**live.flaws, self.fact[0]: self.fact[1]}


@dataclass(frozen=True)
class Replace:
    """Somebody else replaces a place's object."""

    incident: str

    def on(self, stage: Stage) -> None:
        stage.world.of(self.incident).life += 1


@dataclass(frozen=True)
class Script:
    """How the next effect on a place goes, what can be seen of it, and whether it helps."""

    incident: str
    script: str
    seen: str = "truth"
    cures: bool = True

    def on(self, stage: Stage) -> None:
        live = stage.world.of(self.incident)
        live.script, live.seen, live.cures = self.script, self.seen, self.cures


@dataclass(frozen=True)
class Fail:
    """A part of the agent's surroundings fails from now on ("": all is well again)."""

    what: str

    def on(self, stage: Stage) -> None:
        stage.world.facts_fail = self.what == "facts"
        stage.halt.unreadable = self.what == "halt"
        stage.world.engine_fault = {"engine": RuntimeError("engine"), "policy": ValueError("overflow")}.get(self.what)
        broken = {"write": Transient("503"), "write for good": Permanent("404"), "write late": Conflict("resolved")}
        stage.tracker.failure = broken.get(self.what)


@dataclass(frozen=True)
class Say:
    """A person's answer to a question (0: the newest), whatever state it is in."""

    person: str
    approve: bool = True
    question: int = 0
    door: str = "desk"

    def on(self, stage: Stage) -> None:
        asked = at_once(stage.store.approvals(pending_only=False))
        if self.question >= len(asked):
            return
        if self.door == "hole":
            stage.slip_in(asked[self.question].id, self.person, approve=self.approve)
        else:
            token = TOKENS[self.person] if self.door == "desk" else TOKENS["ana"]
            stage.answer(asked[self.question].id, self.person, token, approve=self.approve)


@dataclass(frozen=True)
class Halt:
    """The kill switch is moved."""

    engaged: bool

    def on(self, stage: Stage) -> None:
        move = stage.halt.engage if self.engaged else stage.halt.lift
        at_once(move("cleo", "because", stage.clock.now()))


@dataclass(frozen=True)
class Restart:
    """A worker is restarted in another mode, with other policies, in or out of a freeze."""

    worker: str
    mode: Mode = Mode.AUTO
    bundle: str = "plain"
    frozen: bool = False

    def on(self, stage: Stage) -> None:
        stage.modes[self.worker], stage.bundles[self.worker] = self.mode, self.bundle
        stage.freezes = FREEZE if self.frozen else Freezes()
        stage.people().crash(self.worker)


@dataclass(frozen=True)
class Run:
    """Some take some turns: (who, how many). Numbers beyond the workers are people at their command lines."""

    bursts: tuple[tuple[int, int], ...]

    def on(self, stage: Stage) -> None:
        for who, turns in self.bursts:
            for _ in range(turns):
                names = tuple(stage.people().workers)
                if not stage.people().turn(names[who % len(names)]):
                    break


@dataclass(frozen=True)
class Until:
    """Everybody runs until somebody stands at a certain stop, and goes no further."""

    where: str
    stride: int = 1

    def on(self, stage: Stage) -> None:
        crowd = stage.people()
        moved = True
        while moved:
            moved = False
            for name in tuple(crowd.workers):
                for _ in range(self.stride):
                    if not crowd.turn(name):
                        break
                    moved = True
                    if crowd.where(name) == self.where:
                        return


@dataclass(frozen=True)
class Settle:
    """Everybody runs until nothing is left to do now."""

    stride: int = 1

    def on(self, stage: Stage) -> None:
        stage.people().settle(self.stride)


@dataclass(frozen=True)
class Crash:
    """A process is killed after some more turns of it."""

    who: int
    turns: int

    def on(self, stage: Stage) -> None:
        name = _named(stage, self.who)
        Run(((self.who, self.turns),)).on(stage)
        stage.people().crash(name)


@dataclass(frozen=True)
class Stall:
    """A worker sleeps past its leases: its job and its target's lock go to others; then it wakes and goes on, unaware."""

    who: int
    seconds: float = 13.0

    def on(self, stage: Stage) -> None:
        name = _named(stage, self.who)
        ghost = stage.people().stall(name)
        if ghost is not None:
            stage.note("stalled", ghost)
            stage.locks.lose(name)
            stage.clock.advance(self.seconds)


@dataclass(frozen=True)
class Break:
    """The call that a process waits for fails, after some more turns of it."""

    who: int
    turns: int
    how: str = "transient"

    def on(self, stage: Stage) -> None:
        name = _named(stage, self.who)
        Run(((self.who, self.turns),)).on(stage)
        error: SreAgentError | Defect = Defect("nobody foresaw this") if self.how == "defect" else Transient("the connection broke")
        if stage.people().where(name) == "tracker.post_status done" and self.how != "defect":
            error = OutcomeUnknown("the connection broke")  # what a tracker owes: this once it may have been sent
        if stage.people().where(name).startswith(FALLIBLE):
            stage.people().fail(name, error)


@dataclass(frozen=True)
class Wait:
    """Time passes; what falls due meanwhile is run if anybody runs."""

    seconds: float

    def on(self, stage: Stage) -> None:
        stage.clock.advance(self.seconds)


@dataclass(frozen=True)
class Live:
    """Time passes and everybody works, from one due job to the next."""

    seconds: float

    def on(self, stage: Stage) -> None:
        end = stage.clock.now() + timedelta(seconds=self.seconds)
        stage.people().settle()
        while (due := stage.people().next_due()) is not None and due <= end:
            stage.clock.advance(max(0.0, (due - stage.clock.now()).total_seconds()))
            stage.people().settle()
        stage.clock.advance(max(0.0, (end - stage.clock.now()).total_seconds()))


@dataclass(frozen=True)
class Sweep:
    """A worker looks for silent incidents."""

    def on(self, stage: Stage) -> None:
        stage.sweep()


def _named(stage: Stage, who: int) -> str:
    names = tuple(stage.people().workers)
    return names[who % len(names)]
