import bz2
import io
import lzma
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from sre_agent.replay.archive import Bounds, packed, unpack
from sre_agent.replay.case_file import MalformedCase

FILES = {
    "cases/one/case.json": b'{"id": "one"}',
    "cases/two/case.json": b'{"id": "two"}',
    "cases/two/logs/voice/api-1/api.log": b"a line\n",
}


def tarred(path: Path, entries, mode="w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, body in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(body, bytes):
                entry.size = len(body)
                archive.addfile(entry, io.BytesIO(body))
            else:
                entry.type, entry.linkname = body
                archive.addfile(entry)
    return path


def zipped(path: Path, entries) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries:
            archive.writestr(name, body)
    return path


def held(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tgz", "w:gz"), ("a.tar.gz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("A.TXZ", "w:xz")]
)
def test_a_tar_is_unpacked_whatever_it_is_packed_with(tmp_path: Path, into: Path, name: str, mode: str):
    unpack(tarred(tmp_path / name, FILES.items(), mode), into)
    assert held(into) == FILES


def test_a_zip_is_unpacked(tmp_path: Path, into: Path):
    unpack(zipped(tmp_path / "a.zip", FILES.items()), into)
    assert held(into) == FILES


def test_only_names_of_archives_count_as_archives(tmp_path: Path):
    assert packed(tmp_path / "cases.tar.gz")
    assert packed(tmp_path / "CASES.ZIP")
    assert not packed(tmp_path / "metrics.jsonl.gz")


@pytest.mark.parametrize("name", ["../out/case.json", "/etc/case.json", "a/../../out", "C:/out/case.json", "a\\..\\..\\out"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_name_that_points_outside_is_refused_and_nothing_of_it_is_written(tmp_path: Path, into: Path, name: str, kind: str):
    archive = zipped(tmp_path / "a.zip", [(name, b"x")]) if kind == "zip" else tarred(tmp_path / "a.tgz", [(name, b"x")])
    with pytest.raises(MalformedCase, match="points outside of it"):
        unpack(archive, into)
    assert held(tmp_path).keys() == {archive.name}


@pytest.mark.parametrize(
    "body",
    [(tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "cases/one/case.json"), (tarfile.CHRTYPE, ""), (tarfile.FIFOTYPE, "")],
)
def test_a_link_or_a_device_in_a_tar_is_refused(tmp_path: Path, into: Path, body):
    with pytest.raises(MalformedCase, match="link or a device"):
        unpack(tarred(tmp_path / "a.tgz", [("cases/evil", body)]), into)
    assert held(into) == {}


def test_a_link_in_a_zip_is_refused(tmp_path: Path, into: Path):
    entry = zipfile.ZipInfo("cases/evil")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(MalformedCase, match="link or a device"):
        unpack(zipped(tmp_path / "a.zip", [(entry, b"/etc/passwd")]), into)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_is_stopped_at_the_bound_however_small_it_is_packed(tmp_path: Path, into: Path, kind: str):
    bomb = [("cases/one/metrics.jsonl", bytes(30_000_000))]
    archive = zipped(tmp_path / "a.zip", bomb) if kind == "zip" else tarred(tmp_path / "a.tgz", bomb)
    assert archive.stat().st_size < 100_000
    with pytest.raises(MalformedCase, match="unpacks to more than"):
        unpack(archive, into, Bounds(small=1_000_000))
    assert sum(map(len, held(into).values())) <= 30_000_000 // 3


def test_more_files_than_the_bound_are_refused(tmp_path: Path, into: Path):
    many = [(f"cases/{n}/case.json", b"{}") for n in range(12)]
    with pytest.raises(MalformedCase, match="more than 10 files"):
        unpack(tarred(tmp_path / "a.tgz", many), into, Bounds(files=10))


def test_one_file_twice_is_refused_because_nobody_can_say_which_counts(tmp_path: Path, into: Path):
    with pytest.raises(MalformedCase, match="twice"):
        unpack(tarred(tmp_path / "a.tgz", [("c/case.json", b"1"), ("c/case.json", b"2")]), into)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz", "a.tar.xz", "a.tar.bz2"])
def test_what_is_no_archive_is_a_clear_complaint(tmp_path: Path, into: Path, name: str):
    (tmp_path / name).write_bytes(os.urandom(600))
    with pytest.raises(MalformedCase, match=rf"{name}: cannot be unpacked: \S"):
        unpack(tmp_path / name, into)


@pytest.mark.parametrize("pack", [lambda b: b, bz2.compress, lzma.compress])
def test_an_archive_that_was_cut_off_is_a_clear_complaint(tmp_path: Path, into: Path, pack):
    whole = tarred(tmp_path / "whole.tar", [("cases/one/metrics.jsonl", os.urandom(200_000))], "w").read_bytes()
    name = {bz2.compress: "a.tar.bz2", lzma.compress: "a.tar.xz"}.get(pack, "a.tar")
    packed_whole = pack(whole)
    (tmp_path / name).write_bytes(packed_whole[: len(packed_whole) // 2])
    with pytest.raises(MalformedCase, match="cannot be unpacked"):
        unpack(tmp_path / name, into)


def test_a_zip_with_a_password_says_what_to_do(tmp_path: Path, into: Path):
    archive = zipped(tmp_path / "a.zip", [("c/case.json", b"1")])
    raw = bytearray(archive.read_bytes())
    for header in (b"PK\x03\x04", b"PK\x01\x02"):
        at = raw.index(header)
        raw[at + (6 if header[2] == 3 else 8)] |= 1
    archive.write_bytes(bytes(raw))
    with pytest.raises(MalformedCase, match="password; unpack it yourself"):
        unpack(archive, into)


def test_a_name_that_no_file_system_takes_is_a_clear_complaint(tmp_path: Path, into: Path):
    with pytest.raises(MalformedCase, match="cannot be unpacked"):
        unpack(tarred(tmp_path / "a.tgz", [("c/" + "n" * 300, b"1")]), into)
