"""The flight recorder of a running agent."""

from sre_agent import __version__
from sre_agent.replay.recording.recorder import Recorder
from sre_agent.settings import Settings
from sre_agent.wiring.brain import Books
from sre_agent.wiring.recorded import files_of
from sre_agent.wiring.state import MB, State


def recorder(settings: Settings, books: Books, state: State) -> Recorder:
    """What keeps the recordings, or does nothing where none are wanted."""
    return Recorder(
        store=state.plain_store,
        recordings=state.recordings if settings.recordings_max_mb else None,
        bundle=books.bundle.hash,
        books=files_of(books),
        agent=__version__,
        most_bytes=settings.recording_max_mb * MB,
    )
