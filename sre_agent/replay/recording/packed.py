"""The files of a case in one packed archive, the same bytes for the same files. In memory; `replay.archive` unpacks it."""

import gzip
import io
import tarfile
from collections.abc import Mapping

SUFFIX = ".tar.gz"


def packed(files: Mapping[str, str]) -> bytes:
    """A tar.gz of these texts by name; names are plain paths below the root."""
    whole = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=whole, mode="wb", compresslevel=6, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(files):
            content = files[name].encode("utf-8", "replace")
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()
