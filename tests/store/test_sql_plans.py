"""A look-up is found by its index, whatever the order that the port promises."""

import pytest

from assetflow.model import Custody, Device, F, Person, Query
from assetflow.store.sql import SqlStore
from assetflow.store.sql.statements import Prepared


@pytest.fixture
def plan_of(tmp_path, monkeypatch):
    store = SqlStore.open(f"sqlite:///{tmp_path / 'lincoln.db'}")
    made: list[Prepared] = []
    prepare = Prepared.__init__

    def remember(self, *args, **kwargs):
        prepare(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Prepared, "__init__", remember)

    def explain(query: Query) -> str:
        made.clear()
        with store.read("lincoln") as tx:
            list(tx.find(query))
            cursor = tx._connection.cursor()
            statement = made[-1]
            wanted = statement.sql.count("?")
            cursor.execute(f"EXPLAIN QUERY PLAN {statement.sql}", ["x"] * wanted)
            return "; ".join(row[3] for row in cursor.fetchall())

    yield explain
    store.close()


@pytest.mark.parametrize(
    ("kind", "where", "index"),
    [
        (Device, F.tag_key == "LHS-1", "ix_af_device_tag_key"),
        (Device, F.serial_key == "5CD1", "ix_af_device_serial_key"),
        (Device, F.tag_key.one_of("LHS-1", "LHS-2"), "ix_af_device_tag_key"),
        (Device, (F.model_id == "m") & (F.condition == "good"), "ix_af_device_model_id"),
        (Person, F.local_id == "204881", "ix_af_person_local_id"),
        (Custody, (F.accountable_id == "p") & F.ended_at.is_unknown(), "ix_af_custody_accountable"),
    ],
    ids=str,
)
def test_an_indexed_look_up_uses_its_index(plan_of, kind, where, index):
    plan = plan_of(Query(kind=kind, where=where))
    assert index in plan
    assert "SCAN" not in plan


def test_reading_everything_walks_the_key(plan_of):
    plan = plan_of(Query(kind=Device))
    assert "TEMP B-TREE" not in plan
