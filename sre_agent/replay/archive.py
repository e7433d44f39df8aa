"""Cases packed in a tar or zip archive, unpacked into a folder of ours. An archive is a stranger's: nothing in it is trusted.

SAFETY: only plain files and folders below the given folder are ever written. An archive with anything else in it, or one that
would grow beyond the bounds, is refused whole, before or while it is unpacked.
"""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from sre_agent.replay.case_file import MalformedCase

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_CHUNK = 1 << 20
_PACKING = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
# zipfile raises the last two for what it does not know: another compression, a wrong password.
_UNREADABLE = (OSError, *_PACKING, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Bounds:
    """What an archive may unpack to. `ratio`: bytes out per byte in, which counts above `small` bytes out."""

    files: int = 300_000
    total: int = 4_000_000_000
    ratio: int = 300
    small: int = 50_000_000


def packed(path: Path) -> bool:
    """Whether the name is that of an archive we can read."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, into: Path, bounds: Bounds | None = None) -> None:
    """Write the files of an archive below `into`, which exists and is empty.

    Raises MalformedCase for an archive that cannot be read, is protected by a password, holds what is no plain file below its
    root (links, devices, "..", absolute names), holds a file twice, or is larger than `bounds`; the message says which.
    """
    bounds = bounds or Bounds()
    written, seen = 0, set[str]()
    try:
        most = max(bounds.small, min(bounds.total, archive.stat().st_size * bounds.ratio))
        for name, stream in _zipped(archive) if archive.name.lower().endswith(".zip") else _tarred(archive):
            target = into / _inside(archive, name)
            if name in seen:
                raise MalformedCase(f"{archive.name}: holds {name!r} twice")
            seen.add(name)
            if len(seen) > bounds.files:
                raise MalformedCase(f"{archive.name}: more than {bounds.files} files")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                while chunk := stream.read(_CHUNK):
                    written += len(chunk)
                    if written > most:
                        raise MalformedCase(f"{archive.name}: unpacks to more than {most // 1_000_000} MB; look into it yourself")
                    out.write(chunk)
    except _UNREADABLE as error:
        raise MalformedCase(f"{archive.name}: cannot be unpacked: {error or type(error).__name__}") from error


def _inside(archive: Path, name: str) -> PurePosixPath:
    """The name as a path below the root."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name.split("/")[0] or "\x00" in name or not parts.parts:
        raise MalformedCase(f"{archive.name}: holds {name!r}, which points outside of it; none of it was read")
    return parts


def _zipped(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if entry.is_dir():
                _inside(archive, entry.filename)
                continue
            if entry.flag_bits & 1:
                raise MalformedCase(f"{archive.name}: protected by a password; unpack it yourself")
            kind = entry.external_attr >> 28  # the upper bits of the Unix mode; 0 where none was kept
            if kind not in (0, 8):
                raise MalformedCase(f"{archive.name}: holds {entry.filename!r}, which is a link or a device; none of it was read")
            with opened.open(entry) as stream:
                yield entry.filename, stream


def _tarred(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with _plain(archive) as raw, tarfile.open(fileobj=raw, mode="r|") as opened:
        for entry in opened:
            if entry.isdir():
                _inside(archive, f"{entry.name}/.")
                continue
            if not entry.isreg() or entry.issparse():
                raise MalformedCase(f"{archive.name}: holds {entry.name!r}, which is a link or a device; none of it was read")
            stream = opened.extractfile(entry)
            if stream is not None:
                yield entry.name, stream


def _plain(archive: Path) -> IO[bytes]:
    name = archive.name.lower()
    if name.endswith((".gz", ".tgz")):
        return cast(IO[bytes], gzip.open(archive))
    if name.endswith((".bz2", ".tbz2")):
        return bz2.open(archive)
    return lzma.open(archive) if name.endswith((".xz", ".txz")) else archive.open("rb")
