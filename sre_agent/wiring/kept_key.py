"""A random key that is made once and kept in a file beside the data."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

_BYTES = 32


def kept_key(path: Path) -> bytes:
    """The 32 bytes in the file, made at first use. Raises OSError."""
    try:
        return _read(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and linked: of two processes that start together one wins, and none reads half a key.
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
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
