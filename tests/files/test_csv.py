"""Tables: encodings, delimiters, headings, line numbers, rows that are no rows, and safe writing."""

import codecs
import csv
import io
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import FileError, FileRefused, FileUnreadable, InvalidValue, UnknownColumns
from assetflow.files import (
    FileLimits,
    escape_cell,
    header_key,
    read_table,
    unescape_cell,
    write_table,
)

KNOWN = {"tag", "serial", "model", "city"}


def known(heading):
    return header_key(heading) in KNOWN


def read(text, **options):
    data = text if isinstance(text, bytes) else text.encode()
    return read_table(data, known=known, **options)


def cells(table):
    return [row.cells for row in table.rows()]


# --- encodings: RFC 3629, the Unicode standard's byte order marks, and Excel's own habits ---

PLACE = "Doña Ana"
ENCODINGS = [
    ("plain UTF-8", PLACE.encode(), "utf-8", []),
    ("UTF-8 with Excel's mark", codecs.BOM_UTF8 + PLACE.encode(), "utf-8-sig", []),
    ("Excel's 'Unicode text'", codecs.BOM_UTF16_LE + PLACE.encode("utf-16-le"), "utf-16", []),
    ("big-endian", codecs.BOM_UTF16_BE + PLACE.encode("utf-16-be"), "utf-16", []),
    ("UTF-32", codecs.BOM_UTF32_LE + PLACE.encode("utf-32-le"), "utf-32", []),
    ("Excel's 'CSV' in the US", PLACE.encode("cp1252"), "cp1252", ["encoding-guessed"]),
]


@pytest.mark.parametrize(
    ("name", "body", "encoding", "notices"), ENCODINGS, ids=lambda v: str(v)[:24]
)
def test_an_encoding_is_told_by_mark_or_by_every_byte(name, body, encoding, notices):
    mark = next(
        (
            m
            for m in (
                codecs.BOM_UTF32_LE,
                codecs.BOM_UTF8,
                codecs.BOM_UTF16_LE,
                codecs.BOM_UTF16_BE,
            )
            if body.startswith(m)
        ),
        b"",
    )
    codec = {
        codecs.BOM_UTF16_LE: "utf-16-le",
        codecs.BOM_UTF16_BE: "utf-16-be",
        codecs.BOM_UTF32_LE: "utf-32-le",
    }.get(mark, "utf-8")
    head = "Tag,City\r\nLHS-1,".encode(codec)
    table = read(mark + head + body[len(mark) :])
    assert cells(table) == [("LHS-1", PLACE)]
    assert table.encoding == encoding
    assert [n.code for n in table.notices] == notices


def test_utf8_is_judged_by_the_whole_file_not_by_its_start():
    table = read(b"Tag,City\n" + b"LHS-1,Lincoln\n" * 60_000 + "LHS-2,Ca\xf1on\n".encode("cp1252"))
    assert table.encoding == "cp1252"
    assert list(table.rows())[-1].cells == ("LHS-2", "Cañon")


def test_a_character_split_between_two_reads_is_still_utf8():
    filler = (
        b"LHS-1,Lincoln\n" * 18_000
    )  # the two bytes of the letter fall on both sides of 256 KiB
    data = b"Tag,City\n" + filler
    data += b"x" * ((1 << 18) - len(data) - 1) + "ñ,y\n".encode()
    assert data[(1 << 18) - 1 : (1 << 18) + 1] == "ñ".encode()
    assert read(data).encoding == "utf-8"


def test_an_encoding_that_was_named_decides_alone():
    table = read("Tag,City\nLHS-1,Cañon\n".encode("mac-roman"), encoding="mac-roman")
    assert cells(table) == [("LHS-1", "Cañon")]
    assert table.notices == ()


def test_a_named_encoding_that_does_not_fit_says_where():
    with pytest.raises(FileUnreadable, match="is not utf-8") as caught:
        list(read(b"Tag,City\nLHS-1,ok\nLHS-2,Ca\xf1on\n", encoding="utf-8").rows())
    assert "xf1" not in str(caught.value)


@pytest.mark.parametrize("name", ["klingon", "zip", "rot13", "hex"])
def test_what_is_no_text_encoding_is_refused(name):
    with pytest.raises(InvalidValue, match="no such text encoding"):
        read("Tag\n1\n", encoding=name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"SQLite format 3\0", "database"),
        ("Tag,City\nLHS-1,Lincoln\n".encode("utf-16-le"), "UTF-16 without its mark"),
        (b"Tag,City\nLHS-1,\x81\xff\n", "neither UTF-8 nor Windows-1252"),
    ],
)
def test_what_is_no_text_is_named(data, message):
    with pytest.raises(FileUnreadable, match=message):
        read(data)


