"""What a case folder holds, as one hash: two folders with the same one are the same case, wherever they lie."""

import hashlib
from pathlib import Path

from sre_agent.replay.case_file import MalformedCase

_CHUNK = 1 << 20


def folder_sha256(folder: Path) -> str:
    """sha256 (hex) over the names and contents of all files below a folder, in the order of their names.

    Raises MalformedCase for what cannot be read.
    """
    whole = hashlib.sha256()
    try:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            one = hashlib.sha256()
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    one.update(chunk)
            whole.update(f"{path.relative_to(folder).as_posix()}\0{one.hexdigest()}\n".encode(errors="surrogateescape"))
    except OSError as error:
        raise MalformedCase(f"{folder.name}: cannot be read: {error}") from error
    return whole.hexdigest()
