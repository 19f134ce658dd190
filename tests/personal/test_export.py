"""A records request is answered in full: one record of every kind that can name a person is found."""

import io
import json
import zipfile

import pytest
from attrs import evolve

import assetflow
import assetflow.testing.stores  # first of the suite: pytest rewrites its asserts
from assetflow.codec import ColumnType
from assetflow.model import Person, PersonKind, Query
from assetflow.store.schema import KINDS
from assetflow.testing._store.records import emptiest
from assetflow.testing._store.tools import parents, save

from .conftest import (  # noqa: TID252  # helpers of this folder
    EMAIL,
    GIVEN,
    KEYS,
    NUMBER,
    OTHER,
    SOURCE_ID,
)

PERSON_ID = "01980000-0000-7000-8000-000000000042"
ADDRESS = "quentin.zq77@lincoln.example"


def test_everything_is_there_and_says_where_it_stands(district):
    held = list(district.people.export(NUMBER))
    by_section = {}
    for holding in held:
        by_section.setdefault(holding.section, []).append(holding)
    assert set(by_section) >= {
        "person",
        "person_link",
        "guardianship",
        "hold",
        "note",
        "custody",
        "observation",
        "sighting",
        "staged_record",
        "run_item",
        "idempotency",
        "outbox",
        "actor",
        "journal",
    }
    (person,) = by_section["person"]
    assert person.data["given_name"] == GIVEN
    assert "mark_key" not in person.data
    assert by_section["person_link"][0].data["source_id"] == SOURCE_ID
    assert len(by_section["note"]) == 4
    first = next(h for h in by_section["observation"] if h.key == ("google", "dev-0001"))
    assert first.data["raw"]["annotatedUser"] == EMAIL
    assert first.data["facts"]["assigned_to"] == EMAIL
    assert first.where == "observation/google/dev-0001"
    types = [h.data["type"] for h in by_section["journal"]]
    assert "person.registered@1" in types
    assert types.count("device.checked_out@1") == 2  # what they were handed, and what they did


def test_others_are_masked_unless_asked_for(district):
    told = b"".join(
        json.dumps(h.data).encode()
        for h in district.people.export(NUMBER)
        if h.section != "journal"
    )
    assert OTHER.encode() not in told
    assert b"(another person)" in told
    everything = [
        h.data for h in district.people.export(NUMBER, others=True) if h.section == "observation"
    ]
    assert any(OTHER in json.dumps(data) for data in everything)


def test_nobody_else_s_records_are_in_it(district):
    keys = {h.key for h in district.people.export("300001") if h.section == "observation"}
    assert keys == {("google", f"dev-000{n}") for n in (1, 2, 3)}  # recent users of all three
    assert not [h for h in district.people.export("300001") if h.section == "hold"]


def test_it_is_written_as_json_and_as_a_zip(district, tmp_path):
    export = district.people.export(NUMBER)
    count = export.write_json(tmp_path / "zoe.json")
    whole = json.loads((tmp_path / "zoe.json").read_bytes())
    assert len(whole["holdings"]) == count == sum(export.counts().values())
    assert (tmp_path / "zoe.json").stat().st_mode & 0o077 == 0
    out = io.BytesIO()
    counts = export.write_zip(out)
    assert counts == export.counts()
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("about.json"))["counts"] == counts
        for section, number in counts.items():
            assert len(json.loads(archive.read(f"{section}.json"))) == number
    assert sorted(p.name for p in tmp_path.iterdir() if "zoe" in p.name) == ["zoe.json"]


def test_after_an_erasure_it_says_what_is_left(district):
    person_id = district.people.get(NUMBER).id
    district.people.erase(NUMBER, reason="left", keys=KEYS)
    (sealed,) = [h for h in district.people.export(person_id) if h.section == "retained_identity"]
    assert sealed.data["sealed"] == "withheld"
    (opened,) = [
        h for h in district.people.export(person_id, keys=KEYS) if h.section == "retained_identity"
    ]
    assert opened.data["sealed"].startswith(GIVEN)


# --- every kind ----------------------------------------------------------------------------


def speaking_columns():
    """Every column that can hold an id or a name."""
    for name, kind in KINDS.items():
        for column in kind.columns:
            text = column.type is ColumnType.TEXT and column.python is str
            if (text or column.type is ColumnType.JSON) and (name, column.name) != ("person", "id"):
                yield name, column.name, column


def holder(column, value):
    """A value of a column that holds a text."""
    if column.type is not ColumnType.JSON:
        return value
    return (value,) if "str" in str(column.python) or "Id" in str(column.python) else None


CASES = [
    pytest.param(name, column, value, id=f"{name}.{column_name}-{what}")
    for name, column_name, column in speaking_columns()
    for what, value in (("id", PERSON_ID), ("address", ADDRESS))
    if holder(column, value) is not None and (column.length is None or len(value) <= column.length)
    # another person's own row and links may share an address
    if not (what == "address" and name in ("person", "person_link") and column_name != "homeroom")
]


@pytest.mark.parametrize(("name", "column", "value"), CASES)
def test_a_record_of_any_kind_is_found_by_any_of_its_columns(name, column, value):
    kind = KINDS[name]
    person = Person(id=PERSON_ID, kind=PersonKind.STUDENT, email=ADDRESS, mark_key=b"k" * 32)
    record = evolve(emptiest(kind), **{column.field: holder(column, value)})
    around = [p for p in parents(record) if (p.KIND, getattr(p, "id", "")) != ("person", PERSON_ID)]
    with assetflow.open("memory:", district="lincoln", create=True) as district:
        with district.store.write("lincoln") as tx:
            save(tx, person, *(p for p in around if p != record), record)
        found = [h for h in district.people.export(PERSON_ID) if h.section == name]
        key = kind.key_of(record)
        assert key in [h.key for h in found]
        plan = district.people.plan_erasure(PERSON_ID)
        assert key in [s.key for s in plan.steps if s.kind == name]
        if value == ADDRESS:
            district.people.erase(PERSON_ID, reason="test", while_holding=True)
            kept = column.name in {c for s in plan.steps for c in s.left}
            with district.store.read("lincoln") as tx:
                values = list(tx.values(Query(kind=kind.record), (column.name,)))
            assert any(ADDRESS in str(v) for (v,) in values) is kept
