"""Files changed in place: whole or not at all, and never over somebody else's change."""

import os
import shutil
import tempfile
from pathlib import Path

from sre_agent.incident.errors import ConfigurationError


def replaced(path: Path, before: str, after: str) -> None:
    """Put `after` in place of `before`. Raises ConfigurationError when the file is not as it was read, or cannot be written."""
    real = path.resolve()
    try:
        raw = real.read_bytes()
        lead = b"\xef\xbb\xbf" if raw.startswith(b"\xef\xbb\xbf") else b""
        if raw != lead + before.encode():
            raise ConfigurationError(f"{path}: was changed by somebody else in the meantime and is left alone; run it again")
        handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(lead + after.encode())
                file.flush()
                os.fsync(file.fileno())
            shutil.copymode(real, name)
            Path(name).replace(real)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror or error}") from error
