"""Plays histories: moves one after another, every law held after each, then calm, and the last laws too."""

from collections.abc import Sequence
from datetime import timedelta

from tests.properties import laws
from tests.properties.moves import Fail, Live, Move, Sweep
from tests.properties.stage import Parts, Stage

HORIZON = timedelta(hours=4)
CALM_S = 30.0


def calm(stage: Stage) -> None:
    """Nothing fails any more, nobody does anything, and time passes until nothing is due."""
    Fail("").on(stage)
    for live in stage.world.places.values():
        live.seen = "truth"
    last = stage.clock.now() + HORIZON
    while stage.clock.now() < last:
        Live(CALM_S).on(stage)
        Sweep().on(stage)
        stage.people().settle()
        if stage.people().next_due() is None and all(r.state.final for r in stage.store.all_records()):
            return


def play(history: Sequence[Move], parts: Parts | None = None, *, final: bool = True) -> Stage:
    """Carry a history out, holding the laws after every move. The stage as it stands at the end, closed."""
    stage = Stage(parts=parts or Parts())
    try:
        for move in history:
            written = len(stage.world.journal)
            move.on(stage)
            if len(stage.world.journal) > written:
                laws.holds(stage)
        if final:
            calm(stage)
            laws.holds(stage, *laws.EVER, *laws.FINAL)
    finally:
        stage.close()
    return stage