# --- delimiters and headings ---------------------------------------------------------------


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_gives_known_headings(mark):
    rows = [["Tag", "Serial", "Model"], ["LHS-1", "5CD,1;2|3\t4", "HP"]]
    out = io.StringIO()
    csv.writer(out, delimiter=mark).writerows(rows)
    table = read(out.getvalue())
    assert table.delimiter == mark
    assert cells(table) == [tuple(rows[1])]


def test_a_delimiter_can_be_named():
    assert cells(read("Tag:City\nLHS-1:Lincoln\n", delimiter=":")) == [("LHS-1", "Lincoln")]
    with pytest.raises(InvalidValue):
        read("Tag\n", delimiter="::")


def test_titles_above_the_headings_are_passed_over():
    table = read("Lincoln inventory,,\nprinted 2026-08-01\n\nTag,Serial,City\nLHS-1,5CD,X\n")
    assert (table.header_line, cells(table)) == (4, [("LHS-1", "5CD", "X")])
    assert next(table.rows()).line == 5


def test_a_single_column_is_a_table():
    table = read("Serial\n5CD012\n")
    assert (table.delimiter, cells(table)) == (",", [("5CD012",)])


def test_no_known_heading_is_an_error_without_the_cells():
    with pytest.raises(UnknownColumns) as caught:
        read("Ann Lee,204881\nBo Ray,204882\n")
    assert "Ann" not in str(caught.value)
    assert "Ann" not in str(caught.value.as_dict())


def test_a_row_of_data_with_a_known_word_in_it_is_not_taken_for_headings():
    with pytest.raises(UnknownColumns):
        read("Ann,Lee,model,204881\nBo,Ray,city,204882\n")
    assert read("Tag,x,y\nLHS-1,a,b\n").headers == ("Tag", "x", "y")


