"""Archives made by the programs people pack with: each member is read whole or refused, and nothing is followed."""

import bz2
import gzip
import io
import lzma
import os
import struct
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from ingestion.formats import allowance
from ingestion.formats.allowance import Allowance, TooMuch
from ingestion.formats.archive import measure_zip, members
from ingestion.formats.streams import unpack_stream
from ingestion.refusal import FileRefused

TABLE = b"".join(b"%d;value %d\n" % (row, row * 7) for row in range(20_000))
PROGRAMS = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd"}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def unpacked(folder: Path, data: bytes, format_: str) -> bytes:
    packed, out = folder / "packed", folder / "unpacked"
    packed.write_bytes(data)
    unpack_stream(packed, format_, out, Allowance(len(data)))
    return out.read_bytes()


def content(path: Path, format_: str) -> dict[str, bytes | str]:
    """What is in an archive by name: bytes, or what there is instead, or the rule by which it is refused."""
    found: dict[str, bytes | str] = {}
    out = path.with_name("member")
    for member in members(path, format_, Allowance(path.stat().st_size)):
        if member.kind:
            found[member.name] = member.kind
            continue
        try:
            member.unpack(out)
            found[member.name] = out.read_bytes()
        except FileRefused as refused:
            found[member.name] = refused.rule
    return found


