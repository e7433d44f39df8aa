"""The servers of the fault matrix, and its table at the end of a run."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from tests.faults.topology import SharedTopology


@pytest.fixture(scope="session")
def topology() -> Iterator[SharedTopology]:
    """One for each xdist worker."""
    with SharedTopology() as shared:
        yield shared


@pytest.fixture(scope="session")
def own_server(postgres: EmbeddedPostgres) -> Iterator[Callable[[], EmbeddedPostgres]]:
    """A server that only this worker uses, and so may restart; started when first asked for."""
    started: list[EmbeddedPostgres] = []

    def server() -> EmbeddedPostgres:
        if not started:
            folder = postgres.home.parent / f"faults-{uuid.uuid4().hex[:8]}"
            started.append(EmbeddedPostgres.start(folder, at_end=AtEnd.DELETE, options={"fsync": "off"}, spare=folder / "spare"))
        return started[0]

    yield server
    for one in started:
        one.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each scenario: how it ended, and how long it took."""
    told = [r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, ()) if r.when == "call"]
    rows = [(r.nodeid.partition("[")[2].rstrip("]"), r.outcome, dict(r.user_properties)) for r in told]
    rows = [row for row in rows if row[2]]
    if rows:
        terminalreporter.section("fault matrix")
    for name, outcome, properties in sorted(rows):
        terminalreporter.write_line(f"{outcome:6} {properties.get('took', '?'):>5} s  {name}: {properties.get('seen', '')}")
