"""Where the private PostgreSQL may live, and as whom it runs.

PostgreSQL refuses to run as root. For a root process it therefore runs as its own system account, and
that account must be able to reach both the data and the server's programs: every folder above them
needs o+x, which /root and a `mktemp -d` clone do not have. Nobody's folder permissions are loosened
here; data and programs move to a reachable place instead:

- data: `DATA_DIR/postgres`; if that cannot be reached, a folder under `/var/lib/sre-agent`, whose path is
  remembered in `DATA_DIR/postgres.location`;
- programs: the installed package; if that cannot be reached, a copy under `/var/lib/sre-agent`, named by content.

Any other user runs the server as itself, and none of this applies.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sre_agent.incident.errors import ConfigurationError

ACCOUNT = "sre-agent-pg"
SPARE = Path("/var/lib/sre-agent")
ADVICE = "Run sre-agent as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own."


@dataclass(frozen=True)
class Account:
    """The system account the server runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """Where the server's folder and its programs are. `account` None: runs as this process' own user."""

    home: Path
    programs: Path
    account: Account | None


def choose_place(data_dir: Path, installed: Path, spare: Path = SPARE) -> Place:
    """The place for the cluster of `data_dir`; folders are created. `installed` is the package's bin folder.

    To be called under the data folder's lock. Raises ConfigurationError when there is no reachable place.
    """
    if os.geteuid() != 0:
        home = data_dir / "postgres"
        home.mkdir(mode=0o700, exist_ok=True)
        return Place(home=home, programs=installed, account=None)
    account = _account()
    try:
        return Place(home=_home(data_dir, spare), programs=_programs(installed, spare), account=account)
    except OSError as error:
        raise ConfigurationError(
            f"The private PostgreSQL needs a folder that account {ACCOUNT} can reach; {spare} cannot be used ({error}). {ADVICE}"
        ) from error


def reachable(path: Path) -> bool:
    """True when every existing folder on the way to `path`, itself included, lets other users pass (o+x).

    Missing folders at its end count as passable: they will be created so.
    """
    resolved = path.resolve()
    return all(p.stat().st_mode & stat.S_IXOTH for p in (resolved, *resolved.parents) if p.exists())


def _account() -> Account:
    """The server's account, created when missing (shadow-utils' useradd)."""
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if useradd is None:
            raise ConfigurationError(
                f"PostgreSQL cannot run as root, and there is no useradd to create the account {ACCOUNT}. {ADVICE}"
            ) from None
        command = [
            useradd,
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
        ]
        done = subprocess.run([*command, ACCOUNT], capture_output=True, text=True, check=False)
        try:
            entry = pwd.getpwnam(ACCOUNT)  # another process may have created it meanwhile
        except KeyError:
            raise ConfigurationError(
                f"PostgreSQL cannot run as root, and creating the account {ACCOUNT} failed: {done.stderr.strip()}. {ADVICE}"
            ) from None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _home(data_dir: Path, spare: Path) -> Path:
    """The server's folder for `data_dir`: the one remembered, the plain one, or a new one under `spare`."""
    plain, note = data_dir / "postgres", data_dir / "postgres.location"
    if note.exists():
        remembered = Path(note.read_text(encoding="utf-8").strip())
        _passable(remembered)
        return remembered
    if reachable(plain):
        _passable(plain)
        return plain
    if (plain / "data" / "PG_VERSION").exists():
        raise ConfigurationError(
            f"The database in {plain} was created when other accounts could reach that folder; now {ACCOUNT} cannot. "
            f"Give o+x to the folders above it again, or run as the user who owns it."
        )
    _reachable_spare(spare)
    home = Path(tempfile.mkdtemp(prefix="postgres-", dir=spare))
    home.chmod(0o755)
    note.write_text(f"{home}\n", encoding="utf-8")
    return home


def _programs(installed: Path, spare: Path) -> Path:
    """The bin folder the account can reach: the package's own, or a copy of the package's tree under `spare`."""
    if reachable(installed):
        return installed
    with (installed / "postgres").open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()[:12]
    copy = spare / f"postgresql-{digest}"
    tree, package = installed.parent, installed.parent.parent
    if not copy.exists():
        _reachable_spare(spare)
        half = Path(tempfile.mkdtemp(prefix=".copy-", dir=spare))
        try:
            _copy(tree, half / package.name / tree.name)
            # auditwheel and delocate put the shared libraries beside the package or inside it; the
            # programs find them relative to their own place.
            for extra in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
                if extra.exists():
                    _copy(extra, half / extra.relative_to(package.parent))
            half.chmod(0o755)
            half.rename(copy)
        except OSError:
            shutil.rmtree(half, ignore_errors=True)
            if not copy.exists():  # else another process was faster
                raise
    return copy / package.name / tree.name / installed.name


def _reachable_spare(spare: Path) -> None:
    """Create the folder of last resort; ConfigurationError when it cannot be reached either."""
    _passable(spare)
    if not reachable(spare):
        raise ConfigurationError(f"The account {ACCOUNT} cannot reach {spare}: a folder above it lacks o+x. {ADVICE}")


def _copy(source: Path, target: Path) -> None:
    """Copy without what only compilers need, readable by everybody."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (*target.parents[:1], target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)


def _passable(folder: Path) -> None:
    """Create `folder` so that other accounts may pass through it, whatever the umask."""
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
