"""Settings in, a report out: what `sre-agent doctor` calls."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sre_agent import __version__
from sre_agent.incident.errors import ConfigurationError
from sre_agent.settings import Settings
from sre_agent.wiring.doctor.connections import Connections, Terms
from sre_agent.wiring.doctor.examine import chosen, examine
from sre_agent.wiring.doctor.registry import CHECKS
from sre_agent.wiring.doctor.verdict import SETTINGS, Report, Result, Status


async def examined(read: Callable[[], Settings], only: Sequence[str], terms: Terms) -> Report:
    """The report. `read` loads the settings; when they are wrong, that is all there is to say.

    Raises ConfigurationError for a name in `only` that no check has.
    """
    checks, at = chosen(CHECKS, only), datetime.now(UTC)
    try:
        settings = read()
    except ConfigurationError as wrong:
        todo = "Correct what is named, then ask again; docs/settings.md lists every setting."
        return Report(__version__, at, (Result(SETTINGS, "values", Status.BROKEN, " ".join(str(wrong).split()), todo, ()),))
    return Report(__version__, at, await examine(checks, Connections(settings, terms)))
