"""Archives: what is refused, with the reason, and what is read."""

import io
import stat
import struct
import zipfile
import zlib

import pytest

from assetflow.errors import FileRefused, FileUnreadable
from assetflow.files import FileLimits, open_archive, read_table


def pack(files, *, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def special(mode, *, name="users.csv", data=b"x", flags=0):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, data)
    raw = bytearray(out.getvalue())
    if flags:
        directory = raw.find(b"PK\x01\x02")
        for at in (6, directory + 8):
            raw[at : at + 2] = struct.pack("<H", flags)
    return bytes(raw)


def refused(data, message, **limits):
    with pytest.raises(FileRefused, match=message):
        open_archive(data, limits=FileLimits(**limits))


def test_files_are_read_by_name_whatever_its_case_or_folder():
    data = pack([("export/Users.CSV", "sourcedId\n1\n"), ("export/orgs.csv", "sourcedId\n")])
    with open_archive(data) as archive:
        assert archive.names == ("export/Users.CSV", "export/orgs.csv")
        table = read_table(archive.find("users.csv"), known=lambda h: h == "sourcedId")
        assert [r.cells for r in table.rows()] == [("1",)]
        assert [r.cells for r in table.rows()] == [("1",)]
        assert archive.find("classes.csv") is None


def test_a_computers_own_droppings_are_passed_over():
    data = pack([("users.csv", "a"), ("__MACOSX/._users.csv", "b"), ("folder/", "")])
    with open_archive(data) as archive, archive.find("users.csv").open() as stream:
        assert stream.read() == b"a"


def test_a_name_that_is_there_twice_is_refused_when_it_is_asked_for():
    data = pack([("users.csv", "a"), ("old/USERS.csv", "b")])
    with open_archive(data) as archive, pytest.raises(FileRefused, match="more than once"):
        archive.find("users.csv")


CLIMBING = [
    "../users.csv",
    "a/../../users.csv",
    "/etc/passwd",
    "..\\users.csv",
    "\\\\host\\x",
    "C:\\x",
    "c:x",
]


@pytest.mark.parametrize("name", CLIMBING)
def test_a_path_that_climbs_out_is_refused(name):
    refused(pack([("users.csv", "a"), (name, "b")]), "climbs out")


def test_a_name_with_a_nul_is_refused():
    data = pack([("usersX.csv", "a")]).replace(b"usersX.csv", b"users\0.csv")
    refused(data, "climbs out|not a sound")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (special(stat.S_IFLNK | 0o777, data=b"/etc/passwd"), "a link"),
        (special(stat.S_IFIFO | 0o644), "not a file"),
        (special(stat.S_IFCHR | 0o644), "not a file"),
        (special(0o644, flags=0x1), "encrypted"),
        (special(0o644, flags=0x41), "encrypted"),
        (pack([("users.csv", "a" * 100)], method=zipfile.ZIP_BZIP2), "unusual"),
        (pack([("users.csv", "a" * 100)], method=zipfile.ZIP_LZMA), "unusual"),
        (b"", "not a zip"),
        (b"sourcedId,status\n1,active\n", "not a zip"),
        (b"PK\x05\x06" + bytes(18), None),
        (pack([("users.csv", "a")])[:-30], "not a zip|not a sound"),
        (b"PK\x05\x06" + struct.pack("<4H2LH", 1, 1, 1, 1, 10, 10, 0), "several parts"),
        (b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1, 1, 99, 99, 0), "not a sound"),
    ],
)
def test_what_is_refused_and_why(data, message):
    if message is None:
        with open_archive(data) as archive:
            assert archive.names == ()
    else:
        refused(data, message)


def test_a_large_format_archive_is_refused():
    small = pack([("users.csv", "a")])
    end = small.rfind(b"PK\x05\x06")
    refused(small[:end] + b"PK\x06\x07" + bytes(16) + small[end:], "large format")


# --- bombs ---------------------------------------------------------------------------------


def test_97_kilobytes_that_unpack_to_100_megabytes():
    data = pack([("users.csv", bytes(100 << 20))])
    assert len(data) < 105_000
    refused(data, "more than 200 times")


def test_many_files_that_pass_one_by_one_and_not_together():
    part = b"".join(struct.pack("<I", zlib.crc32(n.to_bytes(4, "big"))) for n in range(20_000))
    data = pack([(f"{n}.csv", part) for n in range(8)])
    refused(data, "unpacks to more than", max_inflated=500_000)


def test_too_many_files_are_refused_before_the_directory_is_read(monkeypatch):
    data = pack([(f"{n}.csv", "") for n in range(101)])
    monkeypatch.setattr(zipfile, "ZipFile", None)
    refused(data, "more than 100 files")


def test_a_directory_that_counts_falsely_is_counted_again():
    data = bytearray(pack([(f"{n}.csv", "") for n in range(9)]))
    end = data.rfind(b"PK\x05\x06")
    data[end + 8 : end + 12] = struct.pack("<2H", 2, 2)
    refused(bytes(data), "more than 5 files", max_entries=5)


def test_files_that_share_their_bytes_are_refused():
    """The overlapping bomb: one kernel of packed bytes that many entries point to (Fifield, 2019)."""
    data = bytearray(pack([("a.csv", bytes(900)), ("b.csv", bytes(900))]))
    first = data.find(b"PK\x01\x02")
    second = data.find(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    refused(bytes(data), "overlap")


def test_a_size_that_reaches_into_the_directory_is_refused():
    data = bytearray(pack([("a.csv", b"abc")], method=zipfile.ZIP_STORED))
    first = data.find(b"PK\x01\x02")
    data[first + 20 : first + 24] = struct.pack("<L", 5_000)
    refused(bytes(data), "overlap")


def test_an_archive_in_an_archive_is_never_opened():
    inner = pack([("users.csv", bytes(1 << 20))])
    outer = pack([("users.csv", inner)])
    with open_archive(outer) as archive, pytest.raises(FileUnreadable, match="zip archive"):
        read_table(archive.find("users.csv"), known=lambda h: True)


def damage(data, at, size):
    raw = bytearray(data)
    raw[at : at + size] = bytes(b ^ 0x5A for b in raw[at : at + size])
    return bytes(raw)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_is_told_as_a_refusal(method):
    data = damage(pack([("users.csv", "sourcedId\n" + "x,y,z\n" * 500)], method=method), 60, 8)
    with (
        open_archive(data) as archive,
        archive.find("users.csv").open() as stream,
        pytest.raises(FileRefused, match="damaged"),
    ):
        stream.read()


def test_a_size_that_was_declared_too_small_is_damage_not_a_surprise():
    data = bytearray(pack([("users.csv", bytes(50_000))]))
    first = data.find(b"PK\x01\x02")
    data[first + 24 : first + 28] = struct.pack("<L", 100)
    with (
        open_archive(bytes(data)) as archive,
        archive.find("users.csv").open() as stream,
        pytest.raises(FileRefused, match="damaged"),
    ):
        stream.read()


def test_a_local_name_that_is_no_text_is_damage():
    data = bytearray(pack([("usérs.csv", "a")]))
    at = data.find("usérs.csv".encode())
    data[at + 2] = 0xFF
    with open_archive(bytes(data)) as archive:
        (name,) = archive.names
        with pytest.raises(FileRefused, match="damaged"):
            archive.find(name).open()


def test_a_refused_archive_closes_its_file(tmp_path):
    path = tmp_path / "bad.zip"
    path.write_bytes(pack([("../x", "a")]))
    with pytest.raises(FileRefused):
        open_archive(path)  # an unclosed file would be a ResourceWarning, and so an error
