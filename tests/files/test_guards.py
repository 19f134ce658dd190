"""Where bytes come from, and that a hostile file costs a refusal and not the machine's memory."""

import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from assetflow.errors import FileRefused, FileUnreadable, InvalidValue
from assetflow.files import FileLimits, as_source, read_table


def test_a_path_is_read_from_the_start_each_time(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"abc")
    source = as_source(path)
    for _ in range(2):
        with source.open() as stream:
            assert stream.read() == b"abc"
    assert source.name == "a.csv"
    assert str(tmp_path) not in repr(source)


def test_bytes_and_open_files_are_sources_too():
    for file in (b"abc", io.BytesIO(b"abc")):
        with as_source(file).open() as stream:
            assert stream.read() == b"abc"
    source = as_source(b"abc")
    assert as_source(source) is source
    assert "abc" not in repr(source)


@pytest.mark.parametrize(
    "stream", [io.StringIO("Tag\n1\n"), type("T", (), {"read": lambda s, n: "x"})()]
)
def test_a_file_that_is_open_as_text_is_refused(stream):
    with pytest.raises(InvalidValue, match="as text"):
        as_source(stream)


def test_what_is_not_there_is_told_without_its_folder(tmp_path):
    with pytest.raises(FileUnreadable) as caught:
        as_source(tmp_path / "gone.csv")
    assert str(caught.value) == "there is no file gone.csv"


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises((FileRefused, FileUnreadable)):
        as_source(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileRefused, match="not an ordinary file"):
        as_source(tmp_path / "pipe")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_device_is_refused():
    with pytest.raises(FileRefused, match="not an ordinary file"):
        as_source("/dev/zero")


def test_limits_are_counts():
    with pytest.raises((TypeError, ValueError)):
        FileLimits(max_rows=0)
    with pytest.raises((TypeError, ValueError)):
        FileLimits(max_rows=1.5)


class Endless(io.RawIOBase):
    """A stream without end."""

    given = 0

    def read(self, size=-1):
        self.given += size
        return b"x" * size


def test_an_endless_stream_is_given_up_at_the_limit():
    stream = Endless()
    with pytest.raises(FileRefused):
        as_source(stream, limits=FileLimits(max_bytes=1 << 20))
    assert stream.given < 2 << 20


MEASURE = """
    import resource, sys
    from assetflow.errors import FileRefused
    from assetflow.files import FileLimits, read_table
    import assetflow.files.csv, zipfile

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    before = peak()
    try:
        table = read_table(sys.argv[1], known=lambda h: h == "Tag", limits=FileLimits(max_bytes=2 << 30))
        for row in table.rows():
            pass
    except FileRefused as refusal:
        print(refusal)
    print(peak() - before)
"""


def refused_within(path, megabytes):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), str(path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    *refusal, grown = done.stdout.splitlines()
    assert int(grown) < megabytes
    return "".join(refusal)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is measured as on Linux")
class TestMemory:
    def test_a_line_of_a_gigabyte_is_refused_without_being_read_whole(self, tmp_path):
        path = tmp_path / "line.csv"
        with path.open("wb") as stream:
            stream.write(b"Tag,City\nLHS-1,")
            stream.truncate(1 << 30)  # sparse: a gigabyte of one line, no space on the disk
        assert "a line of more than 1,048,576 characters" in refused_within(path, 40)

    def test_a_quote_that_swallows_the_file_is_refused_row_by_row(self, tmp_path):
        path = tmp_path / "quote.csv"
        path.write_bytes(b'Tag,City\n"LHS-1,x\n' + b"LHS-2,y\n" * 1_100_000)
        assert "more than 1,000,000 rows" in refused_within(path, 60)

    def test_millions_of_empty_lines_are_passed_over(self, tmp_path):
        path = tmp_path / "empty.csv"
        path.write_bytes(b"Tag,City\n" + b"\n" * 1_000_000 + b"LHS-1,x\n")
        assert refused_within(path, 40) == ""


def test_too_many_commas_are_bounded_by_the_row():
    data = b"Tag,City\n" + b"," * 5_000 + b"x\n"
    limits = FileLimits(max_record=4_000)
    with pytest.raises(FileRefused, match="a line of more than"):
        list(read_table(data, known=lambda h: h == "Tag", limits=limits).rows())