@pytest.mark.parametrize("data", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_an_error(data):
    with pytest.raises(UnknownColumns):
        read(data)


def test_a_mark_in_front_of_a_quoted_heading_is_no_part_of_it():
    assert read(codecs.BOM_UTF8 + b'"Tag","City"\n"1","x"\n').headers == ("Tag", "City")


def test_empty_headings_at_the_end_are_dropped_and_those_between_stay():
    table = read("Tag,,City,,\nLHS-1,x,Lincoln,,\n")
    assert table.headers == ("Tag", "", "City")
    assert cells(table) == [("LHS-1", "x", "Lincoln")]


@pytest.mark.parametrize(
    ("heading", "key"),
    [
        ("Serial #", "serialnumber"),
        ("S/N", "sn"),
        (" Asset  Tag ", "assettag"),
        ("Größe", "grösse".replace("ö", "ö")),
    ],
)
def test_a_heading_is_folded(heading, key):
    assert header_key(heading) == key


# --- rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(end):
    table = read(f"Tag,City{end}LHS-1,A{end}LHS-2,B{end}")
    assert [(r.line, r.cells) for r in table.rows()] == [(2, ("LHS-1", "A")), (3, ("LHS-2", "B"))]


def test_a_row_knows_its_line_behind_cells_with_line_breaks():
    table = read('Tag,City\n"LHS-1","one\ntwo\n\nfour"\nLHS-2,x\n\n\nLHS-3,y\n')
    assert [(r.line, r.cells[0]) for r in table.rows()] == [
        (2, "LHS-1"),
        (6, "LHS-2"),
        (9, "LHS-3"),
    ]


def test_identifiers_stay_as_they_are_written():
    written = ("0012", "5E21", "1-2", "1e5", "true", "1,299.00", "2024-01-02", "NaN", " x ")
    out = io.StringIO()
    csv.writer(out).writerows([["Tag"], *([w] for w in written)])
    assert [c for (c,) in cells(read(out.getvalue()))] == list(written)


def test_rows_without_text_are_left_out():
    assert cells(read("Tag,City\n,,\nLHS-1,x\n , \n\n")) == [("LHS-1", "x")]


def test_a_quote_that_is_not_closed_costs_one_row():
    table = read('Tag,City\nLHS-1,"open\nLHS-2,b\nLHS-3,"c"\nLHS-4,d\n')
    assert [(r.line, r.problem) for r in table.rows()] == [
        (2, "quote"),
        (3, None),
        (4, None),
        (5, None),
    ]


def test_a_quote_that_is_never_closed_costs_one_row_also_at_the_end():
    rows = "".join(f"LHS-{n},x\n" for n in range(5_000))
    table = read('Tag,City\n"LHS-A,b\n' + rows, limits=FileLimits(max_record=2_000))
    found = list(table.rows())
    assert [r.line for r in found if r.problem] == [2]
    assert len(found) == 5_001
    assert [r.line for r in found] == list(range(2, 5_003))


def test_inches_in_a_cell_are_no_quotes():
    assert cells(read('Tag,Model\nLHS-1,11" Chromebook\n')) == [("LHS-1", '11" Chromebook')]


def test_a_row_with_too_many_cells_has_a_problem_and_empty_ones_do_not_count():
    table = read("Tag,City\nLHS-1,a,b\nLHS-2,a,,\nLHS-3\n")
    assert [(r.cells, r.problem) for r in table.rows()] == [
        (("LHS-1", "a", "b"), "too-many-cells"),
        (("LHS-2", "a"), None),
        (("LHS-3", ""), None),
    ]


def test_a_file_that_was_cut_off_does_not_give_half_a_row():
    assert [r.problem for r in read("Tag,Serial\nLHS-1,5CD012\nLHS-2").rows()] == [None, "cut-off"]
    assert [r.problem for r in read("Tag,Serial\nLHS-1,5CD012\nLHS-2,5CD").rows()] == [None, None]


def test_columns_that_are_not_kept_come_out_empty():
    table = read("Tag,Password,City\nLHS-1,hunter2,x\nLHS-2,a,b,c\n")
    rows = list(table.rows(keep={0, 2}))
    assert rows[0].cells == ("LHS-1", "", "x")
    assert (rows[1].cells, rows[1].problem) == ((), "too-many-cells")


def test_a_table_can_be_read_again():
    table = read("Tag\n1\n2\n")
    assert cells(table) == cells(table) == [("1",), ("2",)]


def test_a_row_does_not_show_its_cells():
    assert "204881" not in repr(next(read("Tag\n204881\n").rows()))


def test_nul_characters_are_kept_for_the_reader_above_to_judge():
    assert cells(read("Tag,City\nLHS\0-1,x\n")) == [("LHS\0-1", "x")]


# --- limits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limits", "message"),
    [
        ("Tag\n" + "1\n" * 11, FileLimits(max_rows=10), "more than 10 rows"),
        ("Tag,City\n" + "x" * 300 + "\n", FileLimits(max_record=200), "a line of more than 200"),
        (",".join(["Tag"] * 9) + "\n", FileLimits(max_columns=8), "more than 8 columns"),
        ("Tag\n" + "1\n" * 100, FileLimits(max_bytes=50), "larger than 50 bytes"),
    ],
)
def test_limits_refuse_the_file(text, limits, message):
    with pytest.raises(FileRefused, match=message):
        list(read(text, limits=limits).rows())


def test_a_long_cell_costs_its_row():
    table = read("Tag,City\nLHS-1," + "x" * 60 + "\nLHS-2,y\n", limits=FileLimits(max_cell=50))
    assert [r.problem for r in table.rows()] == ["cell-too-long", None]


# --- writing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\n=1",
        "  =1",
        "'x",
        "'",
        '=HYPERLINK("http://x")',
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_escaped_and_comes_back(text):
    assert escape_cell(text) == "'" + text
    assert unescape_cell(escape_cell(text)) == text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_escaping_loses_nothing(text):
    escaped = escape_cell(text)
    assert unescape_cell(escaped) == text
    assert not escaped.lstrip().startswith(("=", "+", "-", "@"))


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2)))
def test_what_is_written_is_read_again(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("t") / "out.csv"
    assert write_table(path, ["Tag", "City"], rows) == len(rows)
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        back = [[unescape_cell(c) for c in row] for row in csv.reader(stream)]
    assert back == [["Tag", "City"], *rows]


def test_a_written_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "rejects.csv"
    path.write_text("older")
    path.chmod(0o644)
    write_table(path, ["a"], [["b"]], bom=False, safe=False)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "a\nb\n"


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "rejects.csv"
    path.write_text("older")

    def rows():
        yield ["b"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(path, ["a"], rows())
    assert path.read_text() == "older"
    assert [p.name for p in tmp_path.iterdir()] == ["rejects.csv"]


def test_a_folder_that_is_not_there_is_a_typed_error(tmp_path):
    with pytest.raises(FileError, match="cannot be written"):
        write_table(tmp_path / "nowhere" / "x.csv", ["a"], [])