def zip_of(path: Path, *named: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in named:
            archive.writestr(name, data)
    return path


def tar_of(path: Path, *infos: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, data in infos:
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


@pytest.mark.parametrize("format_", PROGRAMS)
def test_what_the_common_programs_compress_is_read(tmp_path: Path, format_: str) -> None:
    (tmp_path / "table.csv").write_bytes(TABLE)
    packed = subprocess.run([PROGRAMS[format_], "-c", tmp_path / "table.csv"], capture_output=True, check=True).stdout
    assert unpacked(tmp_path, packed, format_) == TABLE


@pytest.mark.parametrize("format_", PACKERS)
def test_a_compressed_file_of_several_members_is_read_to_its_end(tmp_path: Path, format_: str) -> None:
    packed = PACKERS[format_]
    assert unpacked(tmp_path, packed(TABLE) + packed(b"") + packed(b"the end"), format_) == TABLE + b"the end"


def test_zeros_between_members_are_padding(tmp_path: Path) -> None:
    packed = gzip.compress(TABLE) + bytes(5000) + gzip.compress(b"x") + bytes(100)
    assert unpacked(tmp_path, packed, "gz") == TABLE + b"x"


def test_a_zstd_frame_that_is_to_be_skipped_is(tmp_path: Path) -> None:
    skipped = b"\x50\x2a\x4d\x18" + struct.pack("<L", 8) + b"whatever"
    assert unpacked(tmp_path, skipped + PACKERS["zst"](TABLE), "zst") == TABLE


@pytest.mark.parametrize("format_", PACKERS)
@pytest.mark.parametrize("cut", [1, 9, 1000])
def test_a_compressed_file_that_is_cut_off_is_refused(tmp_path: Path, format_: str, cut: int) -> None:
    with pytest.raises(FileRefused, match="cut off") as raised:
        unpacked(tmp_path, PACKERS[format_](os.urandom(5000))[:-cut], format_)
    assert raised.value.rule == "archive"


@pytest.mark.parametrize("format_", PACKERS)
def test_a_compressed_file_with_a_wrong_byte_is_refused(tmp_path: Path, format_: str) -> None:
    """Each format has a checksum of what it holds."""
    packed = bytearray(PACKERS[format_](os.urandom(5000)))
    packed[len(packed) // 2] ^= 1
    with pytest.raises(FileRefused, match=r"damaged|cut off"):
        unpacked(tmp_path, bytes(packed), format_)


@pytest.mark.parametrize("format_", PACKERS)
def test_a_second_member_that_is_damaged_is_not_passed_over(tmp_path: Path, format_: str) -> None:
    with pytest.raises(FileRefused, match="damaged"):
        unpacked(tmp_path, PACKERS[format_](TABLE) + b"\x01" + PACKERS[format_](TABLE)[1:], format_)


@pytest.mark.parametrize("format_", PACKERS)
def test_a_compressed_bomb_is_refused_before_it_fills_a_disk(tmp_path: Path, format_: str) -> None:
    zeros = PACKERS[format_](bytes(64 << 20))
    with pytest.raises(TooMuch, match="unpack it and drop what you need"):
        unpacked(tmp_path, zeros * 40, format_)
    assert (tmp_path / "unpacked").stat().st_size <= allowance.FREE_BYTES + allowance.RATIO_MAX * len(zeros) * 5


def test_a_small_file_of_zeros_is_no_bomb(tmp_path: Path) -> None:
    assert len(unpacked(tmp_path, gzip.compress(bytes(100 << 20)), "gz")) == 100 << 20


@pytest.mark.parametrize("options", [[], ["-0"], ["-9"], ["-Z", "bzip2"], ["-D"], ["-X"], ["-fz"]])
def test_what_zip_packs_is_read(tmp_path: Path, options: list[str]) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_bytes(TABLE)
    (folder / "deep" / "Fläche 人.csv").write_bytes(b"x\n1\n")
    path = tmp_path / "a.zip"
    subprocess.run(["zip", "-qr", *options, path, "."], cwd=folder, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    found = content(path, "zip")
    files = {name: data for name, data in found.items() if data != "a folder"}
    assert files == {"a.csv": TABLE, "deep/Fläche 人.csv": b"x\n1\n"}


def test_a_zip_archive_that_was_streamed_is_read(tmp_path: Path) -> None:
    """Its sizes stand behind the members."""
    packed = subprocess.run(["zip", "-q", "-", "-"], input=TABLE, capture_output=True, check=True).stdout
    (tmp_path / "a.zip").write_bytes(packed)
    assert content(tmp_path / "a.zip", "zip") == {"-": TABLE}


@pytest.mark.parametrize("encoding", ["cp437", "cp850", "utf-8"])
def test_names_without_a_flag_are_read_as_dos_or_as_utf8(tmp_path: Path, encoding: str) -> None:
    placeholder = "F" + "x" * (len("ä".encode(encoding))) + "che.csv"
    path = zip_of(tmp_path / "a.zip", (placeholder, b"1"))
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), "Fäche.csv".encode(encoding)))
    assert list(content(path, "zip")) == ["Fäche.csv"]


def test_a_name_that_info_zip_puts_beside_another_is_the_name(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("F?.csv")
    name = b"\x01" + struct.pack("<L", zipfile.crc32(b"F?.csv")) + "Fл.csv".encode()
    info.extra = struct.pack("<HH", 0x7075, len(name)) + name
    assert list(content(zip_of(tmp_path / "a.zip", (info, b"1")), "zip")) == ["Fл.csv"]


@pytest.mark.parametrize("format_", ["", "ustar", "gnu", "pax", "v7"])
def test_what_tar_packs_is_read(tmp_path: Path, format_: str) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_bytes(TABLE)
    (folder / "deep" / "Fläche 人.csv").write_bytes(b"x\n1\n")
    path = tmp_path / "a.tar"
    options = [f"--format={format_}"] if format_ else []
    subprocess.run(["tar", *options, "-cf", path, "-C", folder, "."], check=True)
    files = {name: data for name, data in content(path, "tar").items() if data != "a folder"}
    assert files == {"a.csv": TABLE, "deep/Fläche 人.csv": b"x\n1\n"}


def test_a_file_with_holes_is_read_with_its_zeros(tmp_path: Path) -> None:
    with (tmp_path / "holes.csv").open("wb") as file:
        file.write(b"a\n")
        file.seek(1 << 20)
        file.write(b"b\n")
    subprocess.run(["tar", "-S", "-cf", tmp_path / "a.tar", "-C", tmp_path, "holes.csv"], check=True)
    assert content(tmp_path / "a.tar", "tar") == {"holes.csv": (tmp_path / "holes.csv").read_bytes()}


def test_an_archive_without_members_has_none(tmp_path: Path) -> None:
    assert content(zip_of(tmp_path / "a.zip"), "zip") == {}
    assert content(tar_of(tmp_path / "a.tar"), "tar") == {}


def test_links_and_devices_are_named_and_not_followed(tmp_path: Path) -> None:
    link, pipe = zipfile.ZipInfo("link.csv"), zipfile.ZipInfo("pipe.csv")
    link.external_attr, pipe.external_attr = 0o120777 << 16, 0o010644 << 16
    zipped = zip_of(tmp_path / "a.zip", (link, b"/etc/passwd"), (pipe, b""), ("a.csv", b"1"))
    assert content(zipped, "zip") == {"link.csv": "a link", "pipe.csv": "a device", "a.csv": b"1"}
    infos = []
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        info = tarfile.TarInfo(f"member {kind.decode()}")
        info.type, info.linkname = kind, "/etc/passwd"
        infos.append((info, b""))
    kinds = ["a link", "a link", "a device", "a device", "a folder"]
    assert list(content(tar_of(tmp_path / "a.tar", *infos), "tar").values()) == kinds


@pytest.mark.parametrize("name", ["/etc/cron.d/x", "../../x", "a/../../x", "..\\..\\x", "C:\\x", "C:x"])
def test_a_name_that_leads_out_is_a_name_only(tmp_path: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    for path, format_ in (
        (zip_of(tmp_path / "a.zip", (name, b"1")), "zip"),
        (tar_of(tmp_path / "a.tar", (info, b"1")), "tar"),
    ):
        [member] = members(path, format_, Allowance(1000))
        assert member.leads_out
        assert content(path, format_) == {name.replace("\\", "/"): b"1"}


def test_two_members_of_one_name_are_both_read(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped = zip_of(tmp_path / "a.zip", ("a.csv", b"1"), ("a.csv", b"2"), ("a.csv (2)", b"3"))
    assert content(zipped, "zip") == {"a.csv": b"1", "a.csv (2)": b"2", "a.csv (2) (2)": b"3"}
    (tmp_path / "x.csv").write_bytes(b"1")
    for _ in range(2):
        subprocess.run(["tar", "-rf", tmp_path / "b.tar", "-C", tmp_path, "x.csv"], check=True)
    assert content(tmp_path / "b.tar", "tar") == {"x.csv": b"1", "x.csv (2)": b"1"}


def test_many_members_of_one_name_take_no_time(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", *((tarfile.TarInfo("x"), b"") for _ in range(allowance.MEMBERS_MAX)))
    begun = time.monotonic()
    names = {member.name for member in members(path, "tar", Allowance(1 << 30))}
    assert len(names) == allowance.MEMBERS_MAX
    assert time.monotonic() - begun < 5


def test_names_that_no_text_holds_are_made_printable(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a\nb\x1b[31m")
    assert list(content(tar_of(tmp_path / "a.tar", (info, b"1")), "tar")) == ["a\ufffdb\ufffd[31m"]
    latin = tarfile.TarInfo("F\udce4che.csv")
    assert list(content(tar_of(tmp_path / "b.tar", (latin, b"1")), "tar")) == ["Fäche.csv"]


def test_a_member_that_is_locked_is_refused_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for name, options in (("open.csv", []), ("locked.csv", ["-P", "secret"])):
        (tmp_path / name).write_bytes(b"a\n1\n")
        subprocess.run(["zip", "-q", *options, path, name], cwd=tmp_path, check=True)
    assert content(path, "zip") == {"open.csv": b"a\n1\n", "locked.csv": "locked"}


def test_a_member_with_a_wrong_byte_is_refused_alone(tmp_path: Path) -> None:
    noise = os.urandom(5000)
    path = zip_of(tmp_path / "a.zip", ("a.csv", noise), ("b.csv", b"1"), method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    assert content(path, "zip") == {"a.csv": "archive", "b.csv": b"1"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_damage_within_a_member_is_a_refusal_whatever_packed_it(tmp_path: Path, method: int) -> None:
    path = zip_of(tmp_path / "a.zip", ("a.csv", os.urandom(5000)), method=method)
    data = bytearray(path.read_bytes())
    data[1000:1100] = bytes(100)
    path.write_bytes(data)
    assert content(path, "zip") == {"a.csv": "archive"}


def test_a_compression_that_is_not_known_is_a_refusal(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", ("a.csv", TABLE))
    path.write_bytes(path.read_bytes().replace(b"\x08\x00", b"\x09\x00"))
    for member in members(path, "zip", Allowance(1000)):
        with pytest.raises(FileRefused, match="packed in a way that is not read"):
            member.unpack(tmp_path / "out")


@pytest.mark.parametrize("size", [100, 5000])
def test_a_zip_archive_that_is_cut_off_is_refused(tmp_path: Path, size: int) -> None:
    path = zip_of(tmp_path / "a.zip", ("a.csv", os.urandom(10_000)))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FileRefused, match="damaged or cut off"):
        content(path, "zip")


@pytest.mark.parametrize("size", [100, 700, 1024, 1024 + 512, 1024 + 512 + 100, 1024 + 1024])
def test_a_tar_archive_that_is_cut_off_is_refused_wherever_it_is(tmp_path: Path, size: int) -> None:
    """Two members of one block each: cut in a header, in a member, and between two members."""
    path = tar_of(tmp_path / "a.tar", (tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("b"), b"2"))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FileRefused, match="damaged or cut off"):
        content(path, "tar")


def test_a_damaged_header_within_a_tar_archive_is_not_its_end(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", *((tarfile.TarInfo(name), b"1") for name in "abc"))
    data = bytearray(path.read_bytes())
    data[1024] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileRefused, match="damaged or cut off at byte 1,024"):
        content(path, "tar")


def test_more_members_than_are_read_are_refused_before_any_is_unpacked(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", *((f"{number}.csv", b"") for number in range(allowance.MEMBERS_MAX + 1)))
    with pytest.raises(TooMuch, match="10,001 files"):
        next(iter(members(path, "zip", Allowance(1 << 30))))
    tar = tar_of(tmp_path / "a.tar", *((tarfile.TarInfo(f"{n}"), b"") for n in range(allowance.MEMBERS_MAX + 1)))
    with pytest.raises(TooMuch, match="10,001 files"):
        next(iter(members(tar, "tar", Allowance(1 << 30))))


def test_a_zip_bomb_is_refused_by_what_it_says_it_holds(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", *((f"{number}.csv", bytes(100 << 20)) for number in range(4)))
    with pytest.raises(TooMuch, match="come to 419,430,400"):
        next(iter(members(path, "zip", Allowance(path.stat().st_size))))
    with pytest.raises(TooMuch):
        measure_zip(path, Allowance(path.stat().st_size))


def test_a_zip_bomb_that_lies_about_its_size_is_cut_short(tmp_path: Path) -> None:
    """The directory says 10 bytes: no more is unpacked."""
    size = 50 << 20
    path = zip_of(tmp_path / "a.zip", ("a.csv", bytes(size)))
    path.write_bytes(path.read_bytes().replace(struct.pack("<L", size), struct.pack("<L", 10)))
    assert content(path, "zip") == {"a.csv": "archive"}
    assert (tmp_path / "member").stat().st_size <= 10


def test_a_tar_bomb_of_holes_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "holes.csv").open("wb") as file:
        file.truncate(1 << 40)
    subprocess.run(["tar", "-S", "-cf", tmp_path / "a.tar", "-C", tmp_path, "holes.csv"], check=True)
    with pytest.raises(TooMuch, match="1,099,511,627,776"):
        content(tmp_path / "a.tar", "tar")


def test_what_comes_out_is_measured_over_all_archives_of_a_file(tmp_path: Path) -> None:
    """Four archives within one, each of which may come to what it does, may not all come to it."""
    path = zip_of(tmp_path / "a.zip", ("a.csv", bytes(100 << 20)))
    shared = Allowance(1000)
    for _ in range(2):
        for member in members(path, "zip", shared, depth=2):
            member.unpack(tmp_path / "out")
    with pytest.raises(TooMuch):
        next(iter(members(path, "zip", shared, depth=2)))


def test_a_full_disk_is_not_the_fault_of_the_archive(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", ("a.csv", TABLE))
    for member in members(path, "zip", Allowance(1000)):
        with pytest.raises(OSError, match="No space left on device"):
            member.unpack(Path("/dev/full"))
    (tmp_path / "a.gz").write_bytes(gzip.compress(TABLE))
    with pytest.raises(OSError, match="No space left on device"):
        unpack_stream(tmp_path / "a.gz", "gz", Path("/dev/full"), Allowance(1000))
