"""The forms of output: one document, lines, spreadsheets, tables."""

import csv
import io
import json
from datetime import UTC, date, datetime

import pytest
from attrs import frozen

from assetflow.cli.shown import Form, Output, cell, plain
from assetflow.errors import FileError
from assetflow.model import Condition, Money


@frozen
class Row:
    name: str | None
    count: int
    cost: Money | None
    tags: tuple[str, ...] = ()


ROWS = [
    Row("=cmd|' /C calc'!A0", -3, Money(-1250), ("a", "b")),
    Row(None, 1200, None),
    Row("Zoë\x1b[31m", 7, Money(29995)),
]


def written(capfdbinary, form, **kwargs):
    Output(form, **kwargs).listing("rows", Row, ROWS)
    return capfdbinary.readouterr().out


def test_json_is_one_ascii_document(capfdbinary):
    raw = written(capfdbinary, Form.JSON)
    document = json.loads(raw.decode("ascii"))
    assert document["schema_version"] == 1
    assert document["kind"] == "rows"
    assert document["meta"] == {"count": 3}
    assert document["data"][0]["cost"] == {"amount": "-12.50", "currency": "USD"}
    assert document["data"][0]["tags"] == ["a", "b"]
    assert document["data"][1]["name"] is None


def test_ndjson_is_an_object_a_line(capfdbinary):
    lines = written(capfdbinary, Form.NDJSON).decode("ascii").splitlines()
    assert [json.loads(line)["count"] for line in lines] == [-3, 1200, 7]


def test_csv_is_safe_for_spreadsheets_and_leaves_numbers_alone(capfdbinary):
    raw = written(capfdbinary, Form.CSV)
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert rows[0]["name"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["count"] == "-3"
    assert rows[0]["cost"] == "-12.50"
    assert rows[1]["name"] == ""
    assert json.loads(rows[0]["tags"]) == ["a", "b"]


def test_raw_csv_is_as_it_is(capfdbinary):
    raw = written(capfdbinary, Form.CSV, raw=True)
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r\n\"=cmd|' /C calc'!A0\"" in raw or b"\r\n=cmd|' /C calc'!A0" in raw


def test_tsv_has_tabs(capfdbinary):
    head = written(capfdbinary, Form.TSV, raw=True).splitlines()[0]
    assert head == b"name\tcount\tcost\ttags"


def test_a_table_lines_up_and_shows_no_control_character(capfdbinary):
    lines = written(capfdbinary, Form.PEOPLE).decode().splitlines()
    assert lines[0].split() == ["name", "count", "cost", "tags"]
    assert "\x1b" not in "".join(lines)
    assert "1,200" in lines[2]
    assert len({line.index("count") + 5 for line in lines[:1]} | {lines[3].index(" 7 ") + 2}) == 1


def test_nothing_is_said_on_standard_error(capfdbinary):
    Output(Form.PEOPLE).listing("rows", Row, [], empty="No row.")
    seen = capfdbinary.readouterr()
    assert seen.out == b""
    assert seen.err.strip() == b"No row."


@pytest.mark.parametrize(("form", "start"), [(Form.JSON, b"{"), (Form.CSV, b"\xef\xbb\xbfname")])
def test_a_file_is_complete_and_private(tmp_path, form, start):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    Output(form, file=str(path)).listing("rows", Row, ROWS)
    assert path.read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(FileError, match="cannot be written"):
        Output(Form.JSON, file=str(tmp_path / "none" / "out")).listing("rows", Row, ROWS)


def test_rows_that_fail_half_way_leave_an_old_file_alone(tmp_path):
    def rows():
        yield ROWS[0]
        raise ZeroDivisionError

    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        Output(Form.CSV, file=str(path)).listing("rows", Row, rows())
    assert path.read_bytes() == b"old"


def test_plain_values():
    assert plain(Condition.GOOD) == "good"
    assert plain(date(2026, 8, 17)) == "2026-08-17"
    assert plain(datetime(2026, 8, 17, 13, tzinfo=UTC)) == "2026-08-17T13:00:00Z"
    assert plain({"a": (1, None)}) == {"a": [1, None]}


def test_cells_for_people():
    assert cell(None) == ""
    assert cell(Condition.GOOD) == "good"
    assert cell(True) == "yes"
    assert cell(1234567) == "1,234,567"
    assert cell(Money(123456)) == "$1,234.56"
