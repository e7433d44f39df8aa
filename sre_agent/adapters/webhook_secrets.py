"""The file of webhook signing secrets: written by `sre-agent pagerduty`, read by the doors while they run.

JSON {"<subscription id>": "<secret>"}. PagerDuty shows a secret once, so a change is on disk (fsync, rename) before anybody
goes on; and only its owner may read the file, or it is refused: a secret that others can read proves nothing.
"""

import fcntl
import json
import logging
import os
import secrets
import stat
from collections.abc import ItemsView, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sre_agent.incident.errors import ConfigurationError

_MOST = 1 << 20
_log = logging.getLogger(__name__)


class SecretsFile:
    """The file at `path`, for whoever changes it. Every method raises ConfigurationError for a file that cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()

    def read(self) -> dict[str, str]:
        """Every secret by its subscription; {} while there is no file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # never waits, whatever lies there
        except FileNotFoundError:
            return {}
        except OSError as failed:
            raise _refused(self.path, f"cannot be read: {failed.strerror}") from None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise _refused(self.path, "is no file")
            # SAFETY: whoever can read a secret can sign deliveries; it is refused, not used with a warning.
            if found.st_mode & 0o077:
                raise _refused(self.path, f"is open to others: run chmod 600 {self.path}, and rotate the secrets in it")
            content = b"".join(iter(lambda: os.read(descriptor, _MOST), b""))
        finally:
            os.close(descriptor)
        return _parsed(self.path, content)

    def ready(self) -> None:
        """Prove that a secret could be kept here, before one is asked for: what is shown once must have a place."""
        with self._changing() as held:
            self._replace(held)

    def keep(self, subscription: str, secret: str) -> None:
        """Add or replace one secret; durable when this returns."""
        with self._changing() as held:
            self._replace({**held, subscription: secret})

    def forget(self, *subscriptions: str) -> None:
        """Remove secrets, durably; ones that are not there are no error."""
        with self._changing() as held:
            if not held.keys().isdisjoint(subscriptions):
                self._replace({name: secret for name, secret in held.items() if name not in subscriptions})

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        """What is in the file, while nobody else changes it."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as failed:
            raise _refused(self.path, f"cannot be written: {failed.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.read()
        finally:
            os.close(lock)

    def _replace(self, content: Mapping[str, str]) -> None:
        """Write beside, fsync, rename: a reader sees the old file or the new one, also after a power cut."""
        fresh = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(dict(sorted(content.items())), file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as failed:
            with suppress(OSError):
                fresh.unlink()
            raise _refused(self.path, f"cannot be written: {failed.strerror}") from None


class WatchedSecrets(Mapping[str, str]):
    """Configured secrets and those of the file, read again whenever the file changes: one stat for each look.

    A file that is refused adds nothing; why is logged once for each change, and `note` tells it.
    """

    def __init__(self, file: SecretsFile, configured: Mapping[str, str]) -> None:
        self._file, self._configured = file, dict(configured)
        self._stamp: tuple[int, ...] | None = ()
        self._now: dict[str, str] = {}
        self._wrong: str | None = None

    def current(self) -> Mapping[str, str]:
        """The secrets that count now: use one answer for one delivery."""
        try:
            found = self._file.path.stat()
            stamp: tuple[int, ...] | None = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
        except OSError as failed:
            # Not being able to look at a file that may be there is not the same as no file.
            stamp = None if isinstance(failed, FileNotFoundError) else (failed.errno or 0,)
        if stamp != self._stamp:
            self._stamp = stamp
            self._load()
        return self._now

    def items(self) -> ItemsView[str, str]:
        """The pairs of one moment: a change between two looks shows half of neither."""
        return ItemsView(self.current())

    def __getitem__(self, subscription: str) -> str:
        return self.current()[subscription]

    def __iter__(self) -> Iterator[str]:
        return iter(self.current())

    def __len__(self) -> int:
        return len(self.current())

    async def note(self) -> str | None:
        """What people should know; None when all is well. Everybody may ask, so the path stands in the log only."""
        self.current()
        return self._wrong

    def _load(self) -> None:
        try:
            kept, self._wrong = self._file.read(), None
        except ConfigurationError as refused:
            kept, self._wrong = {}, "the file of webhook secrets is refused, deliveries that need it get 503; the log says why"
            _log.error("webhook_secrets_refused", extra={"reason": str(refused)})
        else:
            _log.info("webhook_secrets_read", extra={"subscriptions": sorted(kept)})
        self._now = {**kept, **self._configured}


def _parsed(path: Path, content: bytes) -> dict[str, str]:
    try:
        found = json.loads(content) if len(content) <= _MOST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(s, str) and s.strip() and name for name, s in found.items()):
        # SAFETY: what is in it is not quoted: it may be a secret.
        raise _refused(path, 'is not JSON {"<subscription id>": "<secret>"}: correct it, or remove it and run install --recreate')
    return found


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"the file of webhook secrets {path} {why} (SRE_AGENT_WEBHOOK_SECRETS_FILE)")
