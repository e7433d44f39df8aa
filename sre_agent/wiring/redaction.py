"""The key under which placeholders of redacted values are tagged: given, or made once and kept beside the data."""

import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from sre_agent.evidence.redact import use_redaction_key
from sre_agent.settings import Settings

FILE = "redaction.key"
_BYTES = 32
_log = logging.getLogger(__name__)


def tag_redactions(settings: Settings) -> None:
    """Tag under SRE_AGENT_REDACTION_KEY, else under the key of the data folder; called before any task is started.

    Where the folder cannot be used placeholders go without tags: evidence then correlates less, and nothing else changes.
    """
    if settings.redaction_key is not None:
        use_redaction_key(settings.redaction_key.get_secret_value().encode())
        return
    try:
        use_redaction_key(_kept(settings.data_dir.expanduser()))
    except OSError as failed:
        _log.warning("redaction_key_unavailable", extra={"reason": failed.strerror or type(failed).__name__})


def _kept(folder: Path) -> bytes:
    """The key in `folder`, made at first use. Raises OSError."""
    path = folder / FILE
    try:
        return _read(path)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
    # Written beside and linked: of two processes that start together one wins, and none reads half a key.
    fresh = folder / f"{FILE}.{secrets.token_hex(8)}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    """The key in the file. SAFETY: one that others may read, or that is cut, is no key; OSError says so."""
    found = path.read_bytes()
    if len(found) != _BYTES or path.stat().st_mode & 0o077:
        raise PermissionError(0, f"{path.name} is not {_BYTES} bytes that only its owner may read")
    return found
